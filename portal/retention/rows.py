"""Data that goes row by row: in batches, each a short transaction that waits for nobody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg import sql

from portal.retention.amounts import Amount

BATCH = 2000
# A table of so many bytes is counted rather than estimated: that takes a few milliseconds.
_SMALL = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that are older by the column `at`, and meet the condition `where`.

    Both are SQL of our own. `parameters` are those of `where`, besides `before`.
    """

    table: str
    at: str
    where: str = "true"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def oldest(self) -> datetime | None:
        return _moment(self._ask(_OLDEST, {}))

    def there_is(self) -> Amount:
        """Of a large table as the planner estimates it."""
        whole = amount_in(self.table)
        if self.where == "true" or not whole:
            return whole
        if whole.size_bytes < _SMALL:
            rows = int(self._ask(_COUNT_ALL, {}))
        else:
            rows = int(self._ask(_ESTIMATE, {})[0]["Plan"]["Plan Rows"])
        return share_of(self.table, min(rows, whole.rows))

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        limit = None if most is None else most + 1
        number = int(self._ask(_COUNT, {"before": before, "limit": limit}))
        if most is not None and number > most:
            return share_of(self.table, most, is_least=True)
        return share_of(self.table, number)

    def obstacles(self, before: datetime) -> Iterator[str]:
        return iter(())

    def purge(self, before: datetime) -> Iterator[Amount]:
        """Rows that somebody holds are left for the next turn."""
        bytes_each = share_of(self.table, 1).size_bytes
        gone = BATCH
        while gone == BATCH:
            with connection.cursor() as cursor:
                cursor.execute(
                    self._statement(_DELETE), {**self.parameters, "before": before, "limit": BATCH}
                )
                gone = cursor.rowcount
            if gone:
                yield Amount(gone, gone * bytes_each)

    def _ask(self, statement: str, parameters: Mapping[str, Any]) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(self._statement(statement), {**self.parameters, **parameters})
            [(value,)] = cursor.fetchall()
        return value

    def _statement(self, statement: str) -> str:
        with connection.cursor() as cursor:
            return (
                sql.SQL(statement)
                .format(
                    table=sql.Identifier(self.table),
                    at=sql.Identifier(self.at),
                    where=sql.SQL(self.where),
                )
                .as_string(cursor.connection)
            )


_OLDEST = "SELECT min({at})::timestamptz FROM {table} WHERE {where}"
_COUNT_ALL = "SELECT count(*) FROM {table} WHERE {where}"
_ESTIMATE = "EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE {where}"
_COUNT = """
    SELECT count(*) FROM (
        SELECT FROM {table} WHERE {at} < %(before)s AND {where} LIMIT %(limit)s
    ) AS due
"""
# Without an order: where there is no index for it, the first that are found will do.
_DELETE = """
    DELETE FROM {table} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM {table} WHERE {at} < %(before)s AND {where}
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ))
"""

_SIZE = """
    SELECT CASE WHEN reltuples < 0 OR relpages = 0 THEN NULL ELSE
            reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::integer)
        END::bigint, pg_relation_size(oid), pg_total_relation_size(oid)
    FROM pg_class WHERE oid = to_regclass(%s)
"""


def amount_in(table: str) -> Amount:
    """Rows (estimated in a large table) and bytes with indexes."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, [table])
        [(rows, heap, total)] = cursor.fetchall()
    if rows is None or heap < _SMALL:
        rows = count(table)
    return Amount(rows, total if rows else 0)


def count(table: str) -> int:
    with connection.cursor() as cursor:
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        cursor.execute(statement.as_string(cursor.connection))
        [(number,)] = cursor.fetchall()
    return int(number)


def share_of(table: str, rows: int, *, is_least: bool = False) -> Amount:
    """So many rows of a table, and their share of its bytes."""
    if not rows:
        return Amount()
    whole = amount_in(table)
    size = whole.size_bytes * min(rows / whole.rows, 1) if whole.rows else 0
    return Amount(rows, int(size), is_least=is_least)


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
