"""What CloudWatch is sent about an event: the event as its client sent it, and one metric."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meetings import handlers, vocabulary
from meetings.cloudwatch.outbox import DOOR
from meetings.exports import attributes_as_sent
from meetings.formats import Event, Reading, event_array
from meetings.formats.reading import JSON
from meetings.formats.tokens import without_secrets
from portal.inbox.models import Delivery

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

METRIC = "meetingStartDurationMs"
_LARGEST_VALUE = 2.0**360


@dataclass(frozen=True, slots=True)
class LogEvent:
    ordinal: int
    at_ms: int
    message: JSON

    @property
    def text(self) -> str:
        return json.dumps(self.message, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What of a delivery is to be sent: log events in the order of their time, and metrics."""

    logs: list[LogEvent]
    data: list["MetricDatumTypeDef"]


def mirror(delivery: Delivery, ordinals: Iterable[int]) -> Mirrored:
    if delivery.door == DOOR:
        document = [json.loads(delivery.raw())["event"]]
        events = _events_of(event_array.read(json.dumps(document).encode()))
    else:
        document = _items_as_sent(delivery)
        events = _events_of(handlers.read(delivery.door, delivery.raw())[0])
    chosen = [events[ordinal] for ordinal in ordinals if ordinal in events]
    logs = [
        LogEvent(
            event.ordinal,
            event.client_ms or int(delivery.received_at.timestamp() * 1000),
            without_secrets(document[event.ordinal]) if document else _as_the_sdk_would(event),
        )
        for event in chosen
    ]
    logs.sort(key=lambda log: log.at_ms)
    return Mirrored(logs, [datum for event in chosen if (datum := datum_of(event))])


def _events_of(reading: Reading) -> dict[int, Event]:
    return {event.ordinal: event for event in reading.events}


def _items_as_sent(delivery: Delivery) -> list[Any]:
    """The items of the one format whose items already have the right shape."""
    if delivery.door != "meetingevents":
        return []
    document = event_array.decode(delivery.raw())
    return document if isinstance(document, list) else []


def _as_the_sdk_would(event: Event) -> JSON:
    """The other formats wrap an event differently: here is what an observer would have got."""
    attributes: dict[str, JSON] = {
        "meetingId": event.meeting_id,
        "attendeeId": event.attendee_id,
        "timestampMs": event.client_ms,
        **attributes_as_sent(event.attributes, event.history),
    }
    return {"name": event.name, "attributes": without_secrets(attributes)}


def datum_of(event: Event) -> "MetricDatumTypeDef | None":
    """How long a successful join took; nothing for other events, or without a duration."""
    value = event.attributes.get(METRIC)
    if event.name != vocabulary.JOIN_SUCCEEDED or event.client_ms is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value <= _LARGEST_VALUE:
        return None
    try:
        moment = datetime.fromtimestamp(event.client_ms // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return {
        "MetricName": METRIC,
        "Dimensions": [{"Name": "sdkName", "Value": dimension(event.attributes.get("sdkName"))}],
        "Timestamp": moment,
        "Value": float(value),
        "Unit": "Milliseconds",
    }


def dimension(value: JSON) -> str:
    """CloudWatch takes printable ASCII only, and not nothing."""
    text = "" if value is None else str(value)
    plain = "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:200].strip()
    return plain or "unknown"
