# ruff: noqa: S608 - statements are put together of parts of our own, values are parameters
"""The one who brings roll-ups together. A loop beside each drain; one of all works at a time.

A pass makes new cells one with those before them, counts dirty buckets anew from the facts, and
makes the sums of buckets that are over.

Why nothing is lost or counted twice while drains go on: a drain commits facts, their new cells and
its marks together, and inserts only. A pass sees one snapshot (REPEATABLE READ): of each of those
transactions all or nothing. It removes the cells that it sees and puts in what they add up to, or
what the facts that it sees add up to, which are the facts of just those cells. What a drain commits
meanwhile is in neither, stays, and is taken up by the next pass. Nobody else removes or changes
cells: that is what the lock is for, which must be held before the snapshot is taken.
"""

import logging
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from meetings.rollups import kinds
from meetings.rollups.cover import BUCKET, COARSER, LEVELS
from meetings.rollups.families import CELLS, COLUMNS, FAMILIES, KIND_COLUMNS
from meetings.rollups.horizon import horizon
from meetings.rollups.models import RollupDirty
from meetings.rollups.tallies import (
    KIND_OF_CLIENT,
    MEETING_OF_TROUBLE,
    NAMES,
    REGION_OF_EVENT,
    TALLY,
    added_up,
    facts,
    people,
)

logger = logging.getLogger(__name__)

# Readers add up new cells themselves, so figures do not wait for a pass.
IDLE_SECONDS = 2.0
# How long sums stay as they are after something late has changed a part of theirs.
PATIENCE = {300: 30, 1800: 60, 3600: 120, 10_800: 600, 86_400: 1200}
_MOST_DIRTY = 36  # buckets in one pass: some seconds of work on a busy day
_MOST_SUMS = 500
_LOCK = 0x726F6C6C  # any number that nobody else in this database uses


def run(stop: threading.Event) -> None:
    """Compact until told to stop."""
    while not stop.is_set():
        try:
            with only_one() as is_chosen:
                has_more = is_chosen and compact()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Roll-ups wait for the database: %s", error)
            connection.close()
            has_more = False
        if not has_more:
            stop.wait(IDLE_SECONDS)
    connection.close()


@contextmanager
def only_one(*, wait: bool = False) -> Iterator[bool]:
    """Whether this one may change cells and sums; until the block ends nobody else may."""
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK])
        [answer] = cursor.fetchone()
    is_chosen = wait or bool(answer)
    try:
        yield is_chosen
    finally:
        # A connection that broke has lost its lock already.
        if is_chosen and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def compact(*, now: datetime | None = None) -> bool:
    """One pass, by whoever holds the lock. Returns whether there is more to do at once."""
    now = now or timezone.now()
    if RollupDirty.objects.exists():
        kinds.add_missing()  # for facts from before there were roll-ups
    with snapshot():
        taken = _take_dirty()
        first = horizon(now)
        dirty = [bucket for bucket in taken if first is None or bucket >= first]
        recount(dirty)
        touched = _merge_new()
        mark_stale({*dirty, *touched}, now)
    return make_sums(now) or len(taken) == _MOST_DIRTY


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction whose statements all see the same. Inside another one: that one's."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


# --- Cells --------------------------------------------------------------------------------------


def _take_dirty() -> list[datetime]:
    buckets = _column(
        "SELECT DISTINCT bucket FROM meetings_rollupdirty ORDER BY bucket DESC LIMIT %s",
        [_MOST_DIRTY],
    )
    if buckets:
        _execute("DELETE FROM meetings_rollupdirty WHERE bucket = ANY(%s)", [buckets])
    return buckets


_RECOUNT = f"""
    INSERT INTO meetings_rollupcell (bucket, kind_id, region, {", ".join(TALLY)}, is_new)
    SELECT *, false FROM ({
    added_up(
        facts(
            f"date_bin('{BUCKET} s', e.happened_at, to_timestamp(0)) AS bucket, "
            f"k.id AS kind_id, {REGION_OF_EVENT} AS region",
            "true",
            joins=KIND_OF_CLIENT,
        )
        + " UNION ALL "
        + people(
            f"date_bin('{BUCKET} s', t.first_at, to_timestamp(0)), k.id, m.media_region",
            "t.first_at >= %(start)s AND t.first_at < %(end)s",
            joins=MEETING_OF_TROUBLE,
        ),
        ["bucket", "kind_id", "region"],
    )
}) AS counted
    RETURNING bucket
"""


def recount(buckets: Sequence[datetime]) -> set[datetime]:
    """Replace cells by what the facts say; returns the buckets that had or have any."""
    if not buckets:
        return set()
    touched = set(
        _column(
            "DELETE FROM meetings_rollupcell WHERE bucket = ANY(%s) RETURNING bucket",
            [list(buckets)],
        )
    )
    for start, end in _runs(buckets):
        touched.update(_column(_RECOUNT, _stretch(start, end)))
    return touched


def _stretch(start: datetime, end: datetime) -> dict[str, Any]:
    return {"start": start, "end": end, "starts": [start], "ends": [end], "names": NAMES}


def _runs(buckets: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Neighbours together, an hour at most."""
    length, longest = timedelta(seconds=BUCKET), timedelta(hours=1)
    ordered = sorted(buckets)
    start = end = ordered[0]
    for bucket in ordered:
        if bucket > end or bucket - start >= longest:
            yield start, end
            start = bucket
        end = bucket + length
    yield start, end


_CELL = "bucket, kind_id, region"
_MERGE = f"""
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT {_CELL} FROM meetings_rollupcell WHERE is_new
    ),
    gone AS (
        DELETE FROM meetings_rollupcell USING touched
        WHERE meetings_rollupcell.bucket = touched.bucket
            AND meetings_rollupcell.kind_id = touched.kind_id
            AND meetings_rollupcell.region = touched.region
        RETURNING meetings_rollupcell.*
    ),
    added AS (
        INSERT INTO meetings_rollupcell ({_CELL}, {", ".join(TALLY)}, is_new)
        SELECT *, false FROM ({added_up("SELECT * FROM gone", _CELL.split(", "))}) AS counted
        RETURNING bucket
    )
    SELECT DISTINCT bucket FROM added
"""


def _merge_new() -> list[datetime]:
    """Make several rows of one cell one; returns the buckets that had new ones."""
    return _column(_MERGE)


def buckets_summed(start: datetime, end: datetime) -> list[datetime]:
    """Buckets of 300 s of which there are sums."""
    return _column(
        "SELECT bucket FROM meetings_rollupsum "
        "WHERE family = 'all' AND level = %s AND bucket >= %s AND bucket < %s",
        [BUCKET, start, end],
    )


def mark_stale(buckets: Collection[datetime], now: datetime) -> None:
    """The sums that these buckets are part of are no longer true."""
    if buckets:
        _execute(
            """
            INSERT INTO meetings_rollupstale (level, bucket, since)
            SELECT DISTINCT level, date_bin(level * interval '1 s', bucket, to_timestamp(0)),
                %s::timestamptz
            FROM unnest(%s::timestamptz[]) AS bucket, unnest(%s::integer[]) AS level
            ON CONFLICT (level, bucket) DO NOTHING
            """,
            [now, list(buckets), list(LEVELS)],
        )


# --- Sums ---------------------------------------------------------------------------------------


def make_sums(now: datetime, *, patience: bool = True) -> bool:
    """Make the sums of stale buckets that are over; returns whether there are more."""
    for level in LEVELS:
        due = _due(level, now, patience=patience)
        for bucket in due:
            with transaction.atomic():
                if level > COARSER[0]:
                    _make_parts(level, bucket)
                _make(level, bucket)
        if len(due) == _MOST_SUMS:
            return True
    return False


def _due(level: int, now: datetime, *, patience: bool) -> list[datetime]:
    late = timedelta(seconds=PATIENCE[level] if patience else 0)
    length = timedelta(seconds=level)
    return _column(
        "SELECT bucket FROM meetings_rollupstale "
        "WHERE level = %s AND bucket <= %s AND since <= %s "
        "ORDER BY bucket DESC LIMIT %s",
        [level, now - length - late, now - late, _MOST_SUMS],
    )


def _make_parts(level: int, bucket: datetime) -> None:
    """Longer buckets are made from the shortest that have sums of kinds."""
    parts = _column(
        "SELECT bucket FROM meetings_rollupstale "
        "WHERE level = %s AND bucket >= %s AND bucket < %s ORDER BY bucket",
        [COARSER[0], bucket, bucket + timedelta(seconds=level)],
    )
    for part in parts:
        _make(COARSER[0], part)


_FROM_CELLS = f"""
    SELECT {", ".join(f"k.{column}" for column in KIND_COLUMNS)}, cell.region,
        {", ".join(f"cell.{column}" for column in TALLY)}
    FROM meetings_rollupcell cell JOIN meetings_clientkind k ON k.id = cell.kind_id
    WHERE NOT cell.is_new AND cell.bucket >= %(start)s AND cell.bucket < %(end)s
"""
_FROM_PARTS = f"""
    SELECT {", ".join((*COLUMNS, *TALLY))} FROM meetings_rollupsum
    WHERE family = '{CELLS}' AND level = {COARSER[0]} AND bucket >= %(start)s AND bucket < %(end)s
"""


def _sums(source: str, *, with_kinds: bool) -> str:
    """All families of one bucket. Kinds first: the other families then have less to add up."""
    selects = []
    for family, kept in FAMILIES.items():
        told = ", ".join(
            f"{column} AS {column}" if column in kept else f"'' AS {column}" for column in COLUMNS
        )
        if family != CELLS:
            selects.append(f"SELECT '{family}' AS family, {told}, {', '.join(TALLY)} FROM by_kind")
    spread = added_up(" UNION ALL ".join(selects), ("family", *COLUMNS))
    kinds = f"UNION ALL SELECT '{CELLS}', by_kind.* FROM by_kind" if with_kinds else ""
    return f"""
        INSERT INTO meetings_rollupsum
            (level, bucket, family, {", ".join(COLUMNS)}, {", ".join(TALLY)})
        WITH by_kind ({", ".join((*COLUMNS, *TALLY))}) AS MATERIALIZED (
            {added_up(source, COLUMNS)}
        )
        SELECT %(level)s, %(start)s, sums.* FROM (
            (SELECT * FROM ({spread}) AS spread)
            {kinds}
        ) AS sums
    """


# The cells of 300 s are there already.
_MAKE = {
    BUCKET: _sums(_FROM_CELLS, with_kinds=False),
    COARSER[0]: _sums(_FROM_CELLS, with_kinds=True),
    **{level: _sums(_FROM_PARTS, with_kinds=True) for level in COARSER[1:]},
}


def _make(level: int, bucket: datetime) -> None:
    _execute(
        "DELETE FROM meetings_rollupsum WHERE family = ANY(%s) AND level = %s AND bucket = %s",
        [list(FAMILIES), level, bucket],
    )
    end = bucket + timedelta(seconds=level)
    _execute(_MAKE[level], {"level": level, "start": bucket, "end": end})
    _execute("DELETE FROM meetings_rollupstale WHERE level = %s AND bucket = %s", [level, bucket])


def _execute(statement: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _column(statement: str, parameters: Any = None) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [value for (value,) in cursor.fetchall()]
