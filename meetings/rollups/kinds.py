"""Which kind a client is of."""

from collections.abc import Collection
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, transaction

from meetings.rollups.families import KIND_COLUMNS
from meetings.rollups.tallies import KIND_OF_CLIENT
from portal.database.statements import integers, run

_COLUMNS = ", ".join(KIND_COLUMNS)
_ADD = f"""
    INSERT INTO meetings_clientkind ({_COLUMNS})
    SELECT DISTINCT {_COLUMNS} FROM meetings_client c
    WHERE {{clients}} AND NOT EXISTS (SELECT FROM meetings_clientkind k WHERE {{same}})
    ORDER BY {_COLUMNS}
    ON CONFLICT DO NOTHING
""".replace(  # noqa: S608 - parts of our own
    "{same}", " AND ".join(f"k.{column} = c.{column}" for column in KIND_COLUMNS)
)
_ADD_SOME = _ADD.format(clients="c.id = ANY(%s::bigint[])")
_ADD_ALL = _ADD.format(clients="true")
_READ = f"""
    SELECT c.id, k.id FROM meetings_client c {KIND_OF_CLIENT} WHERE c.id = ANY(%s::bigint[])
"""  # noqa: S608 - parts of our own

# What a client is never changes. Only what is committed gets here, as one connection has seen it:
# another may lead to a server that took over without the last commits.
_known: WeakKeyDictionary[Any, dict[int, int]] = WeakKeyDictionary()


def of_clients(client_ids: Collection[int]) -> dict[int, int]:
    """Ids of the kinds of these clients, added where missing. Part of the caller's transaction."""
    connection.ensure_connection()
    known = _known.setdefault(connection.connection, {})
    missing = [pk for pk in client_ids if pk not in known]
    if not missing:
        return known
    run(_ADD_SOME, [integers(missing)])
    new: dict[int, int] = dict(run(_READ, [integers(missing)]))
    transaction.on_commit(lambda: known.update(new))
    return {pk: known[pk] for pk in client_ids if pk in known} | new


def add_missing() -> None:
    """Give every client a kind, for counting that starts from the facts."""
    run(_ADD_ALL)


def forget_known() -> None:
    """For tests, whose database is emptied beneath."""
    _known.clear()
