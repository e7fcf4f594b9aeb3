"""The bodies that clients send, from what happened to one attendee. docs/client-events.md."""

import json
import re
from collections.abc import Sequence
from random import Random
from uuid import UUID

from tests.world.visits import Happening, Value, Visit

JSON = dict[str, object]

LOG_BATCH = 85  # POSTLogger's


def encode(document: object) -> bytes:
    """As JavaScript does: no spaces, UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


# --- Format A: arrays of what observers were handed ------------------------------------------


def event_array(visit: Visit, happenings: Sequence[Happening] | None = None) -> bytes:
    """The array of an application that kept everything until the meeting ended.

    The history is shared by all events, so each holds what happened after it as well.
    """
    return encode([_observed(visit, one) for one in happenings or visit.happenings])


def _observed(visit: Visit, one: Happening) -> JSON:
    history = [{"name": each.name, "timestampMs": each.at_ms} for each in visit.happenings]
    return {"name": one.name, "attributes": {**_attributes(visit, one), "meetingHistory": history}}


def _attributes(visit: Visit, one: Happening) -> dict[str, Value]:
    return {
        **visit.device.common,
        "attendeeId": visit.attendee_id,
        "externalMeetingId": visit.external_meeting_id,
        "externalUserId": visit.external_user_id,
        "meetingId": visit.meeting_id,
        "timestampMs": one.at_ms,
        **one.attributes,
    }


_OBSERVERS_NAMES = {
    "audioInputErrorMessage": "audioInputError",
    "videoInputErrorMessage": "videoInputError",
}


def string_array(visit: Visit, happenings: Sequence[Happening]) -> bytes:
    """The array as the iOS guide's upload code writes it: every value a string."""
    history = ", ".join(f"{each.name}: {each.at_ms}" for each in visit.happenings)
    items = []
    for one in happenings:
        values = {
            _OBSERVERS_NAMES.get(name, name): _string(value)
            for name, value in _attributes(visit, one).items()
        }
        items.append({"name": one.name, "attributes": {**values, "meetingHistory": f"[{history}]"}})
    return encode(items)


def _string(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- Format B: what SDKs send to the ingestion URL ------------------------------------------


def js_payload(one: Happening) -> JSON:
    """Numbers and strings only; what is empty is left out."""
    return {"name": one.name, "ts": one.at_ms} | {
        name: value for name, value in one.attributes.items() if value not in ("", None)
    }


def js_record(visit: Visit, groups: Sequence[Sequence[JSON]], *, token: str = "") -> bytes:
    """With a token it is the body of a beacon, which cannot carry a header."""
    metadata = {
        **{k: v for k, v in visit.device.common.items() if k != "browserMajorVersion"},
        **visit.device.engine,
        "meetingId": visit.meeting_id,
        "attendeeId": visit.attendee_id,
    }
    record: JSON = {
        "metadata": metadata,
        "events": [{"type": "Meet", "v": 1, "payloads": list(group)} for group in groups],
    }
    if token:
        record["authorization"] = token
    return encode(record)


def mobile_payload(visit: Visit, one: Happening, random: Random) -> JSON:
    payload: JSON = {"name": one.name, "ts": one.at_ms, "id": _upper_uuid(random)}
    if visit.device.platform == "android":
        payload["timestampMs"] = one.at_ms
    return payload | one.attributes


def dirty_payload(visit: Visit, payload: JSON, *, ttl_ms: int, random: Random) -> JSON:
    """After a night in the device's database: a `ttl`, and on Android doubles and a new id."""
    if visit.device.platform == "ios":
        return {**payload, "ttl": ttl_ms}
    doubles = {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in payload.items()
    }
    return {**doubles, "id": _upper_uuid(random), "ttl": float(ttl_ms)}


def mobile_record(visit: Visit, payloads: Sequence[JSON], *, current: Visit | None = None) -> bytes:
    """`current` is the meeting whose token is used; the events may belong to an earlier one."""
    under = current or visit
    ids = {"meetingId": visit.meeting_id, "attendeeId": visit.attendee_id}
    metadata = {
        **under.device.common,
        "meetingId": under.meeting_id,
        "attendeeId": under.attendee_id,
    }
    event = {"type": "Meet", "v": 1, "metadata": ids, "payloads": list(payloads)}
    document = encode({"metadata": metadata, "events": [event]})
    return _kotlin_doubles(document) if visit.device.platform == "android" else document


_LARGE_DOUBLE = re.compile(rb"(?<=:)([0-9]{13})\.0(?=[,}])")


def _kotlin_doubles(document: bytes) -> bytes:
    """Large doubles as Kotlin prints them: 1.795252656926E12."""
    return _LARGE_DOUBLE.sub(lambda match: f"{int(match[1]) / 1e12!r}E12".encode(), document)


def _upper_uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4)).upper()


# --- Formats C and D: the demo's log lines --------------------------------------------------


def log_line(visit: Visit, number: int, one: Happening) -> JSON:
    event = {"name": one.name, "attributes": _attributes(visit, one)}
    return {
        "sequenceNumber": number,
        "message": encode(event).decode(),
        "timestampMs": one.at_ms,
        "logLevel": "INFO",
    }


def log_batch(visit: Visit, lines: Sequence[JSON]) -> bytes:
    ids = {"meetingId": visit.meeting_id, "attendeeId": visit.attendee_id}
    return encode({"appName": "SDKEvent", **ids, "logs": list(lines)})


def log_stream(visit: Visit) -> bytes:
    return encode({"meetingId": visit.meeting_id, "attendeeId": visit.attendee_id})
