"""Questions to the database that a person waits for: they are given up after a while."""

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")

_QUERY_CANCELED = "57014"


def within(milliseconds: int, ask: Callable[[], T]) -> T | None:
    """What `ask` finds, or None where one of its statements takes longer than that.

    No index serves every filter, and what the planner expects of a rare value is a guess.
    """
    is_inner = connection.in_atomic_block
    try:
        with transaction.atomic():
            before = _give_up_after(str(milliseconds))
            found = ask()
            if is_inner:
                _give_up_after(before)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _QUERY_CANCELED:
            raise
        return None
    return found


def _give_up_after(milliseconds: str) -> str:
    """Until the transaction ends; returns what was in force."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), "
            "set_config('statement_timeout', %s, true)",
            [milliseconds],
        )
        return str(cursor.fetchone()[0])
