"""The load must be what the benchmarks say it is."""

import json
from collections import Counter
from typing import Any

from benchmarks.bodies import ATTENDEES_A_MEETING, BODIES, EVENTS, Bodies
from meetings.formats import event_array

COUNTED = {
    "meetingStartRequested", "meetingStartSucceeded", "meetingStartFailed", "meetingFailed",
    "audioInputFailed", "videoInputFailed",
}  # fmt: skip


def documents(count: int) -> list[list[dict[str, Any]]]:
    bodies = Bodies("localhost", "/")
    return [json.loads(bodies.next().partition(b"\r\n\r\n")[2]) for _ in range(count)]


def test_a_request_says_how_long_its_body_is() -> None:
    request = Bodies("localhost", "/door").next()

    head, _, body = request.partition(b"\r\n\r\n")

    assert head.startswith(b"POST /door HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_each_body_is_of_another_attendee_and_fifty_share_a_meeting() -> None:
    found = documents(2 * ATTENDEES_A_MEETING)

    attendees = {event["attributes"]["attendeeId"] for body in found for event in body}
    meetings = Counter(body[0]["attributes"]["meetingId"] for body in found)
    assert len(attendees) == len(found)
    assert list(meetings.values()) == [ATTENDEES_A_MEETING, ATTENDEES_A_MEETING]


def test_events_of_a_body_have_one_attendee_and_different_times() -> None:
    for body in documents(BODIES):
        ids = {(e["attributes"]["meetingId"], e["attributes"]["attendeeId"]) for e in body}
        times = {e["attributes"]["timestampMs"] for e in body}

        assert len(body) == EVENTS
        assert len(ids) == 1
        assert len(times) == EVENTS


def test_about_a_quarter_of_the_events_are_counted_and_few_are_failures() -> None:
    names = Counter(event["name"] for body in documents(BODIES) for event in body)

    counted = sum(names[name] for name in COUNTED) / names.total()
    failed = sum(names[name] for name in names if name in COUNTED and name.endswith("Failed"))
    assert 0.2 < counted < 0.3
    assert 0.01 <= failed / names.total() <= 0.02


def test_events_have_the_size_that_the_bars_are_stated_for() -> None:
    assert 1_400 < Bodies("localhost", "/").event_bytes < 1_600


def test_the_portal_reads_the_bodies_without_refusing_anything() -> None:
    body = Bodies("localhost", "/").next().partition(b"\r\n\r\n")[2]

    reading = event_array.read(body)

    assert len(reading.events) == EVENTS
    assert not reading.rejected
