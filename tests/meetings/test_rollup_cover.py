"""How a stretch of time is told by buckets: without gap, without overlap, by nothing untrue."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from meetings.rollups.cover import (
    BUCKET,
    LEVELS,
    Bucket,
    Cover,
    State,
    ancestors,
    cover,
    moment,
    seconds,
)

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
MOMENTS = st.integers(-3_000_000_000_000, 3_000_000_000_000).map(
    lambda us: NOON + timedelta(microseconds=us)
)
PERIODS = st.tuples(MOMENTS, MOMENTS).map(lambda both: (min(both), max(both)))
FIRST = int(seconds(NOON)) - 3_000_000


@st.composite
def states(draw: st.DrawFn) -> State:
    starts = st.integers(0, 20_000).map(lambda number: (FIRST // BUCKET + number) * BUCKET)
    stale = st.builds(
        lambda level, start: Bucket(level, start - start % level), st.sampled_from(LEVELS), starts
    )
    return State(draw(st.frozensets(starts, max_size=8)), draw(st.frozensets(stale, max_size=8)))


def stretches(found: Cover) -> list[tuple[datetime, datetime]]:
    pieces = [(moment(one.start), moment(one.end)) for one in [*found.summed, *found.cells]]
    return sorted([*pieces, *((one.start, one.end) for one in found.facts)])


def told_by_sums(found: Cover) -> set[Bucket]:
    return {
        Bucket(piece.level, start)
        for piece in found.summed
        for start in range(piece.start, piece.end, piece.level)
    }


@settings(deadline=None)
@given(PERIODS, states(), st.sampled_from(LEVELS))
def test_a_cover_has_neither_gap_nor_overlap(
    period: tuple[datetime, datetime], state: State, coarsest: int
) -> None:
    start, end = period

    found = stretches(cover(start, end, state, coarsest=coarsest))

    assert [first for first, _ in found] == ([start] if start < end else [])[: len(found)] + [
        last for _, last in found[:-1]
    ]
    assert (found[-1][1] if found else start) == end


@settings(deadline=None)
@given(PERIODS, states(), st.sampled_from(LEVELS))
def test_no_sum_is_used_that_is_stale_or_has_a_dirty_part(
    period: tuple[datetime, datetime], state: State, coarsest: int
) -> None:
    found = told_by_sums(cover(*period, state, coarsest=coarsest))

    assert not found & set(state.stale)
    for start in state.dirty:
        assert not found & {Bucket(BUCKET, start), *ancestors(start)}
    assert all(one.level <= coarsest for one in found)


@settings(deadline=None)
@given(PERIODS, states())
def test_what_facts_tell_is_less_than_a_bucket_at_each_end_and_whatever_is_dirty(
    period: tuple[datetime, datetime], state: State
) -> None:
    found = cover(*period, state)

    told = sum((one.end - one.start for one in found.facts), timedelta())
    assert told <= timedelta(seconds=BUCKET) * (2 + len(set(state.dirty)))


def test_a_month_is_told_by_days_with_finer_buckets_at_its_ends() -> None:
    start = datetime(2026, 3, 1, 21, 58, 30, tzinfo=UTC)

    found = cover(start, start + timedelta(days=30), State())

    assert [one.level for one in found.summed] == [3600, 86_400, 10_800, 1800, 300]
    assert len(found.facts) == 2
