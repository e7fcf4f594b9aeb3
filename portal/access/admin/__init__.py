"""People, roles, keys and the audit trail in the admin."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.admin import keys, people, trail

__all__ = ["keys", "people", "replace_foreign_pages", "trail"]


def replace_foreign_pages() -> None:
    """Django's groups can be edited, and django-otp's devices show their secrets: not here."""
    for model in [Group, StaticDevice, TOTPDevice]:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    # Django says groups; everybody here says roles.
    Group._meta.verbose_name, Group._meta.verbose_name_plural = "role", "roles"
    Group._meta.app_config.verbose_name = "Roles"
    admin.site.register(Group, people.RoleAdmin)
