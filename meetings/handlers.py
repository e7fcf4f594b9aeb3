"""From deliveries of client events to facts, folds and failures: what the drain calls."""

from collections.abc import Callable, Mapping, Sequence

from meetings import facts, folds
from meetings.cloudwatch import outbox
from meetings.facts import Arrival
from meetings.formats import (
    Reading,
    UnreadableError,
    event_array,
    ingestion,
    log_lines,
    log_streams,
)
from meetings.sightings import sightings
from portal.failures import services as failures
from portal.inbox.handlers import WHOLE_BODY, RefusedItem
from portal.inbox.models import Delivery

READERS: dict[str, Callable[[bytes], Reading]] = {
    "meetingevents": event_array.read,
    "client-events": ingestion.read,
    "log-lines": log_lines.read,
    "log-streams": log_streams.read,
}


def handle(deliveries: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
    """Handle deliveries of all client-event doors together: one lock order for the batch."""
    arrivals: list[Arrival] = []
    refused: dict[int, Sequence[RefusedItem]] = {}
    for delivery in deliveries:
        reading, refused[delivery.pk] = read(delivery.door, delivery.raw())
        arrivals += [Arrival(delivery, event) for event in reading.events]
    if arrivals:
        written = facts.write(arrivals)
        folds.fold(written)
        failures.report(sightings(written.new))
        outbox.enqueue(written.new)
    return refused


def read(door: str, body: bytes) -> tuple[Reading, list[RefusedItem]]:
    """What a body of that door says, and what of it could not be understood."""
    try:
        reading = READERS[door](body)
    except UnreadableError as error:
        whole = RefusedItem(WHOLE_BODY, error.reason, str(error), body)
        return Reading(events=[], rejected=[]), [whole]
    return reading, [
        RefusedItem(item.ordinal, item.reason, item.detail, item.raw) for item in reading.rejected
    ]
