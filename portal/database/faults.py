"""Whose fault it is that a statement failed."""

from django.db import DatabaseError, InterfaceError, OperationalError

_ELSEWHERE = {
    "25006",  # read-only
    "42P01",  # no such table
    "42703",  # no such column
}


def is_the_databases(error: Exception) -> bool:
    """Whether the database is the cause and will recover, rather than what was to be stored.

    By SQLSTATE class: connection, rollback (deadlock), resources, lock not available, shutdown;
    and a server that takes no writes, as after a failover, or whose tables are those of another
    version of the portal.
    """
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in {"08", "40", "53", "55", "57"} or state in _ELSEWHERE
