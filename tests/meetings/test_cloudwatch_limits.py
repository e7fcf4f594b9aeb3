"""Cutting log events and metrics into what AWS takes in one request."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meetings.cloudwatch.limits import MOST_BYTES, OVERHEAD_BYTES, batches, metric_requests
from meetings.cloudwatch.messages import LogEvent, datum_of, dimension
from meetings.cloudwatch.outbox import pause, stream_name
from meetings.formats import Event

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HOUR_MS = 3_600_000


def make_log(ordinal: int = 0, at_ms: int = NOW_MS, message: Any = "m") -> LogEvent:
    return LogEvent(ordinal, at_ms, message)


def test_a_request_holds_at_most_ten_thousand_events() -> None:
    logs = [make_log(n) for n in range(10_001)]

    sizes = [len(batch.logs) for batch in batches(logs, skip=0, now=NOW)]

    assert sizes == [10_000, 1]


def test_a_request_holds_at_most_a_mebibyte_with_the_overhead_of_each_event() -> None:
    text = "x" * (MOST_BYTES // 4 - OVERHEAD_BYTES - 2)  # quotes
    logs = [make_log(n, message=text) for n in range(9)]

    sizes = [len(batch.logs) for batch in batches(logs, skip=0, now=NOW)]

    assert sizes == [4, 4, 1]


def test_bytes_are_counted_rather_than_letters() -> None:
    logs = [make_log(n, message="ü" * (MOST_BYTES // 4)) for n in range(2)]

    assert [len(batch.logs) for batch in batches(logs, skip=0, now=NOW)] == [1, 1]


def test_a_request_spans_less_than_a_day() -> None:
    times = [NOW_MS - 48 * HOUR_MS, NOW_MS - 25 * HOUR_MS, NOW_MS - 24 * HOUR_MS, NOW_MS]
    logs = [make_log(n, at) for n, at in enumerate(times)]

    cut = [[log.ordinal for log in batch.logs] for batch in batches(logs, skip=0, now=NOW)]

    assert cut == [[0, 1], [2], [3]]


def test_an_event_too_large_or_out_of_time_is_a_misfit() -> None:
    logs = [
        make_log(0, -1),
        make_log(1, NOW_MS - 15 * 24 * HOUR_MS),
        make_log(2, NOW_MS, "x" * MOST_BYTES),
        make_log(3, NOW_MS),
        make_log(4, NOW_MS + 3 * HOUR_MS),
    ]

    [batch] = batches(logs, skip=0, now=NOW)

    assert [log.ordinal for log in batch.logs] == [3]
    assert [misfit.reason for misfit in batch.misfits] == [
        "cloudwatch-too-old",
        "cloudwatch-too-old",
        "cloudwatch-too-large",
        "cloudwatch-too-new",
    ]
    assert batch.done_count == 5


def test_what_was_taken_before_is_not_sent_again() -> None:
    logs = [make_log(n) for n in range(10_001)]
    first, _ = batches(logs, skip=0, now=NOW)

    [rest] = batches(logs, skip=first.done_count, now=NOW)

    assert [log.ordinal for log in rest.logs] == [10_000]


def test_metrics_go_a_thousand_at_a_time_and_none_is_out_of_time() -> None:
    fitting: Any = {"Timestamp": NOW, "Value": 1.0}
    old: Any = {"Timestamp": NOW - timedelta(days=15), "Value": 1.0}

    requests = list(metric_requests([fitting] * 1001 + [old], NOW))

    assert [len(request) for request in requests] == [1000, 1]


def test_the_moment_of_a_metric_is_cut_to_seconds() -> None:
    attributes: Any = {"meetingStartDurationMs": 861.5, "sdkName": "amazon-chime-sdk-js"}
    event = Event(0, "meetingStartSucceeded", "m", "a", 1_767_261_600_999, attributes)

    datum = datum_of(event)

    assert datum is not None
    assert datum["Timestamp"] == datetime.fromtimestamp(1_767_261_600, UTC)
    assert datum["Value"] == 861.5


@pytest.mark.parametrize("value", [None, 0, -1, True, "x", float("inf"), 2.0**361])
def test_no_metric_without_a_duration_that_can_be(value: Any) -> None:
    attributes: Any = {"meetingStartDurationMs": value}

    assert datum_of(Event(0, "meetingStartSucceeded", "m", "a", 1, attributes)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amazon-chime-sdk-js", "amazon-chime-sdk-js"),
        ("ü\n", "??"),
        ("  ", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_dimension_is_plain_ascii_and_never_empty(name: Any, value: str) -> None:
    assert dimension(name) == value


def test_a_stream_name_is_never_too_long_for_aws() -> None:
    name = stream_name("m:*\n" * 200, "a" * 200)

    assert len(name) <= 512
    assert not set(name) & set(":*\n")


def test_pauses_grow_up_to_five_minutes() -> None:
    assert 1 <= pause(1) <= 2
    assert 150 <= pause(99) <= 300
