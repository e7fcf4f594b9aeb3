"""Plain words for what clients report, from the side of whoever helps the person affected."""

import re
from dataclasses import dataclass

from meetings import reasons, vocabulary
from meetings.vocabulary import AUDIO_FAILED, DEVICE_FAILED, VIDEO_FAILED

_EVENTS = {
    "meetingStartRequested": "Asked to join",
    "meetingStartSucceeded": "Joined",
    "meetingStartFailed": "Could not join",
    "meetingReconnected": "Reconnected",
    "meetingEnded": "Left",
    "meetingFailed": "Dropped out",
    "attendeePresenceReceived": "Present in the meeting",
    "audioInputSelected": "Microphone chosen",
    "audioInputUnselected": "Microphone released",
    "audioInputFailed": "Microphone failed",
    "videoInputSelected": "Camera chosen",
    "videoInputUnselected": "Camera released",
    "videoInputFailed": "Camera failed",
    "signalingDropped": "Control connection lost",
    "receivingAudioDropped": "Stopped hearing the meeting",
    "sendingAudioFailed": "Stopped being heard",
    "sendingAudioRecovered": "Heard again",
    "deviceLabelTriggerFailed": "Device names not shown",
    "backgroundFilterStarted": "Background effect started",
    "backgroundFilterConfigSelected": "Background effect chosen",
    "backgroundFilterFailed": "Background effect failed",
    "videoClientSignalingOpened": "Video connection opened",
    "videoClientIceGatheringCompleted": "Video path found",
    "contentShareSignalingOpened": "Screen share connection opened",
    "contentShareSignalingDropped": "Screen share connection lost",
    "contentShareIceGatheringCompleted": "Screen share path found",
    "contentShareStartRequested": "Asked to share the screen",
    "contentShareStarted": "Shared the screen",
    "contentShareStopped": "Stopped sharing the screen",
    "contentShareFailed": "Screen share failed",
    "appStateChanged": "App moved",
    "appMemoryLow": "Device short of memory",
    "voiceFocusEnabled": "Noise reduction on",
    "voiceFocusDisabled": "Noise reduction off",
    "voiceFocusEnableFailed": "Noise reduction could not start",
    "voiceFocusDisableFailed": "Noise reduction could not stop",
    "audioInterruptionBegan": "Audio interrupted by the phone",
    "audioInterruptionEnded": "Audio interruption over",
    "videoInterruptionBegan": "Video interrupted by the phone",
    "videoInterruptionEnded": "Video interruption over",
    "networkConnectionTypeChanged": "Network changed",
    "logLine": "Log line",
    "logStreamRequested": "Log stream asked for",
    "unknown": "Unnamed event",
}

_LOST = "Ask which network they were on; a cable or another network is the quickest test."
_SERVICE = (
    "Nothing the person can mend. Look whether others failed at the same moment, and at the "
    "service status; if it lasts, open a support case with the meeting id."
)
_OVER = "Give the person the link to the current meeting, or start a new one."
_APP = "A fault in the app or its SDK: pass the technical text to its developers."
_NONE = "Nothing to do."

_STATUSES: dict[str, tuple[str, str]] = {
    "OK": ("All was well", _NONE),
    "Left": ("Left of their own accord", _NONE),
    "AudioJoinedFromAnotherDevice": (
        "Joined from another device",
        "Normal if the person changed devices or opened the meeting twice. Otherwise two people "
        "share one invitation.",
    ),
    "AudioAuthenticationRejected": (
        "The meeting did not accept this attendee",
        "The join information was wrong, expired or the attendee was removed. Let the person "
        "join again through your application, so that it creates a new attendee.",
    ),
    "AudioCallAtCapacity": (
        "The meeting was full",
        "Ask somebody to leave, or use a meeting type that takes more people.",
    ),
    "MeetingEnded": (
        "The meeting was already over",
        _OVER,
    ),
    "AudioInternalServerError": ("The audio service failed", _SERVICE),
    "AudioServiceUnavailable": ("The audio service was not available", _SERVICE),
    "AudioDisconnected": ("The audio connection broke", _LOST),
    "VideoCallSwitchToViewOnly": (
        "All video places were taken",
        "The person can watch but not be seen until somebody turns their camera off.",
    ),
    "VideoCallAtSourceCapacity": (
        "Too many cameras in the meeting",
        "Ask somebody to turn their camera off.",
    ),
    "SignalingBadRequest": (
        "The service did not understand the client",
        "Often a meeting that no longer exists, or a damaged join link. Let the person join "
        "again; if everybody fails, look at what your application passes to the SDK.",
    ),
    "SignalingInternalServerError": ("The control service failed", _SERVICE),
    "SignalingRequestFailed": (
        "The control connection was refused",
        "Let the person try again. If it stays so on one network, its firewall or proxy may "
        "block secure WebSockets.",
    ),
    "SignalingChannelClosedUnexpectedly": ("The control connection broke", _LOST),
    "ICEGatheringTimeoutWorkaround": (
        "No way through the network was found",
        "A VPN or firewall may block media, and a browser can be stuck after a VPN change: let "
        "the person quit and reopen it, and try without the VPN.",
    ),
    "ConnectionHealthReconnect": ("The connection was too poor and was renewed", _LOST),
    "RealtimeApiFailed": ("The client failed inside", _APP),
    "TaskFailed": (
        "A step of joining failed",
        "The technical text names the step. If it speaks of a timeout or a connection, test "
        "another network first.",
    ),
    "IncompatibleSDP": (
        "Browser and service could not agree on media",
        "Let the person update the browser; if it is current, update the SDK in your application.",
    ),
    "TURNCredentialsForbidden": (
        "The meeting was over or the attendee was removed",
        _OVER,
    ),
    "NoAttendeePresent": (
        "The attendee never appeared in the meeting",
        "Media did not get through in time. " + _LOST,
    ),
    "AudioAttendeeRemoved": (
        "Removed from the meeting",
        "Somebody, or your application, deleted this attendee. Invite the person again if that "
        "was a mistake.",
    ),
    "AudioVideoWasRemovedFromPrimaryMeeting": (
        "Moved back from the main meeting",
        "Normal for large meetings with replicas; nothing to do unless it was not intended.",
    ),
    "AudioVideoDisconnectedWhilePromoted": (
        "Lost the main meeting while on stage",
        _LOST,
    ),
    "AudioDisconnectAudio": (
        "Asked to disconnect the audio",
        "The service ended the audio of this attendee. Let the person join again.",
    ),
    "EncodedTransformManagerFailed": ("Media processing in the browser failed", _APP),
    "AudioCallEnded": ("The meeting was already over", _OVER),
    "AudioServerHungup": ("The audio service hung up", _SERVICE),
    "AudioInputDeviceNotResponding": (
        "The microphone did not respond",
        "Let the person unplug and replug the headset or restart the app; close other apps that "
        "use the microphone.",
    ),
    "AudioOutputDeviceNotResponding": (
        "The speaker did not respond",
        "Let the person unplug and replug the headset, or restart the app.",
    ),
    "NetworkBecamePoor": ("The network became too poor", _LOST),
    "VideoServiceFailed": ("The video connection failed", _LOST),
    "VideoServiceUnavailable": ("The video service was not available", _SERVICE),
    "VideoAtCapacityViewOnly": (
        "All video places were taken",
        "The person can watch but not be seen until somebody turns their camera off.",
    ),
    "Unknown": (
        "The client gave no reason",
        "Look at the attendee's timeline: what came just before usually tells.",
    ),
}

_NO_REASON = "Look at the attendee's timeline: what came just before usually tells."
_UNKNOWN_REASON = (
    "No advice is known for this text. Look whether one browser, SDK version or device stands out."
)
_MAX_SHOWN = 120
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")


@dataclass(frozen=True, slots=True)
class Explanation:
    title: str
    advice: str
    technical: str


def event_label(name: str) -> str:
    """What happened: "Joined". A name nobody knows is split into its words."""
    return _EVENTS.get(name) or _words_of(name)


def status_label(status: str) -> str:
    """Why a stay ended: "The meeting was already over"."""
    known = _STATUSES.get(status)
    return known[0] if known else _words_of(status)


def status_advice(status: str) -> str:
    known = _STATUSES.get(status)
    return known[1] if known else _UNKNOWN_REASON if status else _NO_REASON


def reason_label(name: str, reason: str) -> str:
    """Why a device or a step failed: "Microphone blocked by the browser or system".

    A reason that nobody knows is shown as the client wrote it.
    """
    known = reasons.match(reason)
    return known.label(_device(name)) if known else _shown(reason)


def explain(name: str, status: str = "", reason: str = "") -> Explanation:
    """The failure in plain words, what to do about it, and the client's own words."""
    label = event_label(name)
    technical = ": ".join(dict.fromkeys(filter(None, [status, reason]))) or name
    if status == "OK":
        status = ""  # some clients say so although it failed
    known = reasons.match(reason)
    if name in DEVICE_FAILED and known:
        return Explanation(known.label(_device(name)), known.advice, technical)
    if status and status not in _STATUSES and not reason:
        return Explanation(f"{label}: {status_label(status)}", status_advice(status), technical)
    if status in _STATUSES and not (known and status in reasons.VAGUE_STATUSES):
        cause, advice = _STATUSES[status]
        return Explanation(f"{label}: {_lower_first(cause)}", advice, technical)
    if known:
        return Explanation(
            f"{label}: {_lower_first(known.label(_device(name)))}", known.advice, technical
        )
    if reason:
        return Explanation(f"{label}: {_shown(reason)}", _UNKNOWN_REASON, technical)
    return Explanation(label, _NO_REASON, technical)


def cause_of(status: str = "", reason: str = "") -> str:
    """What failures are grouped by: the status, unless the reason tells more."""
    known = reasons.match(reason)
    if known and (not status or status == "OK" or status in reasons.VAGUE_STATUSES):
        return known.signature
    if status in vocabulary.STATUSES:
        return status
    return reasons.signature(status or reason)  # free text: what differs each time is no cause


def _device(name: str) -> str:
    return {AUDIO_FAILED: "microphone", VIDEO_FAILED: "camera"}.get(name, "microphone or camera")


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _words_of(name: str) -> str:
    """ "audioInputLost" as "Audio input lost"; text that is no single word stays as it is."""
    if not name or not name.isascii() or " " in name:
        return _shown(name)
    words = [word if word.isupper() else word.lower() for word in _CAMEL.split(name) if word]
    sentence = " ".join(words)
    return _shown(sentence[:1].upper() + sentence[1:])


def _lower_first(text: str) -> str:
    """For the middle of a sentence, unless the first word is an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
