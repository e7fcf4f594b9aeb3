# ruff: noqa: S608 - statements are put together of parts of our own, values are parameters
"""The one statement that reads all figures of a page from roll-ups and facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from meetings.rollups.cover import BUCKET, Cover, Piece, Stretch, moment
from meetings.rollups.families import CELLS, COLUMNS, KIND_COLUMNS, family_for
from meetings.rollups.tallies import (
    COUNTS,
    MEETING_OF_TROUBLE,
    NAMES,
    REGION_OF_EVENT,
    TALLY,
    added_up,
    facts,
    merged,
    people,
)
from meetings.rollups.troubles import has_event


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

    @property
    def columns(self) -> set[str]:
        """All that must be told apart."""
        return {*self.only, *filter(None, [self.name, self.version])}


# Of a moment within a stretch of facts: where its bucket, or the stretch, begins. So there are few
# moments, and no step of a figure ends between one and what it stands for.
_AT = f"greatest(stretch.first, date_bin('{BUCKET} s', {{}}, to_timestamp(0)))"


class Statement:
    """Put together figure by figure. Values are parameters, all else is ours."""

    def __init__(self, figures: Sequence[Figure], chosen: Mapping[str, str]) -> None:
        self._chosen = dict(chosen)
        timed = [figure for figure in figures if figure.is_timed and not figure.is_fine]
        self._timed_columns = sorted({column for one in timed for column in one.columns})
        # Looked up meeting by meeting, so only where somebody asks.
        self._has_regions = "region" in {
            *chosen,
            *(name for one in figures for name in one.columns),
        }
        self._tables: list[str] = []
        self._selects: list[str] = []
        self._shared: dict[tuple[Any, ...], str] = {}
        self.parameters: dict[str, Any] = {"names": NAMES}

    @property
    def text(self) -> str:
        return f"WITH {', '.join(self._tables)} {' UNION ALL '.join(self._selects)}"

    def add_live(self, whole: Cover) -> None:
        """What every figure needs: from facts, from cells without sums, and new cells."""
        parts = []
        if whole.facts:
            parts += [self._facts(whole.facts, at=_AT), self._people(whole.facts)]
        if whole.cells:
            parts.append(self._cells(whole.cells, "NOT cell.is_new"))
        if whole.cells or whole.summed:
            parts.append(self._cells([*whole.summed, *whole.cells], "cell.is_new"))
        self._tables.append(f"live AS MATERIALIZED ({' UNION ALL '.join(parts)})")
        # Figures of durations share one look at the single ones.
        by = ("at", *self._timed_columns)
        source = f"SELECT {', '.join((*by, *TALLY))} FROM live"
        columns = ", ".join((*by, *TALLY))
        self._tables.append(f"live_timed ({columns}) AS MATERIALIZED ({added_up(source, by)})")

    def add(self, figure: Figure, covered: Cover) -> None:
        if figure.is_fine:
            self._add(figure, f"({self._facts([Stretch(figure.start, figure.end)])})")
            return
        live = "live_timed" if figure.is_timed else "live"
        tally = TALLY if figure.is_timed else COUNTS
        parts = ", ".join(("at", *sorted(figure.columns), *tally))
        sources = [f"SELECT {parts} FROM {live} WHERE {self._within(figure)}"]
        if covered.summed:
            family = family_for({*self._chosen, *figure.columns})
            sources.append(f"SELECT {parts} FROM {self._summed(family, covered.summed)}")
        self._add(figure, f"({' UNION ALL '.join(sources)})")

    def _summed(self, family: str, pieces: Sequence[Piece]) -> str:
        """Figures that need the same sums have them looked up once."""
        key = (family, *pieces)
        table = self._shared.get(key)
        if table is None:
            table = self._shared[key] = f"summed_{len(self._shared)}"
            cells = [one for one in pieces if one.level == BUCKET] if family == CELLS else []
            sums = [one for one in pieces if one not in cells]
            sources = [self._cells(cells, "NOT cell.is_new")] if cells else []
            sources += [self._sums(family, sums)] if sums else []
            self._tables.append(f"{table} AS ({' UNION ALL '.join(sources)})")
        return table

    # --- Sources ----------------------------------------------------------------------------

    def _facts(self, stretches: Sequence[Stretch], *, at: str = "{}") -> str:
        columns = ", ".join(f"c.{column}" for column in KIND_COLUMNS)
        select = facts(
            f"{at.format('e.happened_at')} AS at, {columns}, {self._region(REGION_OF_EVENT)}",
            self._is_chosen("c", REGION_OF_EVENT),
        )
        starts, ends = self._bounds(stretches)
        return select.replace("%(starts)s", starts).replace("%(ends)s", ends)

    def _people(self, stretches: Sequence[Stretch]) -> str:
        """Trouble is simple if it is all in one bucket, which may reach out of the stretch."""
        columns = ", ".join(f"k.{column}" for column in KIND_COLUMNS)
        starts, ends = self._bounds(stretches)
        bucket = f"interval '{BUCKET} s'"
        return people(
            f"{_AT.format('t.first_at')} AS at, {columns}, {self._region('m.media_region')}",
            f"(stretch.last - stretch.first >= {bucket} "
            f"OR {has_event('stretch.first', 'stretch.last')}) "
            f"AND {self._is_chosen('k', 'm.media_region')}",
            trouble=f"""
                unnest({starts}::timestamptz[], {ends}::timestamptz[]) AS stretch (first, last)
                CROSS JOIN LATERAL (
                    SELECT * FROM meetings_rolluptrouble trouble
                    WHERE trouble.is_simple AND trouble.first_at > stretch.first - {bucket}
                        AND trouble.first_at < stretch.last AND trouble.last_at >= stretch.first
                    OFFSET 0
                ) AS t
            """,
            joins=MEETING_OF_TROUBLE if self._has_regions else "",
        )

    def _region(self, told: str) -> str:
        region = told if self._has_regions else "''::text"
        return f"{region} AS region"

    def _bounds(self, stretches: Sequence[Stretch]) -> tuple[str, str]:
        return (
            self._value([one.start for one in stretches]),
            self._value([one.end for one in stretches]),
        )

    def _cells(self, pieces: Sequence[Piece], which: str) -> str:
        columns = ", ".join(f"k.{column}" for column in KIND_COLUMNS)
        tally = ", ".join(f"cell.{column}" for column in TALLY)
        return f"""
            SELECT cell.bucket AS at, {columns}, cell.region, {tally}
            FROM {self._pieces(pieces)}
            CROSS JOIN LATERAL (
                SELECT * FROM meetings_rollupcell cell
                WHERE cell.bucket >= piece.start AND cell.bucket < piece.end AND {which}
                    AND {self._is_of_chosen_kind()}
                OFFSET 0
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
                    AND one.bucket >= piece.start AND one.bucket < piece.end
                    AND {self._is_chosen("one", "one.region")}
                OFFSET 0
            ) AS one
        """

    def _pieces(self, pieces: Sequence[Piece]) -> str:
        levels = self._value([piece.level for piece in pieces])
        starts = self._value([moment(piece.start) for piece in pieces])
        ends = self._value([moment(piece.end) for piece in pieces])
        return (
            f"unnest({levels}::integer[], {starts}::timestamptz[], {ends}::timestamptz[]) "
            'AS piece (level, start, "end")'
        )

    def _is_of_chosen_kind(self) -> str:
        """So that of all cells of the time only these are looked at, by the index."""
        conditions = [
            f"chosen.{column} = {self._value(value)}"
            for column, value in self._chosen.items()
            if column != "region"
        ]
        if not conditions:
            return "true"
        return (
            "cell.kind_id = ANY(ARRAY("
            f"SELECT id FROM meetings_clientkind chosen WHERE {' AND '.join(conditions)}))"
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
        parts = (
            f"SELECT coalesce({at}, '-infinity') AS t, {figure.name or repr('')} AS name, "
            f"{figure.version or repr('')} AS version, "
            f"{', '.join(TALLY if figure.is_timed else COUNTS)} "
            f"FROM {source} AS source WHERE {conditions or 'true'}"
        )
        sums = ", ".join(f"sum({count})::bigint AS {count}" for count in COUNTS)
        quantiles = "0, 0, 0, 0, 0"
        if figure.is_timed:
            groups = self._add_histograms(key, parts, sums)
            quantiles = ", ".join(["upto[cardinality(upto)]", *_ranks(0.5), *_ranks(0.95)])
        else:
            groups = (
                f"(SELECT t, name, version, {sums} FROM ({parts}) AS parts "
                "GROUP BY t, name, version) AS counted"
            )
        order = ""
        if figure.most is not None:
            groups = f"{groups} WHERE requested > 0"
            order = f"ORDER BY requested DESC, name, version LIMIT {figure.most:d}"
        self._selects.append(
            f"(SELECT '{key}', extract(epoch FROM nullif(t, '-infinity'))::bigint, name, version, "
            f"{', '.join(COUNTS)}, {quantiles} FROM {groups} {order})"
        )

    def _add_histograms(self, key: str, parts: str, sums: str) -> str:
        """Most groups have one histogram, which is used as it is: the greatest, as () is least."""
        keys = ("t", "name", "version")
        by = ", ".join(keys)
        several = (
            f"(SELECT {by}, bins, upto FROM {key}_parts WHERE bins <> '{{}}' "
            f"AND ({by}) IN (SELECT {by} FROM {key}_counted WHERE histograms > 1))"
        )
        self._tables += [
            f"{key}_parts AS MATERIALIZED ({parts})",
            f"{key}_counted AS MATERIALIZED (SELECT {by}, {sums}, max(bins) AS bins, "
            "max(upto) AS upto, count(*) FILTER (WHERE bins <> '{}') AS histograms "
            f"FROM {key}_parts GROUP BY {by})",
            f"{key}_several AS MATERIALIZED {several}",
        ]
        counts = ", ".join(COUNTS)
        return (
            f"(SELECT {by}, {counts}, bins, upto FROM {key}_counted WHERE histograms < 2 UNION ALL "
            f"SELECT {by}, {counts}, one.bins, one.upto FROM {key}_counted "
            f"JOIN ({merged(f'{key}_several', keys)}) AS one USING ({by}) WHERE histograms > 1"
            ") AS counted"
        )

    def _value(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"


def _ranks(share: float) -> Iterator[str]:
    """The bins of the two values next to a quantile."""
    rank = f"({share} * (upto[cardinality(upto)] - 1))"
    for rounded in (f"floor({rank})", f"ceil({rank})"):
        yield f"bins[width_bucket({rounded}::bigint, upto) + 1]"
