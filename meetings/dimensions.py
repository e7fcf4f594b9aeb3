"""What facts name by number: event names, statuses, clients. Each is kept once, never deleted."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import connection, transaction

from meetings.formats.gists import ClientKey
from portal.database.statements import run, texts

_MOST_KNOWN = 20_000

KeyT = TypeVar("KeyT")


@dataclass(slots=True)
class _Known:
    """Numbers that are committed, as one connection has seen them.

    Another connection may lead to another server, such as one that took over without the last
    commits.
    """

    names: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    clients: dict[ClientKey, int] = field(default_factory=dict)


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def forget_known() -> None:
    """For tests, whose database is emptied beneath."""
    _known.clear()


def names(values: Collection[str]) -> dict[str, int]:
    """Ids of these names of events, added where missing. There may be others among them."""
    return _ids(_known_here().names, values, _intern_names)


def statuses(values: Collection[str]) -> dict[str, int]:
    return _ids(_known_here().statuses, values, _intern_statuses)


def clients(values: Collection[ClientKey]) -> dict[ClientKey, int]:
    return _ids(_known_here().clients, values, _intern_clients)


def _known_here() -> _Known:
    connection.ensure_connection()
    return _known.setdefault(connection.connection, _Known())


def _ids(
    known: dict[KeyT, int],
    values: Collection[KeyT],
    intern: Callable[[list[KeyT]], dict[KeyT, int]],
) -> dict[KeyT, int]:
    missing = [value for value in values if value not in known]
    if not missing:
        return known
    found = intern(sorted(missing))  # type: ignore[type-var]

    def remember() -> None:
        """Only now: the ids of a transaction that is rolled back belong to nothing."""
        if len(known) > _MOST_KNOWN:
            known.clear()
        known.update(found)

    transaction.on_commit(remember)
    return {value: known[value] for value in values if value in known} | found


def _intern_names(values: list[str]) -> dict[str, int]:
    return _intern(
        values,
        "SELECT value, id FROM meetings_eventname WHERE value = ANY(%s::text[])",
        "INSERT INTO meetings_eventname (value) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
    )


def _intern_statuses(values: list[str]) -> dict[str, int]:
    return _intern(
        values,
        "SELECT value, id FROM meetings_meetingstatus WHERE value = ANY(%s::text[])",
        "INSERT INTO meetings_meetingstatus (value) SELECT unnest(%s::text[]) "
        "ON CONFLICT DO NOTHING",
    )


def _intern(values: list[str], select: Any, insert: Any) -> dict[str, int]:
    found: dict[str, int] = dict(run(select, [texts(values)]))
    if missing := [value for value in values if value not in found]:
        run(insert, [texts(missing)])
        found.update(run(select, [texts(missing)]))
    return found


_SELECT_CLIENTS = "SELECT digest, id FROM meetings_client WHERE digest = ANY(%s::bytea[])"
_INSERT_CLIENTS = """
    INSERT INTO meetings_client (digest, sdk_name, sdk_version, platform, browser_name,
        browser_major, browser_version, os_name, os_version, device_name)
    SELECT * FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[])
    ON CONFLICT DO NOTHING
"""


def _intern_clients(keys: Iterable[ClientKey]) -> dict[ClientKey, int]:
    """Identified by a digest of all columns. Inserted in one order, so that nobody deadlocks."""
    digests = {hashlib.sha256("\x1f".join(key).encode()).digest(): key for key in keys}
    wanted = sorted(digests)
    found = _client_ids(wanted)
    if missing := [digest for digest in wanted if digest not in found]:
        columns = zip(*(digests[digest] for digest in missing), strict=True)
        run(_INSERT_CLIENTS, [_bytes(missing), *map(texts, columns)])
        found.update(_client_ids(missing))
    return {digests[digest]: pk for digest, pk in found.items()}


def _client_ids(digests: list[bytes]) -> dict[bytes, int]:
    return {bytes(digest): pk for digest, pk in run(_SELECT_CLIENTS, [_bytes(digests)])}


def _bytes(values: list[bytes]) -> str:
    return texts([f"\\x{value.hex()}" for value in values])
