"""Format C: batches of log lines by the demo's POSTLogger.

    {"appName": "…", "meetingId": "…", "attendeeId": "…",
     "logs": [{"sequenceNumber": 0, "message": "…", "timestampMs": 1, "logLevel": "INFO"}, …]}

A message that is JSON of the form {"name", "attributes"} is an event; any other is a log line.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from meetings.formats.history import HistoryReader
from meetings.formats.items import (
    MAX_ID,
    Refused,
    RefusedItemError,
    build_event,
    collect,
    identifier,
    refuse_too_deep,
    refuse_too_many,
)
from meetings.formats.json_input import decode, decode_keeping_deep, encode
from meetings.formats.reading import JSON, Event, Reading, UnreadableError
from meetings.formats.timestamps import claimed_ms
from meetings.formats.tokens import without_secrets
from meetings.vocabulary import LOG_LINE, MAX_NAME, printable

_MAX_SEQUENCE = 2**31 - 1


def read(body: bytes) -> Reading:
    document = decode_keeping_deep(body)
    if not isinstance(document.value, dict):
        raise UnreadableError("not-an-object", "The body is not a JSON object with logs.")
    envelope = _envelope(document.value)
    logs = document.value.get("logs")
    if not isinstance(logs, list):
        raise UnreadableError("no-logs", "The body has no list of logs.")
    refuse_too_many(len(logs))
    histories = HistoryReader()

    def read_line(ordinal: int, line: JSON) -> Event:
        refuse_too_deep(document, line)
        return _event(ordinal, line, envelope, histories)

    return collect(logs, read_line, partial(_body_of, envelope))


def _envelope(document: dict[str, JSON]) -> dict[str, JSON]:
    app_name = document.get("appName")
    envelope: dict[str, JSON] = {
        "appName": printable(app_name)[:MAX_NAME] if isinstance(app_name, str) else "",
        "meetingId": identifier(document.get("meetingId")),
        "attendeeId": identifier(document.get("attendeeId")),
    }
    missing = [key for key, text in envelope.items() if not text]
    if missing:
        raise UnreadableError(
            "missing-properties",
            f"Required properties: logs, meetingId, attendeeId, appName. Missing: {missing[0]}.",
        )
    if any(len(str(envelope[key])) > MAX_ID for key in ("meetingId", "attendeeId")):
        raise UnreadableError("id-too-long", f"An id has more than {MAX_ID} characters.")
    return envelope


def _event(ordinal: int, line: JSON, envelope: dict[str, JSON], histories: HistoryReader) -> Event:
    if not isinstance(line, dict):
        raise RefusedItemError("not-an-object", "The line is not a JSON object.")
    message = line.get("message")
    if message is None:
        raise RefusedItemError("no-message", "The line has no message.")
    event = _event_in(message)
    if event is not None:
        name, attributes = event
        own = {key: value for key, value in attributes.items() if value not in (None, "")}
        return build_event(
            ordinal,
            envelope | own,
            histories,
            name=name,
            timestamp=own.get("timestampMs", line.get("timestampMs")),
        )
    claimed = envelope | {"message": message, "logLevel": line.get("logLevel")}
    return replace(
        build_event(ordinal, claimed, histories, name=LOG_LINE, timestamp=line.get("timestampMs")),
        sequence=_sequence(line, ordinal),
    )


def _event_in(message: JSON) -> tuple[str, dict[str, JSON]] | None:
    """The name and attributes of the SDK event that a message holds, as JSON text or as such."""
    if isinstance(message, str) and message.lstrip().startswith("{"):
        try:
            message = decode(message.encode())
        except UnreadableError:
            return None
    if not isinstance(message, dict):
        return None
    name, attributes = message.get("name"), message.get("attributes")
    return (name, attributes) if isinstance(name, str) and isinstance(attributes, dict) else None


def _sequence(line: dict[str, JSON], ordinal: int) -> int:
    """The line's number from 1, or its place in the body if it tells none."""
    number = claimed_ms(line.get("sequenceNumber"))
    if number is None or number < 0:
        number = ordinal
    return min(number + 1, _MAX_SEQUENCE)


def _body_of(envelope: dict[str, JSON], refused: Sequence[Refused[JSON]]) -> bytes:
    return encode(without_secrets({**envelope, "logs": [each.item for each in refused]}))
