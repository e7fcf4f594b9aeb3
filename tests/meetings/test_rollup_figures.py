"""Every figure of the dashboard equals what a slow query over the facts says, whatever happened."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from meetings import dashboard
from meetings.dashboard import ClientChoice
from meetings.rollups import compactor, rebuilding
from meetings.rollups.histogram import GREATEST_ERROR
from meetings.rollups.models import RollupCell
from portal.timerange import TimeRange
from tests.meetings import dashboard_reference as reference
from tests.meetings.factories import CHROME, FIREFOX, IPHONE, post, told

# Late on a day, so that few steps reach borders of hours, days and half-years.
NOW = datetime(2026, 3, 14, 23, 57, 30, tzinfo=UTC)
CLIENTS = [CHROME, CHROME | {"browserMajorVersion": "130"}, FIREFOX, IPHONE, {}]
NAMES = [
    "meetingStartRequested",
    "meetingStartSucceeded",
    "meetingStartFailed",
    "meetingFailed",
    "audioInputFailed",
    "videoInputFailed",
    "meetingEnded",
]
REGIONS = ["", "eu-west-1", "us-east-1"]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    back = draw(st.one_of(st.integers(0, 4 * 3600), st.integers(0, 70 * 3600)))
    at = NOW - timedelta(seconds=back, milliseconds=draw(st.integers(0, 999)))
    attendee = draw(st.integers(1, 6))
    bot = draw(st.sampled_from(["", "", "", "", "", "aws:recorder"]))
    more: dict[str, Any] = {}
    if name == "meetingStartSucceeded":
        more["meetingStartDurationMs"] = draw(st.one_of(st.just(0), st.floats(0.5, 90_000)))
    if region := draw(st.sampled_from(REGIONS)):
        more["mediaRegion"] = region
    # What else a client tells makes one copy of an event fuller than another.
    more |= {f"more{number}": "x" for number in range(draw(st.integers(0, 2)))}
    return told(
        name,
        at,
        meeting=f"m-{attendee % 3}",
        attendee=f"a-{attendee}",
        client=draw(st.sampled_from(CLIENTS)),
        person=bot or None,
        **more,
    )


@st.composite
def steps(draw: st.DrawFn) -> list[Any]:
    """Batches of events as they come in, some of them again with more, and what is done between."""
    found: list[Any] = []
    sent: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        batch = draw(st.lists(events(), min_size=1, max_size=12))
        again = draw(st.sampled_from([None, *sent]))
        if again is not None:
            extra = draw(st.sampled_from([{"fuller": "1", "fuller2": "2", "fuller3": "3"}, {}]))
            client = draw(st.sampled_from(CLIENTS))
            batch.append({**again, "attributes": {**again["attributes"], **client, **extra}})
        sent += batch
        found.append(batch)
        found.append(draw(st.sampled_from(["nothing", "compact", "make sums", "rebuild"])))
    return found


CHOICES = st.sampled_from(
    [
        ClientChoice(),
        ClientChoice(sdk="amazon-chime-sdk-js"),
        ClientChoice(sdk="-"),
        ClientChoice(platform="JavaScript"),
        ClientChoice(sdk="amazon-chime-sdk-js", sdk_version="3.32.0"),
        ClientChoice(browser="Chrome"),
        ClientChoice(browser="Chrome", browser_major="131"),
        ClientChoice(os="Linux"),
        ClientChoice(os="iOS", os_version="18.1"),
        ClientChoice(region="eu-west-1"),
        ClientChoice(browser="Firefox", region="us-east-1"),
    ]
)


@st.composite
def periods(draw: st.DrawFn) -> TimeRange:
    span = draw(
        st.one_of(
            st.sampled_from([900, 3600, 7200, 86_400, 7 * 86_400, 30 * 86_400]),
            st.integers(1, 80 * 3600),
        )
    )
    end = NOW + timedelta(seconds=1 - draw(st.integers(0, 7200)))
    return TimeRange(end - timedelta(seconds=span), end, "", {})


def close(told: float | None, true: float | None) -> bool:
    if told is None or true is None:
        return told is true
    return told == pytest.approx(true, rel=GREATEST_ERROR + 1e-9)


def assert_same(found: Any, expected: Any, *percentiles: str) -> None:
    """Equal, but for percentiles, which may be less than 1 % off."""
    if found is None or expected is None:
        assert found is expected
        return
    blank = dict.fromkeys(percentiles)
    assert replace(found, **blank) == replace(expected, **blank)
    for name in percentiles:
        assert close(getattr(found, name), getattr(expected, name)), name


def assert_all_true(period: TimeRange, clients: ClientChoice) -> None:
    board = dashboard.read(period, clients)
    p50_p95 = ("start_p50_ms", "start_p95_ms")

    assert_same(board.now, reference.totals(period, clients), *p50_p95)
    before = replace(board.before, is_whole=True)
    assert_same(before, reference.totals(period.before, clients, people=False), *p50_p95)
    expected = reference.trend(period, clients, board.trend)
    for bucket, other in zip(board.trend.buckets, expected, strict=True):
        assert_same(bucket, other, *p50_p95)
    assert asdict(board.shares) == asdict(reference.shares(period, clients))
    assert board.device_trouble == reference.device_trouble(period, clients)
    assert_durations(board.start_durations, period, clients)


def assert_durations(found: Any, period: TimeRange, clients: ClientChoice) -> None:
    expected = reference.start_durations(period, clients, found.step)
    assert {one.sdk for one in found.by_sdk} == {sdk for sdk, _ in expected}
    for one in found.by_sdk:
        whole = expected.pop((one.sdk, None))
        assert close(one.whole_p50_ms, whole[0])
        assert close(one.whole_p95_ms, whole[1])
        points = zip(found.moments, one.p50_ms, one.p95_ms, strict=True)
        for moment, p50, p95 in points:
            true = expected.pop((one.sdk, moment), [None, None])
            assert close(p50, true[0])
            assert close(p95, true[1])
    assert not expected


def take(steps: Sequence[Any]) -> None:
    at = NOW
    for step in steps:
        if isinstance(step, list):
            at += timedelta(seconds=1)
            mark = told("appStateChanged", at, attendee="a-0")  # no two bodies are the same
            post([*step, mark], received_at=at)
        elif step == "compact":
            compactor.compact(now=NOW)
        elif step == "make sums":
            compactor.compact(now=NOW)
            compactor.compact(now=NOW + timedelta(days=2))
        elif step == "rebuild":
            rebuilding.rebuild(NOW - timedelta(days=4), NOW + timedelta(hours=1))


# What is older than facts are kept is never counted anew, and these facts are of a fixed day.
@override_settings(RETENTION_EVENTS_DAYS=0)
class FiguresTest(TestCase):
    """Each example in a transaction of its own."""

    @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
    @given(steps(), periods(), CHOICES)
    def test_every_figure_equals_the_slow_query(
        self, happened: list[Any], period: TimeRange, clients: ClientChoice
    ) -> None:
        take(happened)

        assert_all_true(period, clients)

    @settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
    @given(steps())
    def test_cells_are_in_the_end_what_a_rebuild_makes_of_the_facts(
        self, happened: list[Any]
    ) -> None:
        take(happened)
        while compactor.compact(now=timezone.now()):
            pass
        kept = cells()

        rebuilding.rebuild(None, None)

        assert cells() == kept


def cells() -> list[tuple[Any, ...]]:
    columns = [
        one.name for one in RollupCell._meta.fields if one.name not in {"id", "kind", "is_new"}
    ]
    rows = RollupCell.objects.order_by("bucket", "kind_id", "region")
    return [tuple(row) for row in rows.values_list("kind_id", *columns)]
