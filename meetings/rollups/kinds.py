"""Which kind a client is of."""

from collections.abc import Collection
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, transaction

from meetings.rollups.families import KIND_COLUMNS
from meetings.rollups.tallies import DIGEST_OF_CLIENT, KIND_OF_CLIENT
from portal.database.statements import integers, run

_COLUMNS = ", ".join(KIND_COLUMNS)
# In one order, so that nobody deadlocks.
_ADD = f"""
    INSERT INTO meetings_clientkind (digest, {_COLUMNS})
    SELECT DISTINCT ON (digest) * FROM (
        SELECT {DIGEST_OF_CLIENT} AS digest, {_COLUMNS} FROM meetings_client c WHERE {{clients}}
    ) AS wanted
    WHERE NOT EXISTS (SELECT FROM meetings_clientkind k WHERE k.digest = wanted.digest)
    ORDER BY digest
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of our own
_ADD_SOME = _ADD.format(clients="c.id = ANY(%s::bigint[])")
_ADD_ALL = _ADD.format(clients="true")
_READ = f"""
    SELECT c.id, k.id FROM meetings_client c {KIND_OF_CLIENT} WHERE c.id = ANY(%s::bigint[])
"""  # noqa: S608 - parts of our own

_MOST_KNOWN = 20_000

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
    transaction.on_commit(lambda: _remember(known, new))
    return {pk: known[pk] for pk in client_ids if pk in known} | new


def _remember(known: dict[int, int], new: dict[int, int]) -> None:
    if len(known) > _MOST_KNOWN:
        known.clear()
    known.update(new)


def add_missing() -> None:
    """Give every client a kind, for counting that starts from the facts. Looks at all of them."""
    run(_ADD_ALL)


def forget_known() -> None:
    """For tests, whose database is emptied beneath."""
    _known.clear()
