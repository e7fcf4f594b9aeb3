"""Figures from the roll-ups: all that a page asks for in one statement, so of one moment.

A period is told by the coarsest sums that fit, its edges and whatever is being corrected by the
facts (see rollups.cover), and new cells are added to both.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection, transaction

from meetings.rollups.cover import BUCKET, LEVELS, Bucket, Cover, State, cover, moment
from meetings.rollups.histogram import between
from meetings.rollups.horizon import horizon
from meetings.rollups.statement import Figure, Statement

# More buckets than these are not counted from the facts by a reader, but left to the compactor.
_MOST_DIRTY = 36


class Row(NamedTuple):
    """What a figure says of one group."""

    figure: str
    at: datetime | None
    name: str
    version: str
    requested: int
    succeeded: int
    failed: int
    dropped: int
    audio_failed: int
    video_failed: int
    people_dropped: int
    people_audio: int
    people_video: int
    people_device: int
    timed: int
    """How many joins told how long they took."""
    p50_ms: float | None
    p95_ms: float | None


@contextmanager
def one_moment() -> Iterator[None]:
    """Have all queries in the block see the same.

    They are short: nothing is compiled, and no worker started.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
                "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0"
            )
        yield


def read_state(start: datetime, end: datetime) -> State:
    """Which roll-ups of the time are not to be used at the moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT DISTINCT 0, extract(epoch FROM bucket)::bigint FROM meetings_rollupdirty
                WHERE bucket >= greatest(%(start)s - interval '300 s', %(first)s)
                    AND bucket < %(end)s)
            UNION ALL
            SELECT level, extract(epoch FROM bucket)::bigint FROM meetings_rollupstale
                WHERE bucket < %(end)s AND bucket + level * interval '1 s' > %(start)s
            """,
            {"start": start, "end": end, "first": horizon()},
        )
        rows = cursor.fetchall()
    dirty = {second for level, second in rows if not level}
    return State(
        dirty if len(dirty) <= _MOST_DIRTY else frozenset(),
        {Bucket(level, second) for level, second in rows if level},
    )


def read(figures: Sequence[Figure], chosen: Mapping[str, str]) -> list[Row]:
    """The rows of all figures, for clients of whom the chosen columns hold these values.

    Figures must have the same bounds or follow each other. Two queries.
    """
    bounds = sorted({*(one.start for one in figures), *(one.end for one in figures)})
    state = read_state(bounds[0], bounds[-1])
    whole = sum((cover(*each, state) for each in pairwise(bounds)), Cover([], [], []))
    statement = Statement(figures, chosen)
    statement.add_live(whole)
    for figure in figures:
        statement.add(figure, cover(figure.start, figure.end, state, coarsest=_coarsest(figure)))
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.parameters)
        return [_row(found) for found in cursor.fetchall()]


def _coarsest(figure: Figure) -> int:
    if figure.step is None:
        return LEVELS[-1]
    step = int(figure.step.total_seconds())
    return max((level for level in LEVELS if step % level == 0), default=BUCKET)


def _row(found: tuple[Any, ...]) -> Row:
    key, second, *told, total, low50, high50, low95, high95 = found
    return Row._make(
        [
            key,
            None if second is None else moment(second),
            *told,
            total or 0,
            _quantile(0.5, total, low50, high50),
            _quantile(0.95, total, low95, high95),
        ]
    )


def _quantile(share: float, total: int | None, low: int, high: int) -> float | None:
    if not total:
        return None
    rank = share * (total - 1)
    return between(low, high, rank - int(rank))
