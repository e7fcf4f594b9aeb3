"""Histograms: what they guarantee of quantiles, and that they add up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetings.rollups.histogram import GREATEST_ERROR, Histogram, bin_of, is_counted, value_of

DURATIONS = st.floats(min_value=1e-6, max_value=1e12)
ANY = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_subnormal=False)
# Rounding in the logarithm may put a value beside its bin by as much.
ROUNDING = 1e-9


def exact_quantile(values: list[float], share: float) -> float:
    """As PostgreSQL's percentile_cont."""
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    low, high = ordered[math.floor(rank)], ordered[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)


def test_the_greatest_error_is_below_one_percent() -> None:
    assert GREATEST_ERROR < 0.01


@given(ANY)
def test_what_stands_for_a_value_is_close_to_it(value: float) -> None:
    told = value_of(bin_of(value))

    assert told == pytest.approx(value, rel=GREATEST_ERROR + ROUNDING)


@given(st.lists(DURATIONS, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_quantile_is_less_than_one_percent_off(values: list[float], share: float) -> None:
    told = Histogram.of(values).quantile(share)

    assert told == pytest.approx(exact_quantile(values, share), rel=GREATEST_ERROR + ROUNDING)


@given(st.lists(DURATIONS), st.lists(DURATIONS), st.lists(DURATIONS))
def test_histograms_add_up_in_any_grouping(
    first: list[float], second: list[float], third: list[float]
) -> None:
    one, two, three = map(Histogram.of, (first, second, third))

    assert (one + two) + three == one + (two + three) == Histogram.of(first + second + third)


def test_a_histogram_of_nothing_tells_nothing() -> None:
    assert Histogram.of([]).quantile(0.5) is None


@pytest.mark.parametrize("value", [None, 0, -1, math.inf, math.nan])
def test_what_is_no_duration_is_not_counted(value: float | None) -> None:
    assert not is_counted(value)
