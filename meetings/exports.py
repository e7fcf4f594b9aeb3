"""Everything a client sent with its events, for exports, the API and the CloudWatch sink."""

from collections.abc import Iterator, Sequence

from meetings import archive
from meetings.formats.reading import JSON, HistoryEntry
from meetings.models import ClientEvent
from meetings.serializers import Record, event_record

# Bodies read together. The archive stops at some total of bytes, which so few never reach.
_BODIES_AT_A_TIME = 8


def records_with_attributes(events: Sequence[ClientEvent]) -> Iterator[Record]:
    """Event records with `attributes`; null where retention has taken the delivery."""
    for some in _of_few_deliveries(events):
        archived = archive.read(some)
        for event in some:
            sent = archived.get(event.pk)
            attributes = attributes_as_sent(sent.attributes, sent.history) if sent else None
            yield event_record(event) | {"attributes": attributes}


def attributes_as_sent(
    attributes: dict[str, JSON], history: Sequence[HistoryEntry]
) -> dict[str, JSON]:
    """With the history in the shape that the JavaScript SDK gives it."""
    if not history:
        return dict(attributes)
    entries: list[JSON] = [{"name": entry.name, "timestampMs": entry.at_ms} for entry in history]
    return {**attributes, "meetingHistory": entries}


def _of_few_deliveries(events: Sequence[ClientEvent]) -> Iterator[list[ClientEvent]]:
    some: list[ClientEvent] = []
    deliveries: set[int] = set()
    for event in events:
        if event.delivery_id not in deliveries and len(deliveries) >= _BODIES_AT_A_TIME:
            yield some
            some, deliveries = [], set()
        some.append(event)
        deliveries.add(event.delivery_id)
    if some:
        yield some
