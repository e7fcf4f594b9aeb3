import json
from typing import Any

import pytest

from meetings.formats import UnreadableError, log_lines, log_streams
from tests.meetings.make_bodies import AT, ATTENDEE, MEETING, make_item, make_line, make_logs


def test_a_message_that_is_an_event_is_an_event() -> None:
    message = json.dumps(
        make_item("meetingFailed", meetingStatus="audioDisconnected", retryCount=1)
    )

    [event] = log_lines.read(make_logs(make_line(message, sequence=4))).events

    assert (event.name, event.client_ms, event.sequence) == ("meetingFailed", AT, 0)
    assert event.attributes == {
        "appName": "SDKEvent",
        "meetingStatus": "AudioDisconnected",
        "retryCount": 1,
    }


def test_an_event_in_a_line_falls_back_on_the_envelope_and_the_line() -> None:
    message = json.dumps({"name": "x", "attributes": {"meetingId": "own", "timestampMs": None}})

    [event] = log_lines.read(make_logs(make_line(message))).events

    assert (event.meeting_id, event.attendee_id, event.client_ms) == ("own", ATTENDEE, AT)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("plain", "plain"),
        ("{broken", "{broken"),
        ('{"name":"x"}', '{"name":"x"}'),
        ('{"a":' * 99, '{"a":' * 99),
        ({"level": 1}, '{"level":1}'),
        (5, "5"),
        (False, "false"),
    ],
)
def test_any_other_message_is_a_log_line_with_its_number(message: Any, kept: str) -> None:
    [event] = log_lines.read(make_logs(make_line(message, sequence=4))).events

    assert (event.name, event.sequence, event.client_ms) == ("logLine", 5, AT)
    assert (event.meeting_id, event.attendee_id) == (MEETING, ATTENDEE)
    assert event.attributes == {"appName": "SDKEvent", "logLevel": "INFO", "message": kept}


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [(0, 1), (3.0, 4), ("7", 8), (None, 1), (-1, 1), ("x", 1), (2**62, 2**31 - 1)],
)
def test_a_line_without_a_readable_number_takes_its_place_in_the_body(
    sequence: Any, expected: int
) -> None:
    [event] = log_lines.read(make_logs(make_line(sequence=sequence))).events

    assert event.sequence == expected


def test_no_lines_are_read_as_nothing() -> None:
    reading = log_lines.read(make_logs())

    assert (reading.events, reading.rejected) == ([], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (None, "not-an-object"),
        ({}, "no-message"),
        (make_line(timestampMs=None), "no-timestamp"),
        (make_line(json.dumps(make_item(meetingId={}))), "no-meeting"),
        (make_line(json.dumps(make_item(meetingId="m" * 201))), "id-too-long"),
    ],
)
def test_a_rejected_line_reads_alike_alone(line: Any, reason: str) -> None:
    reading = log_lines.read(make_logs(make_line(), line))

    [rejected] = reading.rejected
    [again] = log_lines.read(rejected.raw).rejected

    assert (len(reading.events), rejected.ordinal, rejected.reason) == (1, 1, reason)
    assert (again.reason, again.detail, again.raw) == (reason, rejected.detail, rejected.raw)


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        ({"appName": None}, "missing-properties"),
        ({"meetingId": ""}, "missing-properties"),
        ({"attendeeId": []}, "missing-properties"),
        ({"logs": None}, "no-logs"),
        ({"logs": "x"}, "no-logs"),
        ({"meetingId": "m" * 201}, "id-too-long"),
    ],
)
def test_a_batch_without_its_required_properties_cannot_be_read(
    envelope: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnreadableError) as caught:
        log_lines.read(make_logs(make_line(), **envelope))

    assert caught.value.reason == reason


def test_a_log_stream_request_is_one_event_without_a_time() -> None:
    reading = log_streams.read(json.dumps({"meetingId": MEETING, "attendeeId": 5}).encode())

    [event] = reading.events
    assert (event.name, event.meeting_id, event.attendee_id) == ("logStreamRequested", MEETING, "5")
    assert (event.client_ms, event.attributes, reading.rejected) == (None, {}, [])


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"meetingId":"m"}',
        b'{"meetingId":"m","attendeeId":" "}',
        b"x",
        b'{"meetingId":"m","attendeeId":"' + b"a" * 201 + b'"}',
    ],
)
def test_a_log_stream_request_without_its_ids_cannot_be_read(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        log_streams.read(body)
