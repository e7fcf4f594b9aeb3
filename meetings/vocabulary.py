"""One vocabulary for what JavaScript, iOS and Android clients report.

Event names follow the JavaScript SDK, statuses its spelling; what only one platform knows keeps its
name, and what nobody knows is kept as it came.
"""

import re
from collections.abc import Mapping
from typing import Final

from meetings.formats.reading import JSON, Event

MAX_NAME = 128

# Names of events that pages, folds and rules ask for.
JOIN_REQUESTED: Final = "meetingStartRequested"
JOIN_SUCCEEDED: Final = "meetingStartSucceeded"
JOIN_FAILED: Final = "meetingStartFailed"
RECONNECTED: Final = "meetingReconnected"
LEFT: Final = "meetingEnded"
DROPPED: Final = "meetingFailed"
PRESENCE_RECEIVED: Final = "attendeePresenceReceived"
AUDIO_SELECTED: Final = "audioInputSelected"
AUDIO_UNSELECTED: Final = "audioInputUnselected"
AUDIO_FAILED: Final = "audioInputFailed"
VIDEO_SELECTED: Final = "videoInputSelected"
VIDEO_UNSELECTED: Final = "videoInputUnselected"
VIDEO_FAILED: Final = "videoInputFailed"
SIGNALING_DROPPED: Final = "signalingDropped"
RECEIVING_AUDIO_DROPPED: Final = "receivingAudioDropped"
SENDING_AUDIO_FAILED: Final = "sendingAudioFailed"
SENDING_AUDIO_RECOVERED: Final = "sendingAudioRecovered"
DEVICE_LABEL_FAILED: Final = "deviceLabelTriggerFailed"
BACKGROUND_FILTER_FAILED: Final = "backgroundFilterFailed"
CONTENT_SHARE_FAILED: Final = "contentShareFailed"
# Ours, for the doors of the demo that carry no SDK event.
LOG_LINE: Final = "logLine"
LOG_STREAM_REQUESTED: Final = "logStreamRequested"

# How a stay in a meeting ends, and how one fails.
DEVICE_FAILED = frozenset({AUDIO_FAILED, VIDEO_FAILED, DEVICE_LABEL_FAILED})
FAILED = DEVICE_FAILED | {
    JOIN_FAILED,
    DROPPED,
    SENDING_AUDIO_FAILED,
    BACKGROUND_FILTER_FAILED,
    CONTENT_SHARE_FAILED,
    "voiceFocusEnableFailed",
    "voiceFocusDisableFailed",
}
DISTURBED = frozenset(
    {
        SIGNALING_DROPPED,
        RECEIVING_AUDIO_DROPPED,
        SENDING_AUDIO_FAILED,
        "contentShareSignalingDropped",
    }
)

# The mobile SDKs hold two signaling connections and name the meeting's own after its video client.
_EVENT_NAMES = {"videoClientSignalingDropped": SIGNALING_DROPPED}

EVENT_NAMES = frozenset(
    {
        JOIN_REQUESTED,
        JOIN_SUCCEEDED,
        JOIN_FAILED,
        RECONNECTED,
        LEFT,
        DROPPED,
        PRESENCE_RECEIVED,
        AUDIO_SELECTED,
        AUDIO_UNSELECTED,
        AUDIO_FAILED,
        VIDEO_SELECTED,
        VIDEO_UNSELECTED,
        VIDEO_FAILED,
        SIGNALING_DROPPED,
        RECEIVING_AUDIO_DROPPED,
        SENDING_AUDIO_FAILED,
        SENDING_AUDIO_RECOVERED,
        DEVICE_LABEL_FAILED,
        "backgroundFilterStarted",
        "backgroundFilterConfigSelected",
        BACKGROUND_FILTER_FAILED,
        "videoClientSignalingOpened",
        "videoClientIceGatheringCompleted",
        "contentShareSignalingOpened",
        "contentShareSignalingDropped",
        "contentShareIceGatheringCompleted",
        "contentShareStartRequested",
        "contentShareStarted",
        "contentShareStopped",
        CONTENT_SHARE_FAILED,
        "appStateChanged",
        "appMemoryLow",
        "voiceFocusEnabled",
        "voiceFocusDisabled",
        "voiceFocusEnableFailed",
        "voiceFocusDisableFailed",
        "audioInterruptionBegan",
        "audioInterruptionEnded",
        "videoInterruptionBegan",
        "videoInterruptionEnded",
        "networkConnectionTypeChanged",
        "unknown",
        LOG_LINE,
        LOG_STREAM_REQUESTED,
    }
)

# iOS hands observers the error without "Message", the ingestion endpoint with it.
_ATTRIBUTE_NAMES = {
    "audioInputError": "audioInputErrorMessage",
    "videoInputError": "videoInputErrorMessage",
    "signalingDroppedError": "signalingDroppedErrorMessage",
    "contentShareError": "contentShareErrorMessage",
    "voiceFocusError": "voiceFocusErrorMessage",
    "deviceLabelTriggerError": "deviceLabelTriggerErrorMessage",
    "meetingError": "meetingErrorMessage",
}

DURATIONS = frozenset(
    {
        "signalingOpenDurationMs",
        "iceGatheringDurationMs",
        "meetingStartDurationMs",
        "meetingReconnectDurationMs",
        "meetingDurationMs",
        "attendeePresenceDurationMs",
    }
)
NUMBERS = DURATIONS | {
    "maxVideoTileCount",
    "poorConnectionCount",
    "retryCount",
    "signalingCloseCode",
    "backgroundFilterVersion",
    "batteryLevel",
    "sequenceNumber",
}
BOOLEANS = frozenset(
    {
        "signalingCloseWasClean",
        "backgroundBlurEnabled",
        "backgroundReplacementEnabled",
        "lowPowerModeEnabled",
    }
)
TEXTS = frozenset(
    {
        "appName",
        "appState",
        "audioDeviceType",
        "audioInputErrorMessage",
        "backgroundFilterEffectType",
        "backgroundFilterErrorMessage",
        "backgroundFilterErrorType",
        "backgroundFilterModelType",
        "batteryState",
        "browserMajorVersion",
        "browserName",
        "browserVersion",
        "contentShareErrorMessage",
        "deviceLabelTriggerErrorMessage",
        "deviceManufacturer",
        "deviceModel",
        "deviceName",
        "engineMajorVersion",
        "engineName",
        "externalMeetingId",
        "externalUserId",
        "logLevel",
        "mediaSdkVersion",
        "meetingErrorMessage",
        "meetingStatus",
        "message",
        "networkConnectionType",
        "osName",
        "osVersion",
        "sdkName",
        "sdkVersion",
        "signalingCloseReason",
        "signalingDroppedErrorMessage",
        "videoDeviceType",
        "videoInputErrorMessage",
        "videoInterruptionReason",
        "voiceFocusErrorMessage",
    }
)
KNOWN_ATTRIBUTES = NUMBERS | BOOLEANS | TEXTS | {"backgroundBlurStrength"}

STATUSES = (
    "OK",
    "Left",
    "AudioJoinedFromAnotherDevice",
    "AudioAuthenticationRejected",
    "AudioCallAtCapacity",
    "MeetingEnded",
    "AudioInternalServerError",
    "AudioServiceUnavailable",
    "AudioDisconnected",
    "VideoCallSwitchToViewOnly",
    "VideoCallAtSourceCapacity",
    "SignalingBadRequest",
    "SignalingInternalServerError",
    "SignalingRequestFailed",
    "SignalingChannelClosedUnexpectedly",
    "ICEGatheringTimeoutWorkaround",
    "ConnectionHealthReconnect",
    "RealtimeApiFailed",
    "TaskFailed",
    "IncompatibleSDP",
    "TURNCredentialsForbidden",
    "NoAttendeePresent",
    "AudioAttendeeRemoved",
    "AudioVideoWasRemovedFromPrimaryMeeting",
    "AudioVideoDisconnectedWhilePromoted",
    "AudioDisconnectAudio",
    "EncodedTransformManagerFailed",
    # mobile only
    "AudioCallEnded",
    "AudioServerHungup",
    "AudioInputDeviceNotResponding",
    "AudioOutputDeviceNotResponding",
    "NetworkBecamePoor",
    "VideoServiceFailed",
    "VideoServiceUnavailable",
    "VideoAtCapacityViewOnly",
    "Unknown",
)
_STATUS_BY_LETTERS = {status.lower(): status for status in STATUSES} | {
    "networkbecomepoor": "NetworkBecamePoor",
}

_PLATFORMS = {
    "amazon-chime-sdk-js": "JavaScript",
    "amazon-chime-sdk-ios": "iOS",
    "amazon-chime-sdk-android": "Android",
}
PLATFORMS = (*_PLATFORMS.values(), "Other")
MOBILE = frozenset({"iOS", "Android"})

# Control characters, and those that turn the direction of the text around them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

REASONS = (
    "meetingErrorMessage",
    "audioInputErrorMessage",
    "videoInputErrorMessage",
    "deviceLabelTriggerErrorMessage",
    "signalingDroppedErrorMessage",
    "contentShareErrorMessage",
    "voiceFocusErrorMessage",
    "backgroundFilterErrorMessage",
    "signalingCloseReason",
    "videoInterruptionReason",
    "meetingStatus",
)


def event_name(name: str) -> str:
    name = printable(name)[:MAX_NAME]
    return _EVENT_NAMES.get(name, name)


def attribute_name(name: str) -> str:
    return _ATTRIBUTE_NAMES.get(name, name)


def status_name(status: str) -> str:
    """The one spelling of a meeting status, whichever platform wrote it."""
    status = printable(status)[:MAX_NAME]
    return _STATUS_BY_LETTERS.get(status.lower(), status)


def platform_of(sdk_name: object) -> str:
    return (
        _PLATFORMS.get(sdk_name.strip().lower(), "Other") if isinstance(sdk_name, str) else "Other"
    )


# What the SDKs say of a device, a browser or a system that they do not know.
_NOT_KNOWN = frozenset({"Unavailable", "unknown"})


def told(attributes: Mapping[str, JSON], name: str) -> str:
    """An attribute as text; empty where the client does not know it."""
    value = attributes.get(name)
    return known("" if value is None else str(value))


def known(text: str) -> str:
    return "" if text in _NOT_KNOWN else text


def is_bot(external_user_id: object) -> bool:
    """Whether this is AWS's own attendee, such as a recorder: no person may use the prefix."""
    return isinstance(external_user_id, str) and external_user_id.startswith("aws:")


def failure_reason(event: Event) -> str:
    """Why it failed in the client's words, whichever attribute holds them."""
    for name in REASONS:
        reason = event.attributes.get(name)
        if isinstance(reason, str) and reason.strip():
            return reason
    return ""


def printable(text: str) -> str:
    """The text trimmed, on one line and without characters that could disguise it."""
    text = text.strip()
    return text if text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)
