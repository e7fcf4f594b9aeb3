# ruff: noqa: S608 - statements are put together of parts of our own, values are parameters
"""Figures from the roll-ups: all that a page asks for in one statement, so of one moment.

A period is told by the coarsest sums that fit, its edges and whatever is being corrected by the
facts (see rollups.cover), and new cells are added to both.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection, transaction

from meetings.rollups.cover import (
    BUCKET,
    LEVELS,
    Bucket,
    Cover,
    Piece,
    State,
    Stretch,
    cover,
    moment,
)
from meetings.rollups.families import CELLS, COLUMNS, KIND_COLUMNS, family_for
from meetings.rollups.histogram import between
from meetings.rollups.tallies import COUNTS, NAMES, REGION_OF_EVENT, TALLY, facts, merged, people
from meetings.rollups.troubles import has_event

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


@dataclass(frozen=True, slots=True)
class Figure:
    """What to count, and by what.

    `name` and `version`: columns to keep apart, or empty. `step`: how long the stretches are into
    which the time is cut; None for all of it as one. `only`: what a column must hold. `most`: the
    greatest groups by attempts. `is_fine`: the step is shorter than a bucket, so facts are asked.
    """

    key: str
    start: datetime
    end: datetime
    name: str = ""
    version: str = ""
    step: timedelta | None = None
    is_timed: bool = False
    only: Mapping[str, str] = field(default_factory=dict)
    most: int | None = None
    is_fine: bool = False


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
                WHERE bucket >= %(start)s - interval '300 s' AND bucket < %(end)s)
            UNION ALL
            SELECT level, extract(epoch FROM bucket)::bigint FROM meetings_rollupstale
                WHERE bucket < %(end)s AND bucket + level * interval '1 s' > %(start)s
            """,
            {"start": start, "end": end},
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
    statement = _Statement(chosen)
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
    *told, total, low50, high50, low95, high95 = found
    return Row._make(
        [
            *told[:4],
            *map(int, told[4:]),
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


_PARTS = ", ".join(("at", *COLUMNS, *TALLY))


class _Statement:
    """Put together figure by figure. Values are parameters, all else is ours."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = dict(chosen)
        self._tables: list[str] = []
        self._selects: list[str] = []
        self._shared: dict[tuple[Any, ...], str] = {}
        self.parameters: dict[str, Any] = {"names": NAMES}

    @property
    def text(self) -> str:
        return f"WITH {', '.join(self._tables)} {' UNION ALL '.join(self._selects)}"

    def add_live(self, whole: Cover) -> None:
        """What every figure needs: from facts, from cells without sums, and new cells."""
        parts = [self._facts(whole.facts), *self._people(whole.facts)]
        if whole.cells:
            parts.append(self._cells(whole.cells, "NOT cell.is_new"))
        if whole.cells or whole.summed:
            parts.append(self._cells([*whole.summed, *whole.cells], "cell.is_new"))
        self._tables.append(f"live AS MATERIALIZED ({' UNION ALL '.join(parts)})")

    def add(self, figure: Figure, covered: Cover) -> None:
        if figure.is_fine:
            self._add(figure, f"({self._facts([Stretch(figure.start, figure.end)])})")
            return
        columns = {*self._chosen, *figure.only, *filter(None, [figure.name, figure.version])}
        live = f"SELECT {_PARTS} FROM live WHERE {self._within(figure)}"
        summed = self._summed(family_for(columns), covered.summed)
        self._add(figure, f"({' UNION ALL '.join([live, *summed])})")

    def _summed(self, family: str, pieces: Sequence[Piece]) -> list[str]:
        """Figures that need the same sums have them looked up once."""
        if not pieces:
            return []
        key = (family, *pieces)
        table = self._shared.get(key)
        if table is None:
            table = self._shared[key] = f"summed_{len(self._shared)}"
            cells = [one for one in pieces if one.level == BUCKET] if family == CELLS else []
            sums = [one for one in pieces if one not in cells]
            sources = [self._cells(cells, "NOT cell.is_new")] if cells else []
            sources += [self._sums(family, sums)] if sums else []
            self._tables.append(f"{table} AS ({' UNION ALL '.join(sources)})")
        return [f"SELECT {_PARTS} FROM {table}"]

    # --- Sources ----------------------------------------------------------------------------

    def _facts(self, stretches: Sequence[Stretch]) -> str:
        columns = ", ".join(f"c.{column}" for column in KIND_COLUMNS)
        select = facts(
            f"e.happened_at AS at, {columns}, {REGION_OF_EVENT} AS region",
            self._is_chosen("c", REGION_OF_EVENT),
        )
        starts = self._value([one.start for one in stretches])
        ends = self._value([one.end for one in stretches])
        return select.replace("%(starts)s", starts).replace("%(ends)s", ends)

    def _people(self, stretches: Sequence[Stretch]) -> Iterator[str]:
        """Trouble is simple if it is all in one bucket, which may reach out of the stretch."""
        columns = ", ".join(f"k.{column}" for column in KIND_COLUMNS)
        for one in stretches:
            start, end = self._value(one.start), self._value(one.end)
            is_within_a_bucket = one.end - one.start < timedelta(seconds=BUCKET)
            yield people(
                f"greatest(t.first_at, {start}) AS at, {columns}, m.media_region AS region",
                f"t.first_at > {start}::timestamptz - interval '{BUCKET} s' "
                f"AND t.first_at < {end} AND t.last_at >= {start} "
                f"AND {has_event(start, end) if is_within_a_bucket else 'true'} "
                f"AND {self._is_chosen('k', 'm.media_region')}",
            )

    def _cells(self, pieces: Sequence[Piece], which: str) -> str:
        columns = ", ".join(f"k.{column}" for column in KIND_COLUMNS)
        tally = ", ".join(f"cell.{column}" for column in TALLY)
        return f"""
            SELECT cell.bucket AS at, {columns}, cell.region, {tally}
            FROM {self._pieces(pieces)}
            CROSS JOIN LATERAL (
                SELECT * FROM meetings_rollupcell cell
                WHERE cell.bucket >= piece.start AND cell.bucket < piece.end AND {which} OFFSET 0
            ) AS cell
            JOIN meetings_clientkind k ON k.id = cell.kind_id
            WHERE {self._is_chosen("k", "cell.region")}
        """

    def _sums(self, family: str, pieces: Sequence[Piece]) -> str:
        return f"""
            SELECT one.bucket AS at, {", ".join(f"one.{c}" for c in (*COLUMNS, *TALLY))}
            FROM {self._pieces(pieces)}
            CROSS JOIN LATERAL (
                SELECT * FROM meetings_rollupsum one
                WHERE one.family = '{family}' AND one.level = piece.level
                    AND one.bucket >= piece.start AND one.bucket < piece.end OFFSET 0
            ) AS one
            WHERE {self._is_chosen("one", "one.region")}
        """

    def _pieces(self, pieces: Sequence[Piece]) -> str:
        levels = self._value([piece.level for piece in pieces])
        starts = self._value([moment(piece.start) for piece in pieces])
        ends = self._value([moment(piece.end) for piece in pieces])
        return (
            f"unnest({levels}::integer[], {starts}::timestamptz[], {ends}::timestamptz[]) "
            'AS piece (level, start, "end")'
        )

    def _is_chosen(self, table: str, region: str) -> str:
        conditions = [
            f"{region if column == 'region' else f'{table}.{column}'} = {self._value(value)}"
            for column, value in self._chosen.items()
        ]
        return " AND ".join(conditions) or "true"

    def _within(self, figure: Figure) -> str:
        # Cells of 300 s are of the figure's time if they begin in it.
        return f"at >= {self._value(figure.start)} AND at < {self._value(figure.end)}"

    # --- Figures ----------------------------------------------------------------------------

    def _add(self, figure: Figure, source: str) -> None:
        key = figure.key
        at = (
            f"date_bin({self._value(figure.step)}, at, to_timestamp(0))"
            if figure.step
            else "NULL::timestamptz"
        )
        conditions = " AND ".join(
            f"{column} = {self._value(value)}" for column, value in figure.only.items()
        )
        self._tables.append(
            f"{key}_parts AS MATERIALIZED ("
            f"SELECT coalesce({at}, '-infinity') AS t, {figure.name or repr('')} AS name, "
            f"{figure.version or repr('')} AS version, {', '.join(TALLY)} "
            f"FROM {source} AS source WHERE {conditions or 'true'})"
        )
        sums = ", ".join(f"sum({count}) AS {count}" for count in COUNTS)
        groups = f"SELECT t, name, version, {sums} FROM {key}_parts GROUP BY t, name, version"
        quantiles = "0, 0, 0, 0, 0"
        if figure.is_timed:
            self._add_histograms(key)
            groups = f"({groups}) AS counted LEFT JOIN {key}_merged USING (t, name, version)"
            quantiles = ", ".join(["upto[cardinality(upto)]", *_ranks(0.5), *_ranks(0.95)])
        else:
            groups = f"({groups}) AS counted"
        order = ""
        if figure.most is not None:
            groups = f"{groups} WHERE requested > 0"
            order = f"ORDER BY requested DESC, name, version LIMIT {figure.most:d}"
        self._selects.append(
            f"(SELECT '{key}', nullif(t, '-infinity'), name, version, {', '.join(COUNTS)}, "
            f"{quantiles} FROM {groups} {order})"
        )

    def _add_histograms(self, key: str) -> None:
        """Most groups have one histogram, which is used as it is."""
        by = ("t", "name", "version")
        self._tables += [
            f"{key}_timed AS MATERIALIZED (SELECT {', '.join(by)}, bins, upto, "
            f"count(*) OVER (PARTITION BY {', '.join(by)}) AS parts "
            f"FROM {key}_parts WHERE bins <> '{{}}')",
            f"{key}_merged AS (SELECT {', '.join(by)}, bins, upto FROM {key}_timed WHERE parts = 1 "
            f"UNION ALL {merged(f'(SELECT * FROM {key}_timed WHERE parts > 1)', by)})",
        ]

    def _value(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"


def _ranks(share: float) -> Iterator[str]:
    """The bins of the two values next to a quantile."""
    rank = f"({share} * (upto[cardinality(upto)] - 1))"
    for rounded in (f"floor({rank})", f"ceil({rank})"):
        yield f"bins[width_bucket({rounded}::bigint, upto) + 1]"
