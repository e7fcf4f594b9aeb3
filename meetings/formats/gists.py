"""What facts need of an event, whichever reader read it: its key, its columns, and no more.

The rest of an event is read again from its body when somebody opens it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from meetings import vocabulary
from meetings.formats.reading import JSON, Event

ClientKey: TypeAlias = tuple[str, str, str, str, str, str, str, str, str]
"""What makes a row of `meetings_client`, as `ClientColumns`."""

_LONGEST = 200
_LONGEST_MAJOR = 32
_MAX_INT = 2**31 - 1
_MAX_FULLNESS = 32_000
# No Region's name is as long. The columns that hold it are made for that many characters.
MAX_REGION = 32
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,12}){1,3}")


class ClientColumns(NamedTuple):
    sdk_name: str
    sdk_version: str
    platform: str
    browser_name: str
    browser_major: str
    browser_version: str
    os_name: str
    os_version: str
    device_name: str


class Gist(msgspec.Struct, gc=False):
    ordinal: int
    name: str
    meeting_id: str
    attendee_id: str
    client_ms: int | None
    client: ClientKey
    fullness: int
    """How many attributes came with it: of two copies of one event the fuller one counts."""
    sequence: int = 0
    user_id: str = ""
    external_meeting_id: str = ""
    media_region: str = ""
    status: str = ""
    start_duration_ms: float | None = None
    meeting_duration_ms: float | None = None
    signaling_open_ms: float | None = None
    retry_count: int | None = None
    poor_connection_count: int | None = None
    reason: str = ""


def gist_of(event: Event) -> Gist:
    return Gist(
        event.ordinal,
        event.name,
        event.meeting_id,
        event.attendee_id,
        event.client_ms,
        client_from(event.attributes),
        min(len(event.attributes), _MAX_FULLNESS),
        event.sequence,
        user_id(_text(event, "externalUserId")),
        _text(event, "externalMeetingId"),
        region(_text(event, "mediaRegion") or _text(event, "MediaRegion")),
        _text(event, "meetingStatus"),
        _number(event, "meetingStartDurationMs"),
        _number(event, "meetingDurationMs"),
        _number(event, "signalingOpenDurationMs"),
        _count(event, "retryCount"),
        _count(event, "poorConnectionCount"),
        vocabulary.failure_reason(event),
    )


def client_from(attributes: Mapping[str, JSON]) -> ClientKey:
    def text(name: str, longest: int = _LONGEST) -> str:
        return vocabulary.told(attributes, name)[:longest]

    sdk_name = text("sdkName")
    return (
        sdk_name,
        text("sdkVersion"),
        vocabulary.platform_of(sdk_name) if sdk_name else "",
        text("browserName"),
        text("browserMajorVersion", _LONGEST_MAJOR),
        text("browserVersion"),
        text("osName"),
        text("osVersion"),
        text("deviceName"),
    )


def user_id(text: str) -> str:
    return text[:_LONGEST]


def region(text: str) -> str:
    """The name of an AWS Region, which applications may add from CreateMeeting's answer."""
    name = text.lower()
    return name if len(name) <= MAX_REGION and _REGION.fullmatch(name) else ""


def count(number: float | None) -> int | None:
    """A count as the columns hold it."""
    return None if number is None else int(max(-_MAX_INT, min(number, _MAX_INT)))


def _text(event: Event, name: str) -> str:
    value = event.attributes.get(name)
    return "" if value is None else str(value)


def _number(event: Event, name: str) -> float | None:
    value = event.attributes.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _count(event: Event, name: str) -> int | None:
    return count(_number(event, name))
