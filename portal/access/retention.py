"""What is kept of access, and for how long."""

from portal.retention import DataClass, Rows, register

AUDIT_TRAIL = DataClass(
    "audit",
    "Audit trail",
    "Who did what, when and from where. The database refuses to delete a line of it.",
    [Rows("access_auditevent", "at")],
    order=90,
)


def register_classes() -> None:
    register(AUDIT_TRAIL)
