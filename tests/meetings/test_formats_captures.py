"""The readers on what real clients sent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meetings.formats import Event, Reading, event_array, ingestion, log_lines

CHIME = Path(__file__).parents[1] / "fixtures" / "chime"
READERS: dict[str, Callable[[bytes], Reading]] = {
    "/v1/client-events": ingestion.read,
    "/prod/meetingevents": event_array.read,
    "/log_meeting_event": log_lines.read,
}


def captured(name: str) -> dict[str, Any]:
    capture: dict[str, Any] = json.loads((CHIME / "sdk-capture" / f"{name}.json").read_bytes())
    return capture


def posts() -> Iterator[tuple[str, bytes]]:
    for name in ("lifecycle_new", "blog_array", "postlogger_new"):
        for request in captured(name)["requests"]:
            if request["method"] == "POST":
                yield request["path"].partition("?")[0], request["body"].encode()


def keys(events: list[Event]) -> set[tuple[str, str, str, int | None]]:
    return {(one.meeting_id, one.attendee_id, one.name, one.client_ms) for one in events}


def events_of_format_b(name: str) -> list[Event]:
    return [
        event
        for request in captured(name)["requests"]
        if request["method"] == "POST" and request["path"].startswith("/v1")
        for event in ingestion.read(request["body"].encode()).events
    ]


@pytest.mark.parametrize(("path", "body"), list(posts()))
def test_every_captured_request_is_read_completely(path: str, body: bytes) -> None:
    reading = READERS[path](body)

    assert reading.events
    assert reading.rejected == []
    assert [event.ordinal for event in reading.events] == list(range(len(reading.events)))


def test_captured_bodies_hold_no_token_once_redacted() -> None:
    for path, body in posts():
        if path == "/v1/client-events":
            assert b"JOIN_TOKEN" not in ingestion.redact(body)
            assert ingestion.read(ingestion.redact(body)) == ingestion.read(body)


def test_the_same_meeting_is_the_same_events_through_both_doors() -> None:
    observed = captured("lifecycle_new")["observer_events"]

    seen = event_array.read(json.dumps(observed).encode()).events
    ingested = events_of_format_b("lifecycle_new")

    # The SDK cannot ingest a signalingDropped that says whether the close was clean.
    lost = [one for one in seen if "signalingCloseWasClean" in one.attributes]
    assert len(lost) == 1
    assert keys(seen) - keys(ingested) == keys(lost)
    assert keys(ingested) <= keys(seen)


def test_both_doors_tell_the_same_attributes_as_far_as_both_tell_them() -> None:
    by_key = {
        next(iter(keys([one]))): one
        for one in event_array.read(
            json.dumps(captured("lifecycle_new")["observer_events"]).encode()
        ).events
    }

    for ingested in events_of_format_b("lifecycle_new"):
        seen = by_key[next(iter(keys([ingested])))].attributes
        both = seen.keys() & ingested.attributes.keys()
        assert "browserMajorVersion" in both
        assert {key: seen[key] for key in both} == {key: ingested.attributes[key] for key in both}
        assert seen.keys() - both <= {"externalMeetingId", "externalUserId"}


def test_the_array_of_an_application_brings_its_histories() -> None:
    body = (CHIME / "sdk-capture" / "meetingevents-body-js-3.32.0.json").read_bytes()

    events = event_array.read(body).events

    assert len(events) == 17
    assert not event_array.refuses(event_array.decode(body))
    for number, event in enumerate(events, start=1):
        assert 0 < len(event.history) <= number
        assert event.name in {entry.name for entry in event.history}
    dropped = next(one for one in events if "signalingCloseCode" in one.attributes)
    assert dropped.attributes["signalingCloseWasClean"] is False
    assert "signalingCloseReason" not in dropped.attributes


def test_log_lines_are_numbered_through_all_their_batches() -> None:
    bodies = [request["body"].encode() for request in captured("postlogger_new")["requests"]]

    events = [event for body in bodies for event in log_lines.read(body).events]

    assert [event.name for event in events[:2]] == ["meetingStartRequested", "logLine"]
    assert [event.sequence for event in events] == [0, *range(2, 93)]


def test_an_android_record_is_read() -> None:
    record = json.loads((CHIME / "mobile" / "android-ingestion-record-doc.json").read_bytes())

    reading = ingestion.read(json.dumps(record["record"]).encode())

    assert [event.name for event in reading.events] == ["meetingStartSucceeded", "meetingEnded"]
    assert reading.events[0].client_ms == 78645356720
    assert reading.events[0].attributes["signalingOpenDurationMs"] == 666
