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
    quick,
)
from meetings.formats.gists import Gist, gist_of
from meetings.rollups import recording
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
        gists, refused[delivery.pk] = _gists(delivery.door, delivery.raw())
        if gists:
            arrivals.append(Arrival(delivery, gists))
    if arrivals:
        written = facts.write(arrivals)
        folds.fold(written)
        recording.record(written)
        failures.report(sightings(written.new))
        outbox.enqueue(written.new)
    return refused


def _gists(door: str, body: bytes) -> tuple[list[Gist], Sequence[RefusedItem]]:
    if (read_quickly := quick.READERS.get(door)) and (gists := read_quickly(body)) is not None:
        return gists, ()
    reading, refused = read(door, body)
    return [gist_of(event) for event in reading.events], refused


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
