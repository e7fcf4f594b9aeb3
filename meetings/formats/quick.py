"""Reading ordinary bodies quickly: straight to the gists that facts need.

A body is ordinary if all its items are events, spelled as SDKs and applications spell them. What
is in any way unusual is left to the full readers, which also say what is wrong with it: of a body
that is read here, they come to the same gists. Nothing here may be guessed.
"""

from collections.abc import Callable, Collection
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

import msgspec

from meetings import vocabulary
from meetings.formats.attributes import (
    FIELDS,
    MAX_ATTRIBUTES,
    MAX_KEY,
    meaningless_zeros,
    normalise,
    readable_number,
    readable_text,
)
from meetings.formats.gists import ClientKey, Gist, client_from, count, region, user_id
from meetings.formats.ingestion import MAX_SHARED_BYTES, MEETING_TYPE, TRANSPORT
from meetings.formats.items import MAX_ID, MAX_ITEMS, identifier
from meetings.formats.json_input import MAX_DEPTH
from meetings.formats.timestamps import claimed_ms
from meetings.formats.tokens import SECRET_NAMES

# Shorter than what the full reader would have to cut.
_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2000)]


class _Skipped(msgspec.Struct, gc=False, frozen=True):
    """An entry of a history: it has to be an object, but no fact looks into it."""


_Scalar: TypeAlias = _Text | int | float | bool | None
_Value: TypeAlias = _Text | int | float | bool | tuple[_Skipped, ...] | None
_Attributes: TypeAlias = dict[str, _Value]


class _Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: str
    attributes: _Attributes


class _Group(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    payloads: list[_Attributes]
    type: str = ""
    v: int | float | str | None = None
    metadata: _Attributes = {}


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    metadata: _Attributes
    events: list[_Group]
    authorization: str | None = None


_decode_array = msgspec.json.Decoder(list[_Item]).decode
_decode_record = msgspec.json.Decoder(_Record).decode


class _UnusualError(Exception):
    """The full reader has to look at this body."""


# Numbers of any size, too: what is beyond all bounds shows where it is put to use.
_LEFT_TO_THE_FULL_READER = (
    msgspec.MsgspecError,
    ValueError,
    OverflowError,
    RecursionError,
    _UnusualError,
)


def event_array(body: bytes) -> list[Gist] | None:
    """The gists of a body of format A, or None if it is not ordinary."""
    try:
        items = _decode_array(body)
        _refuse_unusual(body, len(items))
        reader = _Reader(_array_shapes)
        gists = [
            reader.gist(ordinal, item.name, item.attributes, item.attributes.get("timestampMs"))
            for ordinal, item in enumerate(items)
        ]
    except _LEFT_TO_THE_FULL_READER:
        return None
    return None if _may_be_deep(body, 2 * len(items) + reader.containers) else gists


def ingestion(body: bytes) -> list[Gist] | None:
    """The gists of a body of format B, or None if it is not ordinary."""
    try:
        record = _decode_record(body)
        payloads = sum([len(group.payloads) for group in record.events])
        _refuse_unusual(body, len(record.events) + payloads)
        if len(body) * (payloads + len(record.events)) > MAX_SHARED_BYTES:
            return None
        reader = _Reader(_record_shapes, drop=TRANSPORT)
        gists: list[Gist] = []
        for group in record.events:
            if group.type not in ("", MEETING_TYPE):
                return None
            reader.containers += 3 if group.metadata else 2
            if not group.payloads:
                continue
            shared = {**record.metadata, **group.metadata}
            for payload in group.payloads:
                at = payload["ts"] if "ts" in payload else payload.get("timestampMs")
                claimed = {**shared, **payload}
                gists.append(reader.gist(len(gists), payload.get("name"), claimed, at))
    except _LEFT_TO_THE_FULL_READER:
        return None
    return None if _may_be_deep(body, 2 + payloads + reader.containers) else gists


READERS: dict[str, Callable[[bytes], list[Gist] | None]] = {
    "meetingevents": event_array,
    "client-events": ingestion,
}


def _refuse_unusual(body: bytes, items: int) -> None:
    if items > MAX_ITEMS or b"\\u0000" in body:
        raise _UnusualError
    if not body.isascii():
        body.decode()  # what is skipped has to be UTF-8 as well


def _may_be_deep(body: bytes, containers: int) -> bool:
    """Whether there are enough brackets besides the known ones to nest what is skipped too deep."""
    return body.count(b"{") + body.count(b"[") - containers > MAX_DEPTH - _KNOWN_DEPTH


# A payload's list of skipped entries, counted from the record.
_KNOWN_DEPTH = 7


# --- Shapes: what the names of an event's attributes tell, worked out once ---------------------

_CLIENT = (
    "sdkName",
    "sdkVersion",
    "browserName",
    "browserMajorVersion",
    "browserVersion",
    "osName",
    "osVersion",
    "deviceName",
)
_FIGURES = vocabulary.DURATIONS | {"retryCount", "poorConnectionCount"}
_MOST_NAMES = 64


class _Shape(NamedTuple):
    """Of attributes with these names, in this order."""

    counted: frozenset[str]
    figures: tuple[str, ...]
    reasons: tuple[str, ...]
    has_status: bool
    has_region: bool
    tells_more: bool


_Shapes: TypeAlias = dict[tuple[str, ...], _Shape]
_array_shapes: _Shapes = {}
_record_shapes: _Shapes = {}


def _shape(names: tuple[str, ...], drop: Collection[str]) -> _Shape | None:
    """None where the full reader may come to other names."""
    counted = {
        name
        for name in names
        if name not in FIELDS and name not in drop and name.lower() not in SECRET_NAMES
    }
    if len(names) > MAX_ATTRIBUTES or any(map(_may_move, counted)):
        return None
    figures = tuple(name for name in names if name in _FIGURES)
    reasons = tuple(name for name in vocabulary.REASONS if name in counted)
    has_region = not counted.isdisjoint({"mediaRegion", "MediaRegion"})
    ids = counted & {"externalUserId", "externalMeetingId"}
    return _Shape(
        counted=frozenset(counted),
        figures=figures,
        reasons=reasons,
        has_status="meetingStatus" in counted,
        has_region=has_region,
        tells_more=bool(figures or reasons or has_region or ids),
    )


def _may_move(name: str) -> bool:
    """Whether the full reader may keep the attribute, or another one, by another name."""
    base = name.removesuffix("Text")
    return (
        vocabulary.attribute_name(name) != name
        or len(name) > MAX_KEY
        or (base != name and base in vocabulary.NUMBERS | vocabulary.BOOLEANS)
    )


# --- Values that come again and again -----------------------------------------------------------

_MAX_KNOWN = 4096
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Client(NamedTuple):
    key: ClientKey
    is_mobile: bool
    derived: int
    """How many attributes the full reader adds: the major version of a browser."""


_RawClient: TypeAlias = tuple[_Value, ...]
_clients: dict[_RawClient, _Client] = {}
_names: dict[str, str] = {}
_statuses: dict[str, str] = {}


def _client(raw: _RawClient) -> _Client:
    told = {name: _scalar(value) for name, value in zip(_CLIENT, raw, strict=True)}
    kept = normalise("", told)
    derived = int("browserMajorVersion" in kept and told["browserMajorVersion"] in (None, ""))
    key = client_from(kept)
    client = _Client(key, key[2] in vocabulary.MOBILE, derived)
    # No numbers, as 1, 1.0 and True are equal.
    if all(value is None or (type(value) is str and len(value) <= MAX_ID) for value in raw):
        _remember(_clients, raw, client)
    return client


def _text(value: _Value) -> str:
    if type(value) is str:
        return value if value.isprintable() else readable_text(value)
    return "" if value is None else readable_text(_scalar(value))


def _scalar(value: _Value) -> _Scalar:
    if isinstance(value, tuple):
        raise _UnusualError
    return value


def _event_name(name: _Value) -> str:
    if type(name) is not str:
        raise _UnusualError
    known = vocabulary.event_name(name)
    if not known:
        raise _UnusualError
    if len(name) <= vocabulary.MAX_NAME:
        _remember(_names, name, known)
    return known


def _moment(value: _Value) -> int:
    moment = claimed_ms(_scalar(value))
    if moment is None or (isinstance(value, int) and moment != value):
        raise _UnusualError
    return moment


def _status(value: _Value) -> str:
    text = _text(value)
    known = _statuses.get(text)
    if known is None:
        known = vocabulary.status_name(text)
        if len(text) <= vocabulary.MAX_NAME:
            _remember(_statuses, text, known)
    return known


def _remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    """Keep it for the next time: short values only, so that nobody can fill the memory."""
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known[key] = value


# --- One event --------------------------------------------------------------------------------


class _Reader:
    """Reads the events of one body."""

    def __init__(self, shapes: _Shapes, drop: Collection[str] = ()) -> None:
        self._shapes = shapes
        self._drop = drop
        self._raw_ids: tuple[_Value, ...] = ()
        self._ids = ("", "")
        self.containers = 1
        """How many brackets of the body are known to be in their places."""

    def gist(self, ordinal: int, name: _Value, claimed: _Attributes, at: _Value) -> Gist:
        """The event of which `claimed` holds the ids, the history and the attributes."""
        names = tuple(claimed)
        shape = self._shapes.get(names) or self._learn(names)
        raw_ids = claimed.get("meetingId"), claimed.get("attendeeId")
        meeting_id, attendee_id = self._ids if raw_ids == self._raw_ids else self._read_ids(raw_ids)
        raw_client = tuple(map(claimed.get, _CLIENT))
        client = _clients.get(raw_client) or _client(raw_client)
        history = claimed.get("meetingHistory")
        if type(history) is tuple:
            self.containers += 1 + len(history)
        elif history:
            raise _UnusualError
        fullness = len(shape.counted) + client.derived
        if not all(claimed.values()):
            fullness -= sum(claimed[each] in (None, "") for each in shape.counted)
        gist = Gist(
            ordinal,
            (type(name) is str and _names.get(name)) or _event_name(name),
            meeting_id,
            attendee_id,
            at if type(at) is int and -(2**63) <= at < 2**63 else _moment(at),
            client.key,
            fullness,
        )
        if shape.tells_more:
            _tell_more(gist, shape, claimed, client)
        return gist

    def _learn(self, names: tuple[str, ...]) -> _Shape:
        shape = _shape(names, self._drop)
        if shape is None:
            raise _UnusualError
        if len(names) <= _MOST_NAMES:
            _remember(self._shapes, names, shape)
        return shape

    def _read_ids(self, raw: tuple[_Value, _Value]) -> tuple[str, str]:
        """Mostly those of the event before."""
        meeting_id, attendee_id = identifier(_scalar(raw[0])), identifier(_scalar(raw[1]))
        if not (0 < len(meeting_id) <= MAX_ID and 0 < len(attendee_id) <= MAX_ID):
            raise _UnusualError
        if type(raw[0]) is type(raw[1]) is str:  # as 1, 1.0 and True are equal
            self._raw_ids, self._ids = raw, (meeting_id, attendee_id)
        return meeting_id, attendee_id


def _tell_more(gist: Gist, shape: _Shape, claimed: _Attributes, client: _Client) -> None:
    """What only some events tell."""
    if "externalUserId" in claimed:
        gist.user_id = user_id(_text(claimed["externalUserId"]))
    if "externalMeetingId" in claimed:
        gist.external_meeting_id = _text(claimed["externalMeetingId"])
    if shape.has_region:
        told = claimed.get("mediaRegion")
        told = claimed.get("MediaRegion") if told is None or told == "" else told
        gist.media_region = region(_text(told)) if type(told) is str else ""
    if shape.has_status:
        gist.status = _status(claimed["meetingStatus"])
    for name in shape.reasons:
        text = gist.status if name == "meetingStatus" else _text(claimed[name])
        if text.strip():
            gist.reason = text
            break
    if shape.figures:
        _tell_figures(gist, shape, claimed, client)


def _tell_figures(gist: Gist, shape: _Shape, claimed: _Attributes, client: _Client) -> None:
    figures: dict[str, float] = {}
    for name in shape.figures:
        figure = readable_number(_scalar(claimed[name]))
        if figure is not None:
            figures[name] = float(figure)
    if client.is_mobile:
        for name in meaningless_zeros(gist.name, figures):
            del figures[name]
            gist.fullness -= 1
    gist.start_duration_ms = figures.get("meetingStartDurationMs")
    gist.meeting_duration_ms = figures.get("meetingDurationMs")
    gist.signaling_open_ms = figures.get("signalingOpenDurationMs")
    gist.retry_count = count(figures.get("retryCount"))
    gist.poor_connection_count = count(figures.get("poorConnectionCount"))
