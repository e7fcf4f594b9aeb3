import json
from typing import Any

import pytest

from meetings.formats import HistoryEntry, UnreadableError, event_array, items
from tests.meetings.make_bodies import AT, ATTENDEE, MEETING, make_array, make_item


@pytest.mark.parametrize(
    "document",
    [
        None,
        1,
        "x",
        True,
        {},
        {"0": {}},
        [None],
        [1],
        ["x"],
        [[]],
        [{}],
        [{"attributes": None}],
        [{"attributes": "x"}],
        [{"attributes": []}],
        [{"attributes": {"meetingId": "m"}}],
        [{"attributes": {"attendeeId": "a"}}],
        [{"attributes": {"meetingId": "", "attendeeId": "a"}}],
        [{"attributes": {"meetingId": 0, "attendeeId": "a"}}],
        [{"attributes": {"meetingId": 0.0, "attendeeId": "a"}}],
        [{"attributes": {"meetingId": False, "attendeeId": "a"}}],
        [{"attributes": {"meetingId": "m", "attendeeId": None}}],
    ],
)
def test_the_original_refused(document: Any) -> None:
    assert event_array.refuses(document)


@pytest.mark.parametrize(
    "document",
    [
        [],
        [{"attributes": {"meetingId": "m", "attendeeId": "a"}}],
        [{"attributes": {"meetingId": 1, "attendeeId": 2.5}}],
        [{"attributes": {"meetingId": " ", "attendeeId": "0"}}],
        [{"attributes": {"meetingId": [], "attendeeId": {}}}],
        [{"attributes": {"meetingId": True, "attendeeId": "a"}}, None],
    ],
)
def test_the_original_took(document: Any) -> None:
    assert not event_array.refuses(document)


def test_an_empty_array_is_read_as_nothing() -> None:
    reading = event_array.read(b"[]")

    assert (reading.events, reading.rejected) == ([], [])


def test_what_is_no_array_cannot_be_read() -> None:
    with pytest.raises(UnreadableError) as caught:
        event_array.read(b"{}")

    assert caught.value.reason == "not-an-array"


def test_an_event_keeps_unknown_attributes_and_loses_those_with_fields_of_their_own() -> None:
    history = [{"name": "audioInputSelected", "timestampMs": AT - 5}]
    item = make_item(meetingHistory=history, sdpExchangeDurationMs=5, note={"a": [1]}, gone=None)

    [event] = event_array.read(make_array(item)).events

    assert (event.name, event.client_ms) == ("meetingEnded", AT)
    assert (event.meeting_id, event.attendee_id) == (MEETING, ATTENDEE)
    assert event.history == (HistoryEntry("audioInputSelected", AT - 5),)
    assert event.attributes == {"sdpExchangeDurationMs": 5, "note": {"a": [1]}}


def test_what_made_the_original_fail_is_read() -> None:
    items = [
        make_item("meetingStartSucceeded", timestampMs=AT + 90_000_000, meetingStartDurationMs=1),
        make_item("meetingStartRequested"),
        make_item("meetingEnded", meetingId="a:b*c", attendeeId=7),
        make_item("meetingFailed", meetingId=12),
    ]

    reading = event_array.read(make_array(*items))

    assert [event.ordinal for event in reading.events] == [0, 1, 2, 3]
    assert [event.meeting_id for event in reading.events] == [MEETING, MEETING, "a:b*c", "12"]
    assert reading.events[2].attendee_id == "7"


def test_the_all_text_body_of_the_ios_guide_is_read_with_its_types() -> None:
    item = make_item(
        "meetingStartSucceeded",
        timestampMs="1612166400000",
        meetingStartDurationMs="861",
        retryCount="0",
        lowPowerModeEnabled="false",
        sdkName="amazon-chime-sdk-ios",
        osVersion="17.1",
        meetingStatus="ok",
        meetingHistory="[audioInputSelected: 1612166400000, videoInputSelected: 500, ...]",
    )

    [event] = event_array.read(make_array(item)).events

    assert event.client_ms == 1612166400000
    assert event.history == (
        HistoryEntry("audioInputSelected", 1612166400000),
        HistoryEntry("videoInputSelected", 500),
    )
    assert event.attributes == {
        "meetingStartDurationMs": 861,
        "retryCount": 0,
        "lowPowerModeEnabled": False,
        "sdkName": "amazon-chime-sdk-ios",
        "osVersion": "17.1",
        "meetingStatus": "OK",
    }


@pytest.mark.parametrize(
    ("history", "entries"),
    [
        (
            [{"meetingHistoryEventName": "meetingStartRequested", "timestamp": 5.0}],
            (HistoryEntry("meetingStartRequested", 5),),
        ),
        ([{"name": "a"}, None, 3, {"timestampMs": 1}], (HistoryEntry("a", None),)),
        ('[{"name":"a","timestampMs":1}]', (HistoryEntry("a", 1),)),
        (
            [{"name": "videoClientSignalingDropped", "timestamp": 1}],
            (HistoryEntry("signalingDropped", 1),),
        ),
        ({"name": "a"}, ()),
        (7, ()),
    ],
)
def test_a_history_is_read_in_every_spelling(
    history: Any, entries: tuple[HistoryEntry, ...]
) -> None:
    [event] = event_array.read(make_array(make_item(meetingHistory=history))).events

    assert event.history == entries


def test_a_history_that_is_some_other_text_is_kept_as_text() -> None:
    [event] = event_array.read(make_array(make_item(meetingHistory="none"))).events

    assert event.attributes == {"meetingHistoryText": "none"}


@pytest.mark.parametrize(
    ("claimed", "client_ms"),
    [
        (AT, AT),
        (AT + 0.9, AT),
        (str(AT), AT),
        (" 1.678398554455E12 ", 1678398554455),
        ("2026-11-20T12:00:00Z", 1795176000000),
        ("2026-11-20 12:00:00", 1795176000000),
        ("2026-11-20T14:00:00.123456+02:00", 1795176000123),
        (0, 0),
        (-5, -5),
        (12344566754, 12344566754),
        (1e300, 2**63 - 1),
        (-(10**30), -(2**63)),
        ("0001-01-01T00:00:00+23:59", -62135683140000),
    ],
)
def test_a_readable_time_is_kept_however_absurd(claimed: Any, client_ms: int) -> None:
    [event] = event_array.read(make_array(make_item(timestampMs=claimed))).events

    assert event.client_ms == client_ms


@pytest.mark.parametrize(
    "claimed",
    [
        None,
        "",
        "x",
        "NaN",
        "1_000",
        "١٢٣",
        "0x10",
        "2026-13-01T00:00:00Z",
        True,
        [1],
        {},
        "9" * 999,
    ],
)
def test_an_event_without_a_readable_time_is_rejected(claimed: Any) -> None:
    reading = event_array.read(make_array(make_item(timestampMs=claimed)))

    assert [item.reason for item in reading.rejected] == ["no-timestamp"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "not-an-object"),
        ([], "not-an-object"),
        ({"name": "x"}, "no-attributes"),
        ({"name": "x", "attributes": "y"}, "no-attributes"),
        (make_item(""), "no-name"),
        (make_item(None), "no-name"),
        (make_item(5), "no-name"),
        (make_item(meetingId=None), "no-meeting"),
        (make_item(meetingId=True), "no-meeting"),
        (make_item(meetingId={}), "no-meeting"),
        (make_item(attendeeId=""), "no-attendee"),
        (make_item(attendeeId="x" * 201), "id-too-long"),
    ],
)
def test_an_item_that_is_no_event_is_rejected_alone(item: Any, reason: str) -> None:
    reading = event_array.read(make_array(make_item("a"), item, make_item("b")))

    assert [event.name for event in reading.events] == ["a", "b"]
    assert [event.ordinal for event in reading.events] == [0, 2]
    [rejected] = reading.rejected
    assert (rejected.ordinal, rejected.reason) == (1, reason)
    [again] = event_array.read(rejected.raw).rejected
    assert (again.reason, again.detail, again.raw) == (reason, rejected.detail, rejected.raw)


def test_an_item_nested_too_deep_is_rejected_alone() -> None:
    nested = b"[" * 900 + b"]" * 900
    deep = b'{"attributes":{"meetingId":"m","a":' + nested + b"}}"
    body = make_array(make_item())[:-1] + b"," + deep + b"]"

    reading = event_array.read(body)

    assert len(reading.events) == 1
    assert [item.reason for item in reading.rejected] == ["too-deep"]
    assert reading.rejected[0].raw == b"[" + deep + b"]"


def test_an_item_without_any_id_takes_those_of_the_first() -> None:
    orphan = {"name": "x", "attributes": {"timestampMs": AT}}

    reading = event_array.read(make_array(make_item(), orphan))

    assert [event.meeting_id for event in reading.events] == [MEETING, MEETING]
    assert event_array.read(make_array(orphan)).rejected[0].reason == "no-meeting"


def test_a_rejected_item_that_is_mended_gives_its_event() -> None:
    orphan = {"name": "meetingEnded", "attributes": {"note": "é"}}
    [rejected] = event_array.read(make_array(make_item(), orphan)).rejected

    [item] = json.loads(rejected.raw)
    item["attributes"]["timestampMs"] = AT
    [event] = event_array.read(make_array(item)).events

    assert (event.meeting_id, event.attributes) == (MEETING, {"note": "é"})


def test_thousands_of_refused_items_share_one_rejection_of_bounded_size() -> None:
    body = make_array(make_item(), *[{"attributes": {}}] * 5_000, make_item("last"))

    reading = event_array.read(body)

    assert [event.name for event in reading.events] == ["meetingEnded", "last"]
    assert len(reading.rejected) == items.MAX_SINGLE_REJECTIONS + 1 == 21
    assert reading.rejected[-1].reason == "too-many-refused"
    assert "4980 more items" in reading.rejected[-1].detail
    assert sum(len(item.raw) for item in reading.rejected) < 2 * len(body)


def test_items_that_share_a_rejection_are_read_as_before_when_replayed() -> None:
    broken = [{"name": "x", "attributes": {"n": n}} for n in range(300)]
    body = make_array(make_item(), *broken, make_item("y", meetingId="other", timestampMs=None))

    shared = event_array.read(body).rejected[-1]
    mended = shared.raw.replace(b'"n":', b'"timestampMs":')
    events = event_array.read(mended).events

    assert len(events) == 280
    assert {event.meeting_id for event in events} == {MEETING}


def test_no_event_takes_ids_from_a_neighbour_in_a_shared_rejection() -> None:
    nobody = [{"name": "x", "attributes": {"timestampMs": n}} for n in range(150)]
    untimed = make_item(timestampMs=None)

    shared = event_array.read(make_array(*nobody, untimed)).rejected[-1]

    assert event_array.read(shared.raw).events == []


def test_more_events_than_the_original_could_take_are_read() -> None:
    items = [make_item(timestampMs=AT + number) for number in range(10_500)]

    assert len(event_array.read(make_array(*items)).events) == 10_500


def test_tokens_that_strayed_into_attributes_are_not_kept() -> None:
    item = make_item(joinToken="s3cret", nested={"Authorization": "s3cret", "a": 1})

    [event] = event_array.read(make_array(item)).events

    assert event.attributes == {"nested": {"a": 1}}


def test_sizes_are_bounded_and_what_was_cut_is_counted() -> None:
    item = make_item(
        **{f"key{number}": number for number in range(300)},
        meetingErrorMessage="é" * 9_000,
        **{"k" * 500: 1},
    )

    [event] = event_array.read(make_array(item)).events

    message = event.attributes["meetingErrorMessage"]
    assert isinstance(message, str)
    assert message.endswith("é…")
    assert len(message.encode()) <= 8192
    assert event.attributes["cutValues"] == 1
    assert event.attributes["droppedAttributes"] == 102
    assert len(event.attributes) == 202
