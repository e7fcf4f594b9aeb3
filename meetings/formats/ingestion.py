"""Format B: what unmodified SDKs send to MediaPlacement.EventIngestionUrl.

    {"metadata": {"meetingId": "…", "attendeeId": "…", "sdkName": "…", …},
     "events": [{"type": "Meet", "v": 1, "metadata": {…}?, "payloads": [{"name": "…", "ts": 1}]}],
     "authorization": "<join token>"}

The token is there in beacons only, which cannot carry a header. It is never kept.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from meetings.formats.history import HistoryReader
from meetings.formats.items import (
    Refused,
    RefusedItemError,
    build_event,
    collect,
    refuse_too_deep,
    refuse_too_many,
)
from meetings.formats.json_input import Document, contains_deep, decode_keeping_deep, encode
from meetings.formats.reading import JSON, Event, Reading, UnreadableError
from meetings.formats.tokens import blank_tokens, may_hold_token, without_secrets
from meetings.vocabulary import KNOWN_ATTRIBUTES, MAX_NAME, printable

# Payload keys that belong to the transport: an event sent again has another ttl.
TRANSPORT = ("ts", "ttl")
MEETING_TYPE = "Meet"
# Rejected items are kept with their metadata, so it must not multiply a large body.
_MAX_METADATA_BYTES = 4096
_MAX_METADATA_TEXT = 256
# Metadata counts for every payload below it: large ones times many payloads would take hours.
MAX_SHARED_BYTES = 32 * 1024 * 1024


class _Item(NamedTuple):
    """A payload and what its element of `events` says; or that element, if it has no payloads."""

    value: JSON
    group: int
    kind: str = ""
    metadata: dict[str, JSON] = {}
    is_payload: bool = True


def read(body: bytes) -> Reading:
    document = decode_keeping_deep(body)
    if not isinstance(document.value, dict):
        raise UnreadableError("not-an-object", "The body is not a JSON object with events.")
    groups = document.value.get("events")
    if not isinstance(groups, list):
        raise UnreadableError("no-events", "The body has no list of events.")
    payloads = _payload_count(groups)
    refuse_too_many(len(groups) + payloads)
    record_metadata = _Shares().of(_metadata(document.value, document), payloads)
    histories = HistoryReader()

    def read_item(ordinal: int, item: _Item) -> Event:
        refuse_too_deep(document, item.value)
        return _event(ordinal, item, record_metadata, histories)

    return collect(_items(groups, document), read_item, partial(_body_of, record_metadata))


def _payload_count(groups: list[JSON]) -> int:
    return sum(
        len(payloads)
        for group in groups
        if isinstance(group, dict) and isinstance(payloads := group.get("payloads"), list)
    )


class _Shares:
    """Keeps what is shared by the payloads of a body within bounds, payload for payload."""

    def __init__(self) -> None:
        self._bytes = 0

    def of(self, metadata: dict[str, JSON], payloads: int) -> dict[str, JSON]:
        """The metadata, or what is known and short of it where all of it would be too much."""
        self._bytes += len(encode(metadata)) * payloads
        return metadata if self._bytes <= MAX_SHARED_BYTES else _known(metadata)


def redact(body: bytes) -> bytes:
    """The body without join tokens, to be stored. It reads as before."""
    if not may_hold_token(body):
        return body
    try:
        document = decode_keeping_deep(body).value
    except UnreadableError:
        return blank_tokens(body)
    redacted = without_secrets(document)
    return body if redacted == document else encode(redacted)


def _items(groups: list[JSON], document: Document) -> Iterator[_Item]:
    shares = _Shares()
    for index, group in enumerate(groups):
        payloads = group.get("payloads") if isinstance(group, dict) else None
        if not isinstance(group, dict) or not isinstance(payloads, list):
            yield _Item(group, index, is_payload=False)
            continue
        kind = group.get("type")
        kind = printable(kind)[:MAX_NAME] if isinstance(kind, str) else ""
        metadata = shares.of(_metadata(group, document), len(payloads))
        for payload in payloads:
            yield _Item(payload, index, kind, metadata)


def _metadata(holder: dict[str, JSON], document: Document) -> dict[str, JSON]:
    metadata = holder.get("metadata")
    if not isinstance(metadata, dict):
        return {}
    if not document.has_deep:
        return metadata
    return {key: value for key, value in metadata.items() if not contains_deep(value)}


def _event(
    ordinal: int, item: _Item, record_metadata: dict[str, JSON], histories: HistoryReader
) -> Event:
    payload = item.value
    if not isinstance(payload, dict):
        raise RefusedItemError("not-an-object", "The item is not a JSON object.")
    if not item.is_payload:
        raise RefusedItemError("no-payloads", "The element of events has no list of payloads.")
    claimed = {**record_metadata, **item.metadata, **payload}
    if item.kind not in ("", MEETING_TYPE):
        claimed["ingestionType"] = item.kind
    return build_event(
        ordinal,
        claimed,
        histories,
        name=payload.get("name"),
        timestamp=payload.get("ts", payload.get("timestampMs")),
        drop=TRANSPORT,
    )


def _body_of(record_metadata: dict[str, JSON], refused: Sequence[Refused[_Item]]) -> bytes:
    events: list[JSON] = []
    for _, members in groupby((each.item for each in refused), key=attrgetter("group")):
        items = list(members)
        if not items[0].is_payload:
            events.append(items[0].value)
            continue
        event: dict[str, JSON] = {"payloads": [item.value for item in items]}
        if items[0].kind:
            event["type"] = items[0].kind
        if items[0].metadata:
            event["metadata"] = _small(items[0].metadata)
        events.append(event)
    return encode(without_secrets({"metadata": _small(record_metadata), "events": events}))


def _small(metadata: dict[str, JSON]) -> JSON:
    """The metadata, or of large ones what is known and short: enough to be refused alike."""
    return metadata if len(encode(metadata)) <= _MAX_METADATA_BYTES else _known(metadata)


def _known(metadata: dict[str, JSON]) -> dict[str, JSON]:
    return {
        key: value[:_MAX_METADATA_TEXT] if isinstance(value, str) else value
        for key, value in metadata.items()
        if (key in KNOWN_ATTRIBUTES or key in ("meetingId", "attendeeId"))
        and not isinstance(value, dict | list)
    }
