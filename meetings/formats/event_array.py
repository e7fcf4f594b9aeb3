"""Format A: the array of events that applications post at the end of a meeting.

    [{"name": "…", "attributes": {"meetingId": "…", "attendeeId": "…", "timestampMs": 1, …}}, …]

The endpoint which this door replaces refused a body only for what `refuses` checks, and filed
every event under the ids of the first. Here an event counts under its own ids; one that has
neither id takes those of the first.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

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
from meetings.formats.json_input import decode_keeping_deep, encode
from meetings.formats.reading import JSON, Event, Reading, UnreadableError
from meetings.formats.tokens import without_secrets

_IDS = ("meetingId", "attendeeId")
# Only finds where the items begin and end.
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def decode(body: bytes) -> JSON:
    """The document for `refuses`. Only its events may be nested too deep."""
    return decode_keeping_deep(body).value


def refuses(document: JSON) -> bool:
    """Whether the original endpoint answered 422 to this document."""
    if not isinstance(document, list):
        return True
    if not document:
        return False
    attributes = _attributes(document[0])
    return attributes is None or any(_is_falsy(attributes.get(key)) for key in _IDS)


def surely_accepts(body: bytes) -> bool:
    """Whether `refuses` would let the body pass, at a tenth of the cost. False tells nothing."""
    try:
        if not body.isascii():
            body.decode()
        items = _ITEMS.decode(body)
        return not (items and refuses([msgspec.json.decode(items[0])]))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False


def read(body: bytes) -> Reading:
    document = decode_keeping_deep(body)
    if not isinstance(document.value, list):
        raise UnreadableError("not-an-array", "The body is not a JSON array of meeting events.")
    refuse_too_many(len(document.value))
    first_ids = _ids_of_first(document.value)
    histories = HistoryReader()

    def read_item(ordinal: int, item: JSON) -> Event:
        refuse_too_deep(document, item)
        return _event(ordinal, _with_ids(item, first_ids), histories)

    return collect(document.value, read_item, partial(_body_of, first_ids))


def _event(ordinal: int, item: JSON, histories: HistoryReader) -> Event:
    if not isinstance(item, dict):
        raise RefusedItemError("not-an-object", "The item is not a JSON object.")
    attributes = _attributes(item)
    if attributes is None:
        raise RefusedItemError("no-attributes", "The item has no attributes.")
    return build_event(
        ordinal,
        attributes,
        histories,
        name=item.get("name"),
        timestamp=attributes.get("timestampMs"),
    )


def _attributes(item: JSON) -> dict[str, JSON] | None:
    attributes = item.get("attributes") if isinstance(item, dict) else None
    return attributes if isinstance(attributes, dict) else None


def _ids_of_first(items: list[JSON]) -> dict[str, JSON]:
    attributes = _attributes(items[0]) if items else None
    ids = {key: identifier((attributes or {}).get(key)) for key in _IDS}
    usable = all(0 < len(text) <= MAX_ID for text in ids.values())
    return dict(ids) if usable else {}


def _with_ids(item: JSON, ids: dict[str, JSON]) -> JSON:
    attributes = _attributes(item)
    if not isinstance(item, dict) or attributes is None or not ids:
        return item
    if any(attributes.get(key) not in (None, "") for key in _IDS):
        return item
    return {**item, "attributes": attributes | ids}


def _is_falsy(value: JSON) -> bool:
    """As JavaScript sees it: empty arrays and objects are true."""
    return value is None or (isinstance(value, str | int | float) and not value)


def _body_of(first_ids: dict[str, JSON], refused: Sequence[Refused[JSON]]) -> bytes:
    """An array in which the items read as before: the first lends its ids to those without."""
    items = sorted((each.item for each in refused), key=lambda item: bool(_ids_of_first([item])))
    items[0] = _with_ids(items[0], first_ids)
    return encode(without_secrets(items))
