"""What the inbox keeps, and for how long."""

from portal.partitions import DayTable, Unit
from portal.retention import DataClass, Days, Rows, register

# Deliveries are updated soon after they are written: room for the new version in the same page.
DELIVERIES = DayTable(
    "inbox_delivery", "stored_on", Unit.DATE, fillfactor=80, needed="state = 'waiting'"
)

BODIES = DataClass(
    "bodies",
    "Archived bodies",
    "What clients sent, as it came. Without it events keep their columns, but not their other "
    "attributes and the client's own history.",
    [
        Days(
            DELIVERIES,
            (
                "delivery is still waiting to be handled",
                "deliveries are still waiting to be handled",
            ),
        ),
        Rows(DELIVERIES.other, "stored_on", "state <> 'waiting'"),
    ],
    setting="RETENTION_BODIES_DAYS",
    order=10,
)
QUARANTINE = DataClass(
    "quarantine",
    "Settled quarantine items",
    "Items that were replayed or discarded, by the day of that decision. Held ones stay until "
    "somebody decides; a replayed one as long as the body of its replay.",
    [
        Rows(
            "inbox_quarantine",
            "settled_at",
            "state IN ('replayed', 'discarded') AND NOT EXISTS ("
            "SELECT FROM inbox_delivery WHERE replay_of_id = inbox_quarantine.id)",
        )
    ],
    setting="RETENTION_QUARANTINE_DAYS",
    order=60,
)


def register_classes() -> None:
    register(BODIES)
    register(QUARANTINE)
