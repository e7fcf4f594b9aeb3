"""No body costs more than in proportion to its size, and what is too much is held, not dropped."""

import json
import time

import pytest

from meetings.formats import UnreadableError, event_array, ingestion, items, log_lines
from tests.meetings.make_bodies import AT, make_array, make_item, make_logs, make_record


@pytest.fixture
def few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_ITEMS", 10)


def test_items_beyond_the_limit_are_held_unread_and_a_replay_reads_them_all(
    few_items: None,
) -> None:
    body = make_array(*(make_item(timestampMs=AT + number) for number in range(25)))

    first = event_array.read(body)
    again = [event_array.read(rest.raw) for rest in first.rejected]

    assert [rest.reason for rest in first.rejected] == ["too-many-items"] * 2
    assert all(not reading.rejected for reading in again)
    moments = [event.client_ms for reading in [first, *again] for event in reading.events]
    assert moments == [AT + number for number in range(25)]


def test_payloads_beyond_the_limit_are_held_with_what_their_record_says(few_items: None) -> None:
    body = make_record(*({"name": "a", "ts": AT + number} for number in range(15)))

    first = ingestion.read(body)
    again = ingestion.read(first.rejected[0].raw)

    assert len(first.events) == 10
    assert len(again.events) == 5
    assert again.events[0].attributes == first.events[0].attributes


def test_a_body_of_more_items_than_it_can_hold_events_is_refused_unread() -> None:
    ones = [1] * (items.MAX_COUNTED + 1)
    bodies = [
        (event_array.read, json.dumps(ones)),
        (ingestion.read, json.dumps({"events": [{"payloads": ones}]})),
        (log_lines.read, make_logs().decode().replace('"logs": []', f'"logs": {ones}')),
    ]

    for read, body in bodies:
        with pytest.raises(UnreadableError) as refused:
            read(body.encode())
        assert refused.value.reason == "too-many-items"


@pytest.mark.parametrize("place", ["record", "event"])
@pytest.mark.parametrize(
    "large",
    [
        {f"key{number}": 1 for number in range(50_000)},
        {"text": "x" * 500_000},
        {"meetingHistory": [{"name": "a", "timestampMs": AT + n} for n in range(20_000)]},
    ],
    ids=["keys", "text", "history"],
)
def test_metadata_does_not_multiply_with_the_payloads(place: str, large: dict[str, object]) -> None:
    ids = {"meetingId": "m", "attendeeId": "a", "sdkName": "amazon-chime-sdk-js"}
    payloads = [{"name": "a", "ts": AT + number} for number in range(20_000)]
    record: dict[str, object] = {"metadata": ids, "events": [{"payloads": payloads}]}
    if place == "record":
        record["metadata"] = ids | large
    else:
        record["events"] = [{"payloads": payloads, "metadata": large}]
    body = json.dumps(record).encode()
    began = time.process_time()

    reading = ingestion.read(body)

    assert time.process_time() - began < 5
    assert len(reading.events) == 20_000
    assert reading.events[-1].attributes["sdkName"] == "amazon-chime-sdk-js"


def test_metadata_of_many_groups_does_not_add_up() -> None:
    payloads = [{"name": "a", "ts": AT + number} for number in range(1000)]
    group = {"metadata": {f"key{n}": 1 for n in range(2000)}, "payloads": payloads}
    ids = {"meetingId": "m", "attendeeId": "a"}
    body = json.dumps({"metadata": ids, "events": [group] * 20}).encode()
    began = time.process_time()

    reading = ingestion.read(body)

    assert time.process_time() - began < 10
    assert len(reading.events) == 20_000


def test_large_metadata_of_few_payloads_is_kept_whole() -> None:
    metadata = {"meetingId": "m", "attendeeId": "a"} | {f"key{n}": n for n in range(150)}
    body = json.dumps(
        {"metadata": metadata, "events": [{"payloads": [{"name": "a", "ts": AT}]}]}
    ).encode()

    reading = ingestion.read(body)

    assert reading.events[0].attributes["key149"] == 149
