from typing import Any

import pytest

from meetings import vocabulary
from meetings.formats import Event, event_array
from meetings.formats.attributes import normalise
from tests.meetings.make_bodies import make_array, make_item


def make_event(name: str = "meetingFailed", **attributes: Any) -> Event:
    [event] = event_array.read(make_array(make_item(name, **attributes))).events
    return event


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("meetingEnded", "meetingEnded"),
        ("videoClientSignalingDropped", "signalingDropped"),
        ("contentShareSignalingDropped", "contentShareSignalingDropped"),
        ("somethingNew", "somethingNew"),
        ("  spaced ", "spaced"),
        ("x" * 200, "x" * 128),
        ("a\u202eb\x07", "a\ufffdb\ufffd"),
    ],
)
def test_event_names_are_one_vocabulary(claimed: str, name: str) -> None:
    assert vocabulary.event_name(claimed) == name


@pytest.mark.parametrize(
    ("claimed", "status"),
    [
        ("OK", "OK"),
        ("ok", "OK"),
        ("left", "Left"),
        ("audioDisconnected", "AudioDisconnected"),
        ("AUDIODISCONNECTED", "AudioDisconnected"),
        ("networkBecomePoor", "NetworkBecamePoor"),
        ("NetworkBecamePoor", "NetworkBecamePoor"),
        ("connectionHealthReconnect", "ConnectionHealthReconnect"),
        ("audioServerHungup", "AudioServerHungup"),
        ("incompatibleSdp", "IncompatibleSDP"),
        ("iceGatheringTimeoutWorkaround", "ICEGatheringTimeoutWorkaround"),
        ("newInSomeVersion", "newInSomeVersion"),
    ],
)
def test_statuses_are_one_vocabulary(claimed: str, status: str) -> None:
    assert make_event(meetingStatus=claimed).attributes["meetingStatus"] == status


@pytest.mark.parametrize(
    ("sdk_name", "platform"),
    [
        ("amazon-chime-sdk-js", "JavaScript"),
        ("amazon-chime-sdk-ios", "iOS"),
        ("Amazon-Chime-SDK-Android", "Android"),
        ("my-own", "Other"),
        ("", "Other"),
        (None, "Other"),
    ],
)
def test_a_platform_is_told_from_the_sdk(sdk_name: object, platform: str) -> None:
    assert vocabulary.platform_of(sdk_name) == platform
    assert platform in vocabulary.PLATFORMS


def test_attendees_of_aws_are_bots_and_no_others() -> None:
    assert vocabulary.is_bot("aws:MediaPipeline-1")
    assert not vocabulary.is_bot("AWS:x")
    assert not vocabulary.is_bot("user#aws:")
    assert not vocabulary.is_bot(None)


@pytest.mark.parametrize(
    "key",
    [
        "audioInput",
        "videoInput",
        "signalingDropped",
        "contentShare",
        "voiceFocus",
        "deviceLabelTrigger",
    ],
)
def test_errors_have_one_name_whether_observed_or_ingested(key: str) -> None:
    observed = make_event(**{f"{key}Error": "why"})
    ingested = make_event(**{f"{key}ErrorMessage": "why"})
    both = make_event(**{f"{key}Error": "other", f"{key}ErrorMessage": "why"})

    assert (
        observed.attributes
        == ingested.attributes
        == both.attributes
        == {f"{key}ErrorMessage": "why"}
    )
    assert vocabulary.failure_reason(observed) == "why"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"meetingErrorMessage": "a", "meetingStatus": "Left"}, "a"),
        ({"meetingErrorMessage": "  ", "meetingStatus": "Left"}, "Left"),
        ({"audioInputError": "b"}, "b"),
        ({"signalingCloseReason": "going away"}, "going away"),
        ({}, ""),
    ],
)
def test_the_reason_of_a_failure_is_found_wherever_it_stands(
    attributes: dict[str, Any], reason: str
) -> None:
    assert vocabulary.failure_reason(make_event(**attributes)) == reason


@pytest.mark.parametrize(
    ("key", "claimed", "kept"),
    [
        ("retryCount", "3", {"retryCount": 3}),
        ("retryCount", 3.0, {"retryCount": 3}),
        ("retryCount", True, {"retryCountText": "true"}),
        ("retryCount", "many", {"retryCountText": "many"}),
        ("retryCount", [1], {"retryCountText": "[1]"}),
        ("retryCount", None, {}),
        ("batteryLevel", "0.5", {"batteryLevel": 0.5}),
        ("meetingDurationMs", "1e3", {"meetingDurationMs": 1000}),
        ("meetingDurationMs", "1e400", {"meetingDurationMsText": "1e400"}),
        ("meetingDurationMs", 1e300, {"meetingDurationMsText": "1e+300"}),
        ("signalingCloseWasClean", "1", {"signalingCloseWasClean": True}),
        ("backgroundBlurEnabled", "False", {"backgroundBlurEnabled": False}),
        ("lowPowerModeEnabled", 0, {"lowPowerModeEnabled": False}),
        ("lowPowerModeEnabled", "maybe", {"lowPowerModeEnabledText": "maybe"}),
        ("browserMajorVersion", 156, {"browserMajorVersion": "156"}),
        ("osVersion", 17.0, {"osVersion": "17"}),
        ("osVersion", 17.1, {"osVersion": "17.1"}),
        ("externalUserId", {"a": 1}, {"externalUserId": '{"a":1}'}),
        ("backgroundBlurStrength", 15, {"backgroundBlurStrength": 15}),
        ("backgroundBlurStrength", "high", {"backgroundBlurStrength": "high"}),
        ("unknownThing", "3", {"unknownThing": "3"}),
    ],
)
def test_known_attributes_have_their_type_or_are_kept_as_text_beside(
    key: str, claimed: Any, kept: dict[str, Any]
) -> None:
    attributes = make_event(**{key: claimed}).attributes

    assert attributes == kept
    assert [type(value) for value in attributes.values()] == [
        type(value) for value in kept.values()
    ]


ZEROS: dict[str, Any] = {
    "meetingStartDurationMs": 0,
    "meetingDurationMs": 0,
    "signalingOpenDurationMs": 0,
}


def test_a_mobile_meeting_that_never_started_has_no_durations() -> None:
    ios = {**ZEROS, "sdkName": "amazon-chime-sdk-ios", "retryCount": 0}

    assert normalise("meetingStartFailed", ios) == {
        "sdkName": "amazon-chime-sdk-ios",
        "retryCount": 0,
    }
    assert "meetingDurationMs" not in normalise("meetingFailed", ios)


def test_zero_is_kept_where_it_was_measured() -> None:
    js = {**ZEROS, "sdkName": "amazon-chime-sdk-js"}
    started = {**ZEROS, "sdkName": "amazon-chime-sdk-ios", "meetingStartDurationMs": 9}

    assert normalise("meetingEnded", js).keys() == js.keys()
    assert normalise("meetingEnded", started)["meetingDurationMs"] == 0


@pytest.mark.parametrize(
    ("version", "major"), [("156.0.8078.79", "156"), ("17", "17"), ("Unavailable", None)]
)
def test_the_major_version_of_a_browser_is_derived(version: str, major: str | None) -> None:
    attributes = make_event(browserVersion=version).attributes

    assert attributes.get("browserMajorVersion") == major


def test_every_name_in_a_set_is_known() -> None:
    for names in (vocabulary.FAILED, vocabulary.DISTURBED):
        assert names <= vocabulary.EVENT_NAMES
