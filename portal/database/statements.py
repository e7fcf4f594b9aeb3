"""Statements about many rows at once, without what an ORM's cursor costs.

Values go to the server as they are, a column of all rows as one array: Django's cursor would write
them into the statement, element by element.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection

# A moment given in microseconds since 1970, to be filled with the name of a column.
MOMENT = "TIMESTAMPTZ 'epoch' + {} * INTERVAL '1 microsecond'"


def run(
    statement: LiteralString, parameters: Mapping[str, Any] | Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """The rows that the statement returns, if it returns any. Joins the caller's transaction."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def integers(values: Iterable[int]) -> str:
    """An array as PostgreSQL reads it."""
    return f"{{{','.join(map(str, values))}}}"


def numbers(values: Iterable[float | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def booleans(values: Iterable[bool]) -> str:
    return f"{{{','.join(['t' if value else 'f' for value in values])}}}"


def texts(values: Iterable[str]) -> str:
    return f"{{{','.join([_quoted(value) if value else _EMPTY for value in values])}}}"


_EMPTY = '""'


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
