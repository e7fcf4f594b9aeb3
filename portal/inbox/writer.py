"""Bodies of many requests in one statement, each request told of its own fate.

While two groups are on their way to the database, the next one gathers. A commit costs the same
for one body as for fifty; so the busier the doors, the cheaper each body, and no body waits for
company.
"""

import asyncio
import hashlib
import logging
import queue
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connections
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from zstandard import ZstdCompressor

from portal.inbox.models import ZSTD_LEVEL, digest_of
from portal.inbox.services import Envelope, clean, count_copies

logger = logging.getLogger(__name__)

WRITERS = 2
_GROUP_BODIES = 256
_GROUP_BYTES = 8 * 1024 * 1024
_MOST_WAITING = 2000
_MOST_WAITING_BYTES = 64 * 1024 * 1024
# After a failure of the database the doors' ordinary way tells the clients, for so long.
_PAUSE_SECONDS = 1.0
# A database that has not answered for so long may be gone: no more requests are led into waiting.
_LATE_SECONDS = 5.0

_STORE = b"""
    INSERT INTO inbox_delivery (door, key_id, stored_on, received_at, queued_at, address, origin,
        user_agent, content_type, body, size_bytes, digest, copies, state, attempts)
    SELECT door, key_id, $1::date, received_at, received_at, address::inet, origin,
        user_agent, content_type, body, size_bytes, digest, 1, 'waiting', 0
    FROM unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::bytea[], $10::integer[], $11::bytea[])
        AS new (door, key_id, received_at, address, origin, user_agent, content_type, body,
            size_bytes, digest)
    ON CONFLICT (door, digest, stored_on) WHERE replay_of_id IS NULL DO NOTHING
    RETURNING door, digest
"""
_BYTEA, _INT8, _INT4, _TEXT, _DATE, _TIMESTAMPTZ = 17, 20, 23, 25, 1082, 1184
# Another release's statement, left on a connection by a pooler, has another name.
_NAME = b"greenroom_store_" + hashlib.sha256(_STORE).hexdigest()[:16].encode()
_TYPES = [_DATE, *[0] * 10]  # of the others PostgreSQL reads it in the statement
_BINARY = [Format.BINARY] * len(_TYPES)
_NOT_PREPARED, _PREPARED_BEFORE = b"26000", b"42P05"
# Classes of SQLSTATE that are the fault of a body: bad data, broken constraints, too large.
_FAULTS_OF_BODIES = (b"22", b"23", b"54")
_POSTGRES_DAY_0 = date(2000, 1, 1).toordinal()
_POSTGRES_EPOCH_US = 946_684_800_000_000

_array_head = struct.Struct(">5i").pack
_int4 = struct.Struct(">i").pack
_int8 = struct.Struct(">q").pack


@dataclass(slots=True)
class Item:
    """A body to be stored. `settle` is called in the event loop: True after the commit."""

    body: bytes
    envelope: Envelope
    received_us: int
    settle: Callable[[bool], None]
    digest: bytes = b""


class Writer:
    """Used from one event loop. Nothing of it waits; threads of its own talk to the database."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Item] = deque()
        self._waiting_bytes = 0
        self._is_due = False
        self._paused_until = 0.0
        self._idle = [_Flusher(self._back_from) for _ in range(WRITERS)]
        self._flushers = list(self._idle)
        self._sent_off: dict[_Flusher, float] = {}  # since when its group is on its way

    def has_room(self) -> bool:
        now = time.monotonic()
        return (
            len(self._waiting) < _MOST_WAITING
            and self._waiting_bytes < _MOST_WAITING_BYTES
            and now >= self._paused_until
            and not any(now - began > _LATE_SECONDS for began in self._sent_off.values())
        )

    def add(self, item: Item) -> None:
        self._waiting.append(item)
        self._waiting_bytes += len(item.body)
        if not self._is_due and self._idle:
            # Not at once: other requests that have come in this moment go along.
            self._is_due = True
            self._loop.call_soon(self._send_off)

    def stop(self, seconds: float) -> None:
        for flusher in self._flushers:
            flusher.stop(seconds)

    def _send_off(self) -> None:
        self._is_due = False
        while self._idle and self._waiting:
            flusher = self._idle.pop()
            self._sent_off[flusher] = time.monotonic()
            flusher.take(self._next_group())

    def _next_group(self) -> list[Item]:
        group: list[Item] = []
        size = 0
        while self._waiting and len(group) < _GROUP_BODIES and size < _GROUP_BYTES:
            item = self._waiting.popleft()
            size += len(item.body)
            group.append(item)
        self._waiting_bytes -= size
        return group

    def _back_from(self, flusher: "_Flusher", group: list[Item], stored: list[bool]) -> None:
        """Called in the flusher's thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, flusher, group, stored)
        except RuntimeError:
            logger.warning("The server has ended before %s answers were sent.", len(group))

    def _settle(self, flusher: "_Flusher", group: list[Item], stored: list[bool]) -> None:
        self._idle.append(flusher)
        del self._sent_off[flusher]
        if flusher.is_cut_off:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
        self._send_off()
        for item, is_stored in zip(group, stored, strict=True):
            try:
                item.settle(is_stored)
            except Exception:  # the others of the group wait for theirs
                logger.exception("A delivery was not answered; stored: %s.", is_stored)


class _Flusher:
    """A thread with a database connection, storing one group at a time."""

    def __init__(self, back: Callable[["_Flusher", list[Item], list[bool]], None]) -> None:
        self.is_cut_off = False
        """Whether the database was away when the last group came."""
        self.prepares = True
        self._back = back
        self._groups: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        # Made as Django makes them, so that the same settings hold, and used without it.
        self._database = connections.create_connection("default")
        self._prepared_on: PGconn | None = None
        self._compressor = ZstdCompressor(level=ZSTD_LEVEL)
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def take(self, group: list[Item]) -> None:
        self._groups.put(group)

    def stop(self, seconds: float) -> None:
        self._groups.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        self._database.inc_thread_sharing()  # made in the thread of the event loop
        while (group := self._groups.get()) is not None:
            stored = [False] * len(group)
            try:
                stored = self._store(group)
            except Exception:  # nobody else could answer these requests
                logger.exception("A group of %s deliveries was not stored.", len(group))
            self._back(self, group, stored)
        self._database.close()

    def _store(self, group: list[Item]) -> list[bool]:
        """Which of the group are committed."""
        for item in group:
            item.digest = digest_of(item.body)
        # Every group takes its locks in the order of the unique key (a group has one day), so that
        # no two wait for each other.
        order = sorted(
            range(len(group)), key=lambda place: (group[place].envelope.door, group[place].digest)
        )
        outcome: list[bool] = []
        self.is_cut_off = False
        try:
            self._database.ensure_connection()
            self._insert([group[place] for place in order], outcome)
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            late = len(group) - len(outcome)
            logger.warning("%s deliveries take the long way: %s", late, error)
            self.is_cut_off = True
            self._database.close()
        stored = [False] * len(group)
        for place, is_stored in zip(order, outcome, strict=False):  # shorter, when cut off
            stored[place] = is_stored
        return stored

    def _insert(self, items: Sequence[Item], outcome: list[bool]) -> None:
        """Add to the outcome which are committed, as far as the database goes along."""
        pgconn: PGconn = self._database.connection.pgconn
        today = datetime.now(UTC).date()
        result = self._execute(pgconn, self._parameters(items, today))
        if result.status == ExecStatus.TUPLES_OK:
            new = {
                (result.get_value(row, 0), result.get_value(row, 1))
                for row in range(result.ntuples)
            }
            outcome += self._count_copies(items, new, today)
            return
        if pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError(pgconn.get_error_message())
        state = result.error_field(DiagnosticField.SQLSTATE) or b""
        if not state.startswith(_FAULTS_OF_BODIES):
            raise psycopg.OperationalError(result.get_error_message())
        if len(items) == 1:
            logger.warning("A delivery takes the long way: %s", result.get_error_message())
            outcome.append(False)
            return
        for item in items:
            self._insert([item], outcome)

    def _execute(self, pgconn: PGconn, parameters: Sequence[bytes]) -> PGresult:
        """In one round trip, without holding up the threads of this process meanwhile."""
        if self.prepares:
            if self._prepared_on is not pgconn:
                prepared = pgconn.prepare(_NAME, _STORE, _TYPES)
                is_known = prepared.error_field(DiagnosticField.SQLSTATE) == _PREPARED_BEFORE
                if prepared.status != ExecStatus.COMMAND_OK and not is_known:
                    return prepared  # it tells what is wrong
                self._prepared_on = pgconn
            result = pgconn.exec_prepared(_NAME, parameters, _BINARY, Format.BINARY)
            if result.error_field(DiagnosticField.SQLSTATE) != _NOT_PREPARED:
                return result
            # A pooler in between gives each statement another connection.
            self.prepares = False
        return pgconn.exec_params(_STORE, parameters, _TYPES, _BINARY, Format.BINARY)

    def _parameters(self, items: Sequence[Item], today: date) -> list[bytes]:
        envelopes = [item.envelope for item in items]
        compress = self._compressor.compress
        return [
            _int4(today.toordinal() - _POSTGRES_DAY_0),
            _array(_TEXT, [_bytes(one.door) for one in envelopes]),
            _array(_INT8, [_int8(one.key.pk) if one.key else None for one in envelopes]),
            _array(_TIMESTAMPTZ, [_int8(item.received_us - _POSTGRES_EPOCH_US) for item in items]),
            _array(_TEXT, [one.address.encode() if one.address else None for one in envelopes]),
            _array(_TEXT, [_bytes(clean(one.origin, 200)) for one in envelopes]),
            _array(_TEXT, [_bytes(clean(one.user_agent, 300)) for one in envelopes]),
            _array(_TEXT, [_bytes(clean(one.content_type, 100)) for one in envelopes]),
            _array(_BYTEA, [compress(item.body) for item in items]),
            _array(_INT4, [_int4(len(item.body)) for item in items]),
            _array(_BYTEA, [item.digest for item in items]),
        ]

    def _count_copies(
        self, items: Sequence[Item], new: set[tuple[Any, Any]], today: date
    ) -> list[bool]:
        """What was not new is a copy of what is committed, and is counted as one."""
        if len(new) == len(items):
            return [True] * len(items)
        copies = Counter((_bytes(item.envelope.door), item.digest) for item in items)
        copies.subtract(new)
        gone = set()
        with self._database.cursor() as cursor:
            for (door, digest), number in (+copies).items():
                if not count_copies(cursor, door.decode(), digest, today, number):
                    gone.add((door, digest))
        return [(_bytes(item.envelope.door), item.digest) not in gone for item in items]


def _bytes(text: str) -> bytes:
    return text.encode()


def _array(oid: int, values: Sequence[bytes | None]) -> bytes:
    """An array as PostgreSQL's binary protocol has it."""
    parts = [_array_head(1, None in values, oid, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts += (_int4(len(value)), value)
    return b"".join(parts)
