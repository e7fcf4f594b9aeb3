"""Tables in day partitions: days made ahead of time, and dropped whole when they are due.

Neither may hold up those who write. Making a day locks the parent so that inserts pass (attaching
a finished table needs SHARE UPDATE EXCLUSIVE), and the partition of all else for a moment. Dropping
one needs the whole table alone: it waits LOCK_WAIT_MS at most, then lets the others go first, and
is tried again at the next turn.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

logger = logging.getLogger(__name__)

DAYS_AHEAD = 7
# Late data of the last days is the rule, not the exception.
DAYS_BACK = 3
LOCK_WAIT_MS = 250
_LOCK_NOT_AVAILABLE = "55P03"
_MAKING = 0x64617973  # any number that nobody else in this database uses
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_Names: TypeAlias = Mapping[str, sql.Composable]


class Unit(StrEnum):
    """What the partition key holds."""

    DATE = "date"
    EPOCH_MS = "epoch_ms"


@dataclass(frozen=True, slots=True)
class DayTable:
    """A table partitioned by UTC day, with a default partition `<name>_other` for all else."""

    name: str
    key: str
    unit: Unit
    # Rows that are updated soon after they are written need room for their new versions.
    fillfactor: int = 100
    # Conditions on rows, in SQL: a day that holds such a row is not dropped;
    needed: str = ""
    # such a row moves to the partition of all else when its day is dropped.
    lasting: str = ""

    def partition_of(self, day: date) -> str:
        return f"{self.name}_{day:%Y%m%d}"

    @property
    def other(self) -> str:
        return f"{self.name}_other"

    def border(self, day: date) -> str | int:
        """Where the day begins, in the units of the key."""
        if self.unit is Unit.DATE:
            return day.isoformat()
        return (day - _EPOCH).days * _DAY_MS


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of a table; `day` is None for the partition of all else.

    `rows` is the planner's estimate, None where nobody has counted yet. `size_bytes` is with
    indexes, and `is_empty` is True where there never was a row.
    """

    name: str
    day: date | None
    rows: int | None
    size_bytes: int
    is_empty: bool


_NAMES = """
    FROM pg_inherits
    JOIN pg_class parent ON parent.oid = inhparent
    JOIN pg_class child ON child.oid = inhrelid
    WHERE parent.relname = %s AND parent.relnamespace = current_schema()::regnamespace
"""
_PARTITIONS = f"""
    SELECT child.relname, child.reltuples::bigint, pg_total_relation_size(child.oid),
        pg_relation_size(child.oid) = 0
    {_NAMES} AND (%s::text IS NULL OR child.relname < %s)
"""


def partitions(table: DayTable, *, before: date | None = None) -> list[Partition]:
    """What there is, oldest day first, all else last; or the days before that one.

    Their sizes are files to look at: some milliseconds for a hundred days.
    """
    # The names of days are in order, and that of all else is behind them.
    end = before and table.partition_of(before)
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS, [table.name, end, end])
        found = [
            Partition(name, _day_of(table, name), None if rows < 0 else rows, size, is_empty)
            for name, rows, size, is_empty in cursor.fetchall()
        ]
    return sorted(found, key=lambda one: (one.day is None, one.day or _EPOCH))


def days(table: DayTable) -> list[date]:
    """The days that there are, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT child.relname {_NAMES}", [table.name])
        found = [_day_of(table, name) for (name,) in cursor.fetchall()]
    return sorted(day for day in found if day)


def oldest_day(table: DayTable) -> date | None:
    """The first day of which there ever was a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT child.relname {_NAMES} AND child.relname <> %s "
            "AND pg_relation_size(child.oid) > 0 ORDER BY child.relname LIMIT 1",
            [table.name, table.other],
        )
        row = cursor.fetchone()
    return _day_of(table, row[0]) if row else None


def _day_of(table: DayTable, partition: str) -> date | None:
    text = partition.removeprefix(f"{table.name}_")
    if len(text) != 8 or not text.isdigit():
        return None
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()


def days_around(today: date) -> list[date]:
    """The days that must be there: those to come, and the last ones."""
    return [today + timedelta(days=number) for number in range(-DAYS_BACK, DAYS_AHEAD + 1)]


def make_days(table: DayTable, wanted: Iterable[date]) -> int:
    """Make the partitions of these days that are missing; returns how many were made.

    Rows of such a day that came before its partition was there move into it.
    """
    return sum(_make(table, day) for day in sorted({*wanted} - {*days(table)}))


def _make(table: DayTable, day: date) -> bool:
    bounds = [table.border(day), table.border(day + timedelta(days=1))]
    names = {
        "parent": sql.Identifier(table.name),
        "child": sql.Identifier(table.partition_of(day)),
        "other": sql.Identifier(table.other),
        "key": sql.Identifier(table.key),
        "start": sql.Literal(bounds[0]),
        "end": sql.Literal(bounds[1]),
        "fillfactor": sql.Literal(table.fillfactor),
    }
    with _alone(f"partition {table.partition_of(day)} is made") as alone:
        # One after the other: whoever waited here may find that it is there.
        alone.cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKING])
        alone.cursor.execute("SELECT to_regclass(%s)", [table.partition_of(day)])
        if alone.cursor.fetchone() != (None,):
            return False
        for statement in _MAKE:
            _execute(alone.cursor, statement, names)
        alone.done = True
    return alone.done


# Inserts of other days go on all the while: only `other` is locked against them, for a moment.
_MAKE = (
    "CREATE TABLE {child} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
    "INCLUDING STORAGE) WITH (fillfactor = {fillfactor})",
    "LOCK TABLE {other} IN ACCESS EXCLUSIVE MODE",
    "WITH early AS (DELETE FROM {other} WHERE {key} >= {start} AND {key} < {end} RETURNING *) "
    "INSERT INTO {child} SELECT * FROM early",
    "ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES FROM ({start}) TO ({end})",
)


def drop_days(table: DayTable, *, before: date) -> list[date]:
    """Drop whole days before that one, oldest first; returns those that are gone.

    One that somebody reads just now stays until the next turn.
    """
    return [one.day for one in due(table, before=before) if one.day and drop(table, one)]


def due(table: DayTable, *, before: date) -> list[Partition]:
    """The days before that one, oldest first."""
    return [one for one in partitions(table, before=before) if one.day]


def drop(table: DayTable, day: Partition) -> bool:
    """Drop one day; False where it stays, because somebody uses it or because it is needed."""
    names = {"parent": sql.Identifier(table.name), "child": sql.Identifier(day.name)}
    if needed_rows(table, day):
        return False
    with _alone(f"partition {day.name} is dropped") as alone:
        # The parent first, as everybody else does.
        _execute(alone.cursor, "LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE", names)
        _execute(alone.cursor, "LOCK TABLE {child} IN ACCESS EXCLUSIVE MODE", names)
        if needed_rows(table, day):
            return False
        if table.lasting:
            _keep_lasting(alone.cursor, table, names)
        _execute(alone.cursor, "DROP TABLE {child}", names)
        alone.done = True
    return alone.done


def _keep_lasting(cursor: CursorWrapper, table: DayTable, names: _Names) -> None:
    """Nobody else sees the table without them: it is locked until they have moved."""
    _execute(cursor, "ALTER TABLE {parent} DETACH PARTITION {child}", names)
    _execute(
        cursor,
        "INSERT INTO {parent} SELECT * FROM {child} WHERE {lasting}",
        {**names, "lasting": sql.SQL(table.lasting)},
    )


def needed_rows(table: DayTable, day: Partition) -> int:
    """How many rows there are because of which the day must stay."""
    if not table.needed:
        return 0
    with connection.cursor() as cursor:
        names = {"child": sql.Identifier(day.name), "needed": sql.SQL(table.needed)}
        _execute(cursor, "SELECT count(*) FROM {child} WHERE {needed}", names)
        [(count,)] = cursor.fetchall()
    return int(count)


def used_since(table: DayTable, day: Partition) -> datetime | None:
    """When the oldest transaction began that uses this day now; None where nobody does."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(activity.xact_start)
            FROM pg_locks JOIN pg_stat_activity activity USING (pid)
            WHERE pg_locks.granted AND pid <> pg_backend_pid()
                AND pg_locks.database = (SELECT oid FROM pg_database
                    WHERE datname = current_database())
                AND pg_locks.relation IN (to_regclass(%s), to_regclass(%s))
            """,
            [table.name, day.name],
        )
        [(since,)] = cursor.fetchall()
    return since if isinstance(since, datetime) else None


@dataclass(slots=True)
class _Alone:
    cursor: CursorWrapper
    done: bool = False


@contextmanager
def _alone(what: str) -> Iterator[_Alone]:
    """A transaction that gives up soon where others hold the table; `done` stays False then."""
    alone = None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            alone = _Alone(cursor)
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_WAIT_MS}ms"])
            yield alone
    except OperationalError as error:
        if alone is None or getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        alone.done = False
        logger.info("The table is in use; %s at the next turn.", what)


def _execute(cursor: CursorWrapper, statement: str, names: _Names) -> None:
    cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))
