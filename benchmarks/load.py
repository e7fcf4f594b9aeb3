"""The load generator: a process of its own that costs the machine as little as it can.

Raw sockets kept alive, requests that only need their ids put in, one thread with epoll.
It tells its own processor time, so that nobody takes it for the server's.
"""

import gc
import json
import resource
import select
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.bodies import EVENTS, Bodies
from benchmarks.results import percentile

_CHECKOUT = Path(__file__).resolve().parents[1]
_LAST_ANSWERS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """`per_second` POSTs, or as many as the clients get answered one after the other."""

    host: str
    port: int
    path: str
    clients: int
    seconds: float
    warm_seconds: float = 0.0  # sent before, and not counted in what is measured
    per_second: float | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured. Times in ms; of the warm-up only `acknowledged` and `refused` tell."""

    posts_per_second: float
    p50: float
    p99: float
    acknowledged: int
    refused: dict[str, int]
    generator_us: float  # of processor time, for each POST
    generator_share: float  # of one processor
    event_bytes: float

    @property
    def events_per_second(self) -> float:
        return self.posts_per_second * EVENTS

    @property
    def events(self) -> int:
        return self.acknowledged * EVENTS


def send(order: Order) -> Outcome:
    """Run a load in another process and wait for its end."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(order))],
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        timeout=order.warm_seconds + order.seconds + _LAST_ANSWERS_SECONDS + 30,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The load generator failed: {done.stderr[-3000:]}")
    outcome = Outcome(**json.loads(done.stdout))
    if outcome.refused:
        raise RuntimeError(f"{order.path} refused or dropped requests: {outcome.refused}")
    return outcome


# --- In the other process -------------------------------------------------------------------


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    begun: float = 0.0
    rest: memoryview | None = None  # of a request that the socket did not take at once
    answer: bytes = b""


@dataclass(slots=True)
class _Run:
    order: Order
    bodies: Bodies
    epoll: select.epoll = field(default_factory=select.epoll)
    connections: dict[int, _Connection] = field(default_factory=dict)
    idle: deque[_Connection] = field(default_factory=deque)
    times: list[float] = field(default_factory=list)  # (begun, answered) one after the other
    refused: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    sent: int = 0

    def connect(self) -> None:
        order = self.order
        one = socket.create_connection((order.host, order.port), timeout=10)
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        self.epoll.register(one, select.EPOLLIN)
        connection = self.connections[one.fileno()] = _Connection(one)
        self.idle.append(connection)

    def post(self, connection: _Connection, begun: float) -> None:
        request = self.bodies.next()
        connection.begun = begun
        self.sent += 1
        try:
            taken = connection.socket.send(request)
        except BlockingIOError:
            taken = 0
        except OSError:
            self.lose(connection)
            return
        if taken < len(request):
            connection.rest = memoryview(request)[taken:]
            self.epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def push(self, connection: _Connection) -> None:
        if connection.rest is None:
            return
        taken = connection.socket.send(connection.rest)
        connection.rest = connection.rest[taken:]
        if not connection.rest:
            connection.rest = None
            self.epoll.modify(connection.socket, select.EPOLLIN)

    def read(self, connection: _Connection) -> None:
        try:
            received = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.lose(connection)
            return
        answer = connection.answer + received if connection.answer else received
        if not _is_whole(answer):
            connection.answer = answer
            return
        connection.answer = b""
        if answer[9:10] == b"2":
            self.acknowledged += 1
            self.times += (connection.begun, time.perf_counter())
        else:
            self.refused[answer[9:12].decode("latin-1")] += 1
        self.idle.append(connection)

    def lose(self, connection: _Connection) -> None:
        """The server hung up. Another connection takes the place."""
        if connection in self.idle:
            self.idle.remove(connection)  # it waited for nothing
        else:
            self.refused["hung up"] += 1
        with connection.socket as lost:
            self.epoll.unregister(lost)
            del self.connections[lost.fileno()]
        self.connect()

    def wait(self, seconds: float) -> None:
        connections = self.connections
        for number, happened in self.epoll.poll(seconds):
            connection = connections.get(number)
            if connection is None:
                continue
            if happened & select.EPOLLOUT:
                self.push(connection)
            if happened & ~select.EPOLLOUT:
                self.read(connection)

    def until(self, end: float, per_second: float | None) -> None:
        """Send until that moment."""
        idle, now = self.idle, time.perf_counter()
        begun, before = now, self.sent
        while now < end:
            patience = end - now
            if per_second is None:
                while idle:
                    self.post(idle.popleft(), time.perf_counter())
            else:
                due = before + int((now - begun) * per_second) + 1
                while idle and self.sent < due:
                    # From when it was due: a server that lags must not slow its own clock.
                    self.post(idle.popleft(), begun + (self.sent - before) / per_second)
                if idle:
                    next_due = begun + (self.sent - before) / per_second
                    patience = max(0.0, min(patience, next_due - time.perf_counter()))
            self.wait(patience)
            now = time.perf_counter()

    def finish(self) -> None:
        """Wait for the answers that are still to come."""
        end = time.perf_counter() + _LAST_ANSWERS_SECONDS
        while len(self.idle) < len(self.connections) and time.perf_counter() < end:
            self.wait(0.1)
        if missing := len(self.connections) - len(self.idle):
            self.refused["no answer"] += missing


def _is_whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    lines = answer[:head].lower()
    at = lines.find(b"content-length:")
    if at < 0:
        return answer[9:12] == b"204" or answer.endswith(b"0\r\n\r\n")
    length = int(lines[at + 15 :].split(b"\r\n", 1)[0])
    return len(answer) >= head + 4 + length


def _run(order: Order) -> Outcome:
    bodies = Bodies(f"{order.host}:{order.port}", order.path, seed=order.seed)
    run = _Run(order, bodies)
    for _ in range(order.clients):
        run.connect()
    gc.disable()
    start = time.perf_counter() + order.warm_seconds
    run.until(start, order.per_second)
    begun, spent, sent = time.perf_counter(), _own_time(), run.sent
    run.until(begun + order.seconds, order.per_second)
    ended, spent, sent = time.perf_counter(), _own_time() - spent, run.sent - sent
    run.finish()
    # What was answered in the span measured; its latency, whenever it was sent.
    answered = [
        (after - before) * 1000
        for before, after in zip(run.times[::2], run.times[1::2], strict=True)
        if begun <= after < ended
    ]
    return Outcome(
        posts_per_second=len(answered) / (ended - begun),
        p50=percentile(answered, 0.50) if answered else 0.0,
        p99=percentile(answered, 0.99) if answered else 0.0,
        acknowledged=run.acknowledged,
        refused=dict(run.refused),
        generator_us=spent / max(1, sent) * 1e6,
        generator_share=spent / (ended - begun),
        event_bytes=bodies.event_bytes,
    )


def _own_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(asdict(_run(Order(**json.loads(sys.argv[1]))))))  # noqa: T201 - the answer
