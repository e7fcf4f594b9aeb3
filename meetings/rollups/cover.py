"""Which rows tell a stretch of time: whole buckets as coarse as they come, the rest from facts.

Everything here is in whole seconds since 1970 except the two ends, which may fall anywhere.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# Lengths of buckets. Each divides the next, and all begin at 1970-01-01 UTC.
BUCKET = 300
LEVELS = (BUCKET, 1800, 3600, 10_800, 86_400)
COARSER = LEVELS[1:]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Bucket(NamedTuple):
    level: int
    start: int


class Piece(NamedTuple):
    """Buckets of one level in a row: those from `start` up to, not including, `end`."""

    level: int
    start: int
    end: int


class Stretch(NamedTuple):
    """From `start` up to, not including, `end`: told by the facts themselves."""

    start: datetime
    end: datetime


def seconds(moment: datetime) -> float:
    """Since 1970. Exact to the microsecond for some centuries."""
    return (moment - EPOCH) // _MICROSECOND / 1_000_000


def moment(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


def bucket_of(at: datetime) -> int:
    return (at - EPOCH) // timedelta(seconds=BUCKET) * BUCKET


@dataclass(frozen=True, slots=True)
class State:
    """What the roll-ups do not tell at the moment.

    `dirty`: buckets of 300 s to be counted anew, as what was counted has changed.
    `stale`: buckets of any level of which the sums are not those of their parts.
    """

    dirty: Collection[int] = frozenset()
    stale: Collection[Bucket] = frozenset()

    def unusable(self) -> set[Bucket]:
        found = set(self.stale)
        for start in (*self.dirty, *(one.start for one in self.stale if one.level == BUCKET)):
            found.update(ancestors(start))
        return found


def ancestors(start: int) -> Iterator[Bucket]:
    """The coarser buckets that a bucket of 300 s is part of."""
    return (Bucket(level, start - start % level) for level in COARSER)


@dataclass(frozen=True, slots=True)
class Cover:
    """A stretch of time without gap or overlap.

    `summed` are told by sums over kinds of clients, `cells` by the single cells (those of 300 s of
    which the sums are stale), `facts` by the facts.
    """

    summed: list[Piece]
    cells: list[Piece]
    facts: list[Stretch]

    def __add__(self, other: "Cover") -> "Cover":
        return Cover(self.summed + other.summed, self.cells + other.cells, self.facts + other.facts)


def cover(start: datetime, end: datetime, state: State, *, coarsest: int = LEVELS[-1]) -> Cover:
    """Tell [start, end) by as few buckets as can be, none of them longer than `coarsest`."""
    first = math.ceil(seconds(start) / BUCKET) * BUCKET
    last = math.floor(seconds(end) / BUCKET) * BUCKET
    if first >= last:
        return Cover([], [], [Stretch(start, end)] if start < end else [])
    levels = [level for level in LEVELS if level <= coarsest]
    unusable, dirty = state.unusable(), set(state.dirty)
    pieces = _joined(_buckets(first, last, levels, unusable, dirty))
    edges = [Stretch(start, moment(first)), Stretch(moment(last), end)]
    return Cover(
        summed=[piece for piece in pieces if piece.level in LEVELS],
        cells=[Piece(BUCKET, *piece[1:]) for piece in pieces if piece.level == _CELLS],
        facts=[
            *(edge for edge in edges if edge.start < edge.end),
            *(
                Stretch(moment(piece.start), moment(piece.end))
                for piece in pieces
                if piece.level == _FACTS
            ),
        ],
    )


# In place of a level, while pieces are put together.
_CELLS, _FACTS = -1, -2


def _buckets(
    first: int, last: int, levels: list[int], unusable: set[Bucket], dirty: set[int]
) -> Iterator[Piece]:
    at = first
    while at < last:
        level = next(
            (
                level
                for level in reversed(levels)
                if at % level == 0 and at + level <= last and Bucket(level, at) not in unusable
            ),
            _CELLS,
        )
        if at in dirty:
            level = _FACTS
        step = max(level, BUCKET)
        yield Piece(level, at, at + step)
        at += step


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].level == piece.level and found[-1].end == piece.start:
            piece = Piece(piece.level, found.pop().start, piece.end)
        found.append(piece)
    return found
