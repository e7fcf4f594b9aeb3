"""What clients sent besides the columns of an event: read again from the archived bodies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.db.models import QuerySet

from meetings.formats import JSON, Event, HistoryEntry, UnreadableError
from meetings.handlers import READERS
from meetings.models import ClientEvent
from portal.inbox.models import Delivery

# As much is read for one page; an export reads everything, in slices.
MOST_BODIES = 200
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Archived:
    """An event as its client sent it."""

    attributes: dict[str, JSON]
    history: tuple[HistoryEntry, ...]


def read(events: Iterable[ClientEvent]) -> dict[int, Archived]:
    """What the archive has of these events, by their ids; two queries, and each body read once.

    An event is missing from the answer where its body is gone (retention), or where the page
    would need too many bodies: then the newest are read.
    """
    wanted = _by_delivery(events)
    days = _days_of(wanted)
    known = _known(Delivery.objects.filter(pk__in=list(wanted), stored_on__in=days))
    if elsewhere := list(wanted.keys() - {one.pk for one in known}):
        # A replay is stored long after it was received; or the body is gone.
        known += _known(Delivery.objects.filter(pk__in=elsewhere).exclude(stored_on__in=days))
    return dict(_found(wanted, _within_limits(known)))


def _by_delivery(events: Iterable[ClientEvent]) -> dict[int, list[ClientEvent]]:
    wanted: dict[int, list[ClientEvent]] = {}
    for event in events:
        wanted.setdefault(event.delivery_id, []).append(event)
    return wanted


def _days_of(wanted: Mapping[int, Sequence[ClientEvent]]) -> set[date]:
    """Where to look first: a body is stored soon after it was received, as a rule."""
    received = {event.received_at.astimezone(UTC).date() for [event, *_] in wanted.values()}
    return {day + timedelta(days=beside) for day in received for beside in (-1, 0, 1)}


@dataclass(frozen=True, slots=True)
class _Stored:
    pk: int
    stored_on: date
    size_bytes: int


def _known(deliveries: QuerySet[Delivery]) -> list[_Stored]:
    newest = deliveries.order_by("-pk").values_list("pk", "stored_on", "size_bytes")
    return [_Stored(*row) for row in newest[:MOST_BODIES]]


def _within_limits(known: Iterable[_Stored]) -> list[_Stored]:
    chosen: list[_Stored] = []
    total = 0
    for one in sorted(known, key=lambda one: one.pk, reverse=True)[:MOST_BODIES]:
        total += one.size_bytes
        if chosen and total > MOST_BYTES:
            break
        chosen.append(one)
    return chosen


def _found(
    wanted: Mapping[int, Sequence[ClientEvent]], stored: Sequence[_Stored]
) -> Iterator[tuple[int, Archived]]:
    if not stored:
        return
    deliveries = Delivery.objects.filter(
        pk__in=[one.pk for one in stored], stored_on__in={one.stored_on for one in stored}
    )
    for delivery in deliveries.only("pk", "door", "body"):
        sent = _events_of(delivery)
        for event in wanted[delivery.pk]:
            if (original := sent.get(event.ordinal)) and _is_same(event, original):
                yield event.pk, Archived(original.attributes, original.history)


def _events_of(delivery: Delivery) -> dict[int, Event]:
    reader = READERS.get(delivery.door)
    if reader is None:
        return {}
    try:
        return {event.ordinal: event for event in reader(delivery.raw()).events}
    except UnreadableError:
        return {}  # read once before, so a reader has become stricter since


def _is_same(event: ClientEvent, original: Event) -> bool:
    """Against a reader that counts items otherwise than the one which wrote the event."""
    return event.client_ms == (original.client_ms or 0) and event.name.value == original.name


def merged_history(archived: Iterable[Archived]) -> list[HistoryEntry]:
    """All entries of all histories, each once, in order of the client's time.

    Each event carries the history so far, or its last minutes, so that they overlap widely.
    """
    entries = {entry for one in archived for entry in one.history}
    return sorted(entries, key=lambda entry: (entry.at_ms is None, entry.at_ms or 0, entry.name))
