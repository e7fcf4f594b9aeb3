"""People, roles, keys and the audit trail in the admin."""

from portal.access.admin import keys, people, trail

__all__ = ["keys", "people", "trail"]
