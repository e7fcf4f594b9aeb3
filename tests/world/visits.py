"""What happens to one attendee of one meeting, as the SDK on their device reports it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from uuid import UUID

from tests.world.devices import Device, Platform

Value = str | int | float | bool


class Fate(StrEnum):
    WELL = "well"
    JOIN_FAILED = "join failed"
    MIC_FAILED = "microphone failed"
    CAMERA_FAILED = "camera failed"
    DROPPED = "dropped"
    RECONNECTED = "reconnected"
    STAYS = "stays"  # has not left when the story ends


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. `at_ms` is what the client's clock says."""

    name: str
    at_ms: int
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visit:
    meeting_id: str
    external_meeting_id: str
    attendee_id: str
    external_user_id: str
    device: Device
    happenings: tuple[Happening, ...]

    @property
    def keys(self) -> set["EventKey"]:
        """How each event is told from every other."""
        return {key_of(self, one) for one in self.happenings}


EventKey = tuple[str, str, str, int]

# Mobile SDKs have another name for it; the portal has one for all.
_PORTALS_NAMES = {"videoClientSignalingDropped": "signalingDropped"}


def key_of(visit: Visit, one: Happening) -> EventKey:
    name = _PORTALS_NAMES.get(one.name, one.name)
    return (visit.meeting_id, visit.attendee_id, name, one.at_ms)


_STATUSES: dict[tuple[Fate, Platform], list[str]] = {
    (Fate.JOIN_FAILED, "js"): ["SignalingBadRequest", "TaskFailed", "AudioCallAtCapacity"],
    (Fate.JOIN_FAILED, "ios"): ["audioAuthenticationRejected", "audioServiceUnavailable"],
    (Fate.JOIN_FAILED, "android"): ["AudioAuthenticationRejected", "AudioServiceUnavailable"],
    (Fate.DROPPED, "js"): ["ConnectionHealthReconnect", "AudioDisconnected"],
    (Fate.DROPPED, "ios"): ["audioDisconnected", "networkBecomePoor"],
    (Fate.DROPPED, "android"): ["AudioDisconnected", "NetworkBecamePoor"],
}
_MIC_REASONS: dict[Platform, list[str]] = {
    "js": ["NotAllowedError: Permission denied", "NotFoundError: Requested device not found"],
    "ios": ["audioPermissionDenied"],
    "android": ["Permission denied: android.permission.RECORD_AUDIO"],
}
_CAMERA_REASONS: dict[Platform, list[str]] = {
    "js": ["NotReadableError: Could not start video source"],
    "ios": ["videoPermissionDenied"],
    "android": ["Camera is in use by another application"],
}


@dataclass(slots=True)
class _Story:
    """A visit that is being written: the client's clock, and what has happened by now."""

    random: Random
    device: Device
    now_ms: int
    error_message: str = ""
    happenings: list[Happening] = field(default_factory=list)
    start_ms: int = 0

    def after(self, low_ms: int, high_ms: int, name: str, **attributes: Value) -> None:
        self.now_ms += self.random.randint(low_ms, high_ms)
        self.happenings.append(Happening(name, self.now_ms, attributes))

    def session(self, **more: Value) -> dict[str, Value]:
        """Attributes that every event of a running session carries."""
        setup = int(self.random.lognormvariate(6.2, 0.4))
        self.start_ms = self.start_ms or setup * 2 + self.random.randint(50, 300)
        return {
            "signalingOpenDurationMs": setup,
            "iceGatheringDurationMs": setup // 2,
            "meetingStartDurationMs": self.start_ms,
            "maxVideoTileCount": self.random.randint(0, 9),
            "poorConnectionCount": int(self.random.expovariate(2)),
            "retryCount": 0,
            **more,
        }


def visit(
    random: Random,
    device: Device,
    *,
    meeting: tuple[str, str],
    person: str,
    at_ms: int,
    fate: Fate = Fate.WELL,
    minutes: float = 20,
    reason: str = "",
    attendee_id: str = "",
) -> Visit:
    """Write the story of a visit. The same seed gives the same visit."""
    story = _Story(random, device, at_ms, reason)
    _TELL[fate](story, minutes)
    return Visit(
        meeting_id=meeting[0],
        external_meeting_id=meeting[1],
        attendee_id=attendee_id or made_up_id(random),
        external_user_id=person,
        device=device,
        happenings=tuple(story.happenings),
    )


def dice(seed: int) -> Random:
    """Chance that comes out the same every time."""
    return Random(seed)  # noqa: S311 - a story, no secret


def made_up_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _comes_in(story: _Story) -> None:
    story.after(100, 2500, "audioInputSelected")
    if story.random.random() < 0.7:
        story.after(50, 900, "videoInputSelected")
    story.after(200, 1500, "meetingStartRequested")


def _is_in(story: _Story) -> None:
    _comes_in(story)
    session = story.session()
    duration = int(session["meetingStartDurationMs"])
    story.after(duration, duration, "meetingStartSucceeded", **session)
    if story.device.platform == "js":
        presence = story.random.randint(300, 1600)
        story.after(
            40, 200, "attendeePresenceReceived", attendeePresenceDurationMs=presence, retryCount=0
        )


def _leaves(story: _Story, minutes: float, name: str, **more: Value) -> None:
    spent = max(int(minutes * 60_000), 1500)
    story.after(spent, spent + 900, name, **story.session(meetingDurationMs=spent, **more))


def _status(story: _Story, fate: Fate) -> str:
    return story.random.choice(_STATUSES[fate, story.device.platform])


def _left(story: _Story) -> str:
    return "ok" if story.device.platform == "ios" else "Left"


def _goes_well(story: _Story, minutes: float) -> None:
    _is_in(story)
    _leaves(story, minutes, "meetingEnded", meetingStatus=_left(story))


def _stays(story: _Story, _: float) -> None:
    _is_in(story)


def _cannot_join(story: _Story, _: float) -> None:
    _comes_in(story)
    for number in range(story.random.choice([1, 1, 2])):
        if number:
            story.after(2000, 9000, "meetingStartRequested")
        story.after(
            900,
            12_000,
            "meetingStartFailed",
            meetingStatus="TaskFailed" if story.error_message else _status(story, Fate.JOIN_FAILED),
            meetingErrorMessage=story.error_message or "The meeting session could not be started",
            signalingOpenDurationMs=story.random.randint(80, 4000),
            retryCount=story.random.randint(0, 3),
            poorConnectionCount=0,
            maxVideoTileCount=0,
        )


def _has_no_microphone(story: _Story, minutes: float) -> None:
    reason = story.error_message or story.random.choice(_MIC_REASONS[story.device.platform])
    story.after(200, 2500, "audioInputFailed", audioInputErrorMessage=reason)
    if story.random.random() < 0.5:
        story.after(1500, 9000, "audioInputFailed", audioInputErrorMessage=reason)
    _goes_well(story, min(minutes, 4))


def _has_no_camera(story: _Story, minutes: float) -> None:
    _is_in(story)
    reason = story.error_message or story.random.choice(_CAMERA_REASONS[story.device.platform])
    story.after(900, 9000, "videoInputFailed", videoInputErrorMessage=reason)
    _leaves(story, minutes, "meetingEnded", meetingStatus=_left(story))


def _is_dropped(story: _Story, minutes: float) -> None:
    _is_in(story)
    _loses_signal(story, minutes / 2)
    _leaves(
        story,
        minutes / 2,
        "meetingFailed",
        meetingStatus=_status(story, Fate.DROPPED),
        meetingErrorMessage="The connection was lost and could not be restored",
    )


def _comes_back(story: _Story, minutes: float) -> None:
    _is_in(story)
    _loses_signal(story, minutes / 2)
    status = "connectionHealthReconnect" if story.device.platform == "ios" else _RECONNECT
    story.after(1500, 9000, "meetingReconnected", **story.session(meetingStatus=status))
    _leaves(story, minutes / 2, "meetingEnded", meetingStatus=_left(story))


_RECONNECT = "ConnectionHealthReconnect"


def _loses_signal(story: _Story, minutes: float) -> None:
    js = story.device.platform == "js"
    name = "receivingAudioDropped" if js else "videoClientSignalingDropped"
    _leaves(story, minutes, name)


_TELL: dict[Fate, Callable[[_Story, float], None]] = {
    Fate.WELL: _goes_well,
    Fate.STAYS: _stays,
    Fate.JOIN_FAILED: _cannot_join,
    Fate.MIC_FAILED: _has_no_microphone,
    Fate.CAMERA_FAILED: _has_no_camera,
    Fate.DROPPED: _is_dropped,
    Fate.RECONNECTED: _comes_back,
}
