"""What clients sent besides the columns of an event: read again from the archived bodies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    return dict(_found(wanted, _within_limits(list(wanted))))


def _by_delivery(events: Iterable[ClientEvent]) -> dict[int, list[ClientEvent]]:
    wanted: dict[int, list[ClientEvent]] = {}
    for event in events:
        wanted.setdefault(event.delivery_id, []).append(event)
    return wanted


def _within_limits(ids: Sequence[int]) -> list[int]:
    known = Delivery.objects.filter(pk__in=ids).order_by("-pk")
    chosen: list[int] = []
    total = 0
    for pk, size in known.values_list("pk", "size_bytes")[:MOST_BODIES]:
        total += size
        if chosen and total > MOST_BYTES:
            break
        chosen.append(pk)
    return chosen


def _found(
    wanted: dict[int, list[ClientEvent]], ids: Sequence[int]
) -> Iterator[tuple[int, Archived]]:
    for delivery in Delivery.objects.filter(pk__in=ids).only("pk", "door", "body"):
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
