"""Steps and tables on the pages of a delivery and of a quarantined item."""

from django.db.models import QuerySet
from django.urls import reverse

from portal.inbox import results, wording
from portal.inbox.models import Delivery, Quarantine
from portal.pieces import Column, Row, Step, Table


def delivery_steps(delivery: Delivery) -> list[Step]:
    done = delivery.state != Delivery.State.WAITING
    last = "Quarantined" if delivery.state == Delivery.State.QUARANTINED else "Handled"
    failed = delivery.state == Delivery.State.QUARANTINED
    return [
        Step("Received", delivery.received_at, "done"),
        Step("Waiting for the drain", delivery.queued_at, "done" if done else "now"),
        Step(last, delivery.handled_at, ("failed" if failed else "done") if done else "ahead"),
    ]


def item_steps(item: Quarantine) -> list[Step]:
    held = item.state == Quarantine.State.HELD
    replaying = item.state == Quarantine.State.REPLAYING
    first = Step("First seen", item.first_seen_at, "done")
    holding = Step("Held", item.last_seen_at, "now" if held else "done")
    if item.state == Quarantine.State.DISCARDED:
        return [first, holding, Step("Discarded", item.settled_at, "done")]
    return [
        first,
        holding,
        Step("Being replayed", None, "now" if replaying else "ahead" if held else "done"),
        Step("Replayed", item.settled_at, "ahead" if held or replaying else "done"),
    ]


def results_table(led_to: results.Results) -> Table:
    columns = [Column("Event"), Column("Of"), Column("Happened", "time"), Column("Became")]
    rows = [
        Row([one.label, one.detail, one.happened_at, one.became], url=one.url)
        for one in led_to.shown
    ]
    return Table("What this delivery led to", columns, rows)


def held_table(items: QuerySet[Quarantine]) -> Table | None:
    rows = [
        Row(
            [wording.reason(item.reason).label, item.detail, wording.item_state(item.state)],
            url=reverse("admin:inbox_quarantine_change", args=[item.pk]),
        )
        for item in items.defer("raw_zstd")[:100]
    ]
    columns = [Column("Reason"), Column("Detail"), Column("State", "state")]
    return Table("Items of this delivery that were not understood", columns, rows) if rows else None


def replays_table(replays: QuerySet[Delivery]) -> Table | None:
    rows = [
        Row(
            [
                f"Delivery #{delivery.pk}",
                delivery.queued_at,
                delivery.handled_at,
                wording.delivery_state(delivery.state),
            ],
            url=reverse("admin:inbox_delivery_change", args=[delivery.pk]),
        )
        for delivery in replays
    ]
    columns = [
        Column("Replay"),
        Column("Begun", "time"),
        Column("Handled", "time"),
        Column("State", "state"),
    ]
    return Table("Replays", columns, rows) if rows else None
