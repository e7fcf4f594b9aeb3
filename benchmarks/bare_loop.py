"""A loop that does nothing but write: the rows that the portal writes, in its grouping.

Bodies (compressed beforehand) in groups as the doors commit them, facts in groups as a drain does,
each group one statement and one commit on a plain psycopg connection. No HTTP, no JSON, no folds,
no roll-ups: how fast PostgreSQL takes these rows from Python. Into a portal's own tables, with all
their indexes and partitions.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import LiteralString

import psycopg
import zstandard

from benchmarks.bodies import BODIES, EVENTS, Bodies
from portal.database.embedded import NAME
from tests.world.portals import CHECKOUT, Portal

BODIES_A_COMMIT = 8  # what the doors' writers find waiting under load, about
BODIES_A_BATCH = 500
_LOOPS = 2  # two connections from two processes: the whole machine

_STORE: LiteralString = """
    INSERT INTO inbox_delivery (door, key_id, stored_on, received_at, queued_at, handled_at,
        address, origin, user_agent, content_type, body, size_bytes, digest, copies, state,
        attempts)
    SELECT 'meetingevents', 1, %(now)s::date, %(now)s, %(now)s, %(now)s, '127.0.0.1', '',
        'benchmark', 'application/json', body, %(size)s, digest, 1, 'handled', 1
    FROM unnest(%(bodies)s::bytea[], %(digests)s::bytea[]) AS new (body, digest)
    ON CONFLICT (door, digest, stored_on) WHERE replay_of_id IS NULL DO NOTHING
"""
_WRITE: LiteralString = """
    INSERT INTO meetings_clientevent (attendee_id, meeting_id, name_id, client_ms, sequence,
        happened_at, received_at, skewed, client_id, status_id, start_duration_ms,
        meeting_duration_ms, signaling_open_ms, retry_count, poor_connection_count, reason,
        fullness, delivery_id, ordinal)
    SELECT attendee_id, meeting_id, name_id, client_ms, 0,
        to_timestamp(client_ms / 1000.0), %(now)s, false, client_id, status_id, start,
        meeting, signaling, retries, poor, reason, 18, delivery_id, ordinal
    FROM unnest(%(attendee)s::bigint[], %(meeting)s::bigint[], %(name)s::bigint[],
        %(ms)s::bigint[], %(client)s::bigint[], %(status)s::bigint[], %(start)s::float8[],
        %(duration)s::float8[], %(signaling)s::float8[], %(retries)s::integer[],
        %(poor)s::integer[], %(reason)s::text[], %(delivery)s::bigint[], %(ordinal)s::integer[])
        AS new (attendee_id, meeting_id, name_id, client_ms, client_id, status_id, start, meeting,
            signaling, retries, poor, reason, delivery_id, ordinal)
    ON CONFLICT (attendee_id, sequence, client_ms, name_id) DO NOTHING
"""


class Bare:
    """A portal's database without the portal."""

    def __init__(self, folder: Path) -> None:
        self._portal = Portal(folder / "bare")
        self._runs = 0

    def copy_of(self, prepared: Portal) -> None:
        self._portal.copy_of(prepared)

    def events_per_second(self, seconds: float) -> float:
        self._portal.ask("SELECT 1")
        loops = []
        for number in range(_LOOPS):
            self._runs += 1
            order = _Order(str(self._portal.server.socket_dir), seconds, self._runs, number)
            loops.append(
                subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "benchmarks.bare_loop", json.dumps(asdict(order))],
                    cwd=CHECKOUT,
                    env={**os.environ},
                    stdout=subprocess.PIPE,
                )
            )
        answers = [loop.communicate(timeout=seconds + 60)[0] for loop in loops]
        if any(loop.returncode for loop in loops):
            raise RuntimeError("A bare loop failed.")
        return sum(float(answer) for answer in answers)

    def stop(self) -> None:
        self._portal.stop()


# --- In the other processes -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Order:
    socket_dir: str
    seconds: float
    run: int  # makes keys that no other run has
    loop: int


class _Loop:
    def __init__(self, order: _Order, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection
        self._attendee = order.run * 1_000_000_000
        compress = zstandard.ZstdCompressor(level=1).compress
        bodies = Bodies("localhost", "/")
        documents = [bodies.next().partition(b"\r\n\r\n")[2] for _ in range(BODIES)]
        self._size = sum(map(len, documents)) // len(documents)
        self._bodies = cycle([compress(document) for document in documents])
        self._digest = order.run.to_bytes(8, "big") + order.loop.to_bytes(8, "big")
        self._stored = 0
        self._rows = _Rows(documents)

    def batch(self) -> int:
        """Store and write as many bodies as a drain takes at once; returns their events."""
        for _ in range(BODIES_A_BATCH // BODIES_A_COMMIT):
            self._store()
        first = self._attendee
        self._attendee += BODIES_A_BATCH
        self._connection.execute(_WRITE, self._rows.of(first), prepare=True, binary=True)
        return BODIES_A_BATCH * EVENTS

    def _store(self) -> None:
        digests = []
        for _ in range(BODIES_A_COMMIT):
            self._stored += 1
            # As far apart as digests are, so that the index is met at random places.
            spread = (self._stored * 0x9E3779B97F4A7C15) & (2**64 - 1)
            digests.append(spread.to_bytes(8, "big") + bytes(8) + self._digest)
        values = {
            "now": datetime.now(UTC),
            "size": self._size,
            "bodies": [next(self._bodies) for _ in digests],
            "digests": digests,
        }
        self._connection.execute(_STORE, values, prepare=True, binary=True)


class _Rows:
    """The columns of one batch as text, of which only ids and times are made anew."""

    def __init__(self, documents: list[bytes]) -> None:
        events = [
            [(event["name"], event["attributes"]) for event in json.loads(document)]
            for document in documents
        ]
        batch = [events[number % BODIES] for number in range(BODIES_A_BATCH)]
        names = sorted({name for one in events for name, _ in one})
        flat = [pair for one in batch for pair in one]

        def column(attribute: str) -> str:
            return _array(values.get(attribute, "NULL") for _, values in flat)

        self._fixed = {
            "name": _array(names.index(name) + 1 for name, _ in flat),
            "client": _array(number % BODIES + 1 for number, one in enumerate(batch) for _ in one),
            "status": _array(1 if "meetingStatus" in values else "NULL" for _, values in flat),
            "start": column("meetingStartDurationMs"),
            "duration": column("meetingDurationMs"),
            "signaling": column("signalingOpenDurationMs"),
            "retries": column("retryCount"),
            "poor": column("poorConnectionCount"),
            "reason": _array(f'"{_reason(values)}"' for _, values in flat),
            "ordinal": _array(ordinal for one in batch for ordinal in range(len(one))),
        }
        first = min(values["timestampMs"] for _, values in flat)
        self._after = [values["timestampMs"] - first for _, values in flat]

    def of(self, first: int) -> dict[str, object]:
        span_ago = int(time.time() * 1000) - 600_000
        people = [str(first + number) for number in range(BODIES_A_BATCH)]
        return {
            **self._fixed,
            "now": datetime.now(UTC),
            "attendee": _array(one for one in people for _ in range(EVENTS)),
            "meeting": _array(
                first + number // 50 for number in range(BODIES_A_BATCH) for _ in range(EVENTS)
            ),
            "delivery": _array(one for one in people for _ in range(EVENTS)),
            "ms": _array(span_ago + after for after in self._after),
        }


def _array(values: object) -> str:
    return "{" + ",".join(map(str, values)) + "}"  # type: ignore[call-overload]


def _reason(values: dict[str, object]) -> object:
    return next((text for name, text in values.items() if name.endswith("ErrorMessage")), "")


def _run(order: _Order) -> float:
    with psycopg.connect(
        host=order.socket_dir, dbname=NAME, user=NAME, autocommit=True
    ) as connection:
        loop = _Loop(order, connection)
        loop.batch()
        begun, events = time.perf_counter(), 0
        while (spent := time.perf_counter() - begun) < order.seconds:
            events += loop.batch()
        return events / spent


if __name__ == "__main__":
    print(_run(_Order(**json.loads(sys.argv[1]))))  # noqa: T201 - the answer
