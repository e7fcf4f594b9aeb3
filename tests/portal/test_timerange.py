from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import RequestFactory
from django.utils import timezone

from portal.timerange import PRESETS, TimeRange


def of(query: str) -> TimeRange:
    return TimeRange.of(RequestFactory().get(f"/admin/?{query}"))


def test_without_a_choice_it_is_the_last_24_hours() -> None:
    timerange = of("")

    assert timerange.span == timedelta(hours=24)
    assert timerange.label == "Last 24 hours"
    assert timerange.query_string == ""
    assert not timerange.problem


@pytest.mark.parametrize("name", PRESETS)
def test_presets_end_now(name: str) -> None:
    timerange = of(f"range={name}")

    assert timerange.span == PRESETS[name][1]
    assert abs(timerange.end - timezone.now()) < timedelta(seconds=5)


def test_an_own_range_is_read_and_carried() -> None:
    timerange = of("from=2026-01-31T14:30:00Z&to=2026-01-31T15:30:00Z")

    assert timerange.start == datetime(2026, 1, 31, 14, 30, tzinfo=UTC)
    assert of(timerange.query_string) == timerange


def test_a_time_without_offset_is_in_the_viewers_zone() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        timerange = of("from=2026-01-31T09:00&to=2026-01-31T10:00")

    assert timerange.start == datetime(2026, 1, 31, 0, 0, tzinfo=UTC)


def test_an_unescaped_plus_sign_is_understood() -> None:
    timerange = of("from=2026-01-31T14:30:00+01:00&to=2026-01-31T14:30:00Z")

    assert timerange.start == datetime(2026, 1, 31, 13, 30, tzinfo=UTC)


def test_a_range_the_wrong_way_round_is_turned() -> None:
    timerange = of("from=2026-02-01T00:00Z&to=2026-01-31T00:00Z")

    assert timerange.start < timerange.end


@pytest.mark.parametrize(
    "query",
    [
        "range=99y",
        "from=yesterday",
        "from=2026-01-01T00:00Z&to=2026-01-01T00:00Z",
        "from=0001-01-01T00:00Z&to=9999-12-31T00:00Z",
        "from=0001-01-01T00:00&to=9999-12-31T23:59",
        "from=%00",
    ],
)
def test_nonsense_gives_24_hours_and_says_so(query: str) -> None:
    timerange = of(query)

    assert timerange.span == timedelta(hours=24)
    assert timerange.problem.endswith(".")


def test_the_period_before_ends_where_this_one_starts() -> None:
    timerange = of("range=7d")

    assert timerange.before.end == timerange.start
    assert timerange.before.span == timerange.span


@pytest.mark.parametrize("name", PRESETS)
def test_buckets_are_round_few_and_cover_the_range(name: str) -> None:
    timerange = of(f"range={name}")
    buckets = timerange.buckets(96)

    assert len(buckets) <= 97
    assert buckets[0] <= timerange.start < buckets[0] + timerange.step(96)
    assert buckets[-1] < timerange.end
