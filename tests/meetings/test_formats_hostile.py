"""Whatever comes, the readers read it or refuse it, quickly and with nothing unstorable."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meetings.formats import (
    JSON,
    Reading,
    UnreadableError,
    event_array,
    ingestion,
    log_lines,
    log_streams,
)
from tests.fixtures.hostile import BODIES
from tests.meetings.make_bodies import AT, make_array, make_item, make_line, make_logs, make_record

READERS = (event_array.read, ingestion.read, log_lines.read, log_streams.read)
GOOD = (
    make_array(make_item(meetingHistory=[{"name": "a", "timestampMs": AT}]), make_item("b")),
    make_record({"name": "a", "ts": AT, "retryCount": 1}, {"name": "b", "ts": AT}),
    make_logs(make_line(json.dumps(make_item())), make_line("text", 1)),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(
    [
        "name",
        "attributes",
        "meetingId",
        "attendeeId",
        "timestampMs",
        "ts",
        "meetingHistory",
        "events",
        "metadata",
        "payloads",
        "type",
        "logs",
        "message",
        "appName",
        "sequenceNumber",
        "meetingStatus",
        "sdkName",
        "retryCount",
        "authorization",
        "timestamp",
    ]
) | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def read_or_refuse(read: Callable[[bytes], Reading], body: bytes) -> Reading | None:
    try:
        return read(body)
    except UnreadableError as error:
        return None if error.reason and str(error) else pytest.fail("refused without a reason")


def check(read: Callable[[bytes], Reading], body: bytes) -> None:
    reading = read_or_refuse(read, body)
    if reading is None:
        return
    ordinals = [one.ordinal for one in reading.events] + [one.ordinal for one in reading.rejected]
    assert len(set(ordinals)) == len(ordinals)
    for event in reading.events:
        assert 0 < len(event.meeting_id) <= 200
        assert 0 < len(event.attendee_id) <= 200
        assert 0 < len(event.name) <= 128
        assert event.client_ms is None or -(2**63) <= event.client_ms < 2**63
        assert 0 <= event.sequence < 2**31
        assert len(event.attributes) <= 203
        for text in strings([event.name, event.meeting_id, event.attendee_id, event.attributes]):
            assert "\0" not in text
            assert len(text.encode()) <= 8192
    for rejected in reading.rejected:
        assert rejected.reason
        assert rejected.detail
        if rejected.reason not in {"too-many-refused", "too-many-items"}:
            again = read(rejected.raw)
            assert again.events == []
            assert [(one.reason, one.detail, one.raw) for one in again.rejected] == [
                (rejected.reason, rejected.detail, rejected.raw)
            ]


def strings(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(BODIES) >= 150
    assert len({name for name, _ in BODIES}) == len(BODIES)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__module__.rpartition(".")[2])
def test_every_hostile_body_is_read_or_refused(read: Callable[[bytes], Reading]) -> None:
    for name, body in BODIES:
        started = time.perf_counter()
        check(read, body)
        assert time.perf_counter() - started < 2, name


def test_every_hostile_body_can_be_redacted_and_reads_as_before() -> None:
    for name, body in BODIES:
        redacted = ingestion.redact(body)
        assert b"SECRETSECRET" not in redacted, name
        if read_or_refuse(ingestion.read, body) is not None:
            assert ingestion.read(redacted) == ingestion.read(body), name


def test_refusing_as_the_original_did_never_fails() -> None:
    for _, body in BODIES:
        try:
            document = event_array.decode(body)
        except UnreadableError:
            continue
        assert event_array.refuses(document) in (True, False)


@settings(max_examples=250, deadline=None)
@given(ANYTHING)
def test_any_json_is_read_or_refused(document: Any) -> None:
    body = json.dumps(document).encode()

    for read in READERS:
        check(read, body)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_a_good_body_with_something_replaced_is_read_or_refused(
    body: bytes, data: st.DataObject
) -> None:
    document = json.loads(body)
    spots = list(places(document))
    holder, key = spots[data.draw(st.integers(0, len(spots) - 1))]
    holder[key] = data.draw(ANYTHING)

    for read in READERS:
        check(read, json.dumps(document).encode())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GOOD), st.integers(0, 400), st.integers(0, 400), st.binary(max_size=6))
def test_a_good_body_with_bytes_changed_is_read_or_refused(
    body: bytes, start: int, length: int, new: bytes
) -> None:
    changed = body[:start] + new + body[start + length :]

    for read in READERS:
        check(read, changed)
    ingestion.redact(changed)


def test_five_megabytes_of_repeated_histories_are_read_well_within_a_second() -> None:
    history = [{"name": "videoInputSelected", "timestampMs": AT + n} for n in range(300)]
    items = [make_item(timestampMs=AT + n, meetingHistory=history) for n in range(300)]
    body = make_array(*items)
    assert len(body) > 5_000_000
    started = time.perf_counter()

    reading = event_array.read(body)

    assert time.perf_counter() - started < 1
    assert sum(len(event.history) for event in reading.events) == 90_000


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where something can be replaced: every element of every list and object."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(pairs):
        yield value, key
        if isinstance(child, dict | list):
            yield from places(child)


def test_text_that_would_turn_the_direction_of_its_surroundings_cannot() -> None:
    body = make_array(make_item(externalUserId="\u202egnp.ada\u202c", own="a\u2066b\nc"))

    (event,) = event_array.read(body).events

    assert event.attributes["externalUserId"] == "\ufffdgnp.ada\ufffd"
    assert event.attributes["own"] == "a\ufffdb\nc"
