"""What good requests wait for, while 200 others have been begun and are not sent to their end."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.contenders import PortalContender
from benchmarks.load import send
from benchmarks.plan import Plan
from benchmarks.results import Result

HALF_SENT = 200
_BAR_SECONDS = 1.0


def run(portal: PortalContender, plan: Plan) -> Iterator[Result]:
    order = portal.order(
        clients=plan.clients, seconds=plan.door_seconds, warm_seconds=plan.warm_seconds
    )
    # More than the body's first part, and less than the whole; in memory here, on disk there.
    halves = [
        f"POST {order.path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n"
        f"Content-Length: {size}\r\n\r\n[{' ' * (size // 2)}".encode()
        for size in (200, 30_000, 200_000, 2_000_000)
    ]
    with ExitStack() as open_ones:
        waiting = []
        for number in range(HALF_SENT):
            one = open_ones.enter_context(
                socket.create_connection((order.host, order.port), timeout=10)
            )
            one.sendall(halves[number % len(halves)])
            waiting.append(one)
        time.sleep(plan.settle_seconds)
        outcome = send(order)
        for one in waiting:
            one.setblocking(False)
            _check_it_waits(one)
    name = f"good requests beside {HALF_SENT} half-sent ones"
    yield Result(f"p50 of {name}", outcome.p50 / 1000, "s")
    yield Result(f"p99 of {name}", outcome.p99 / 1000, "s", _BAR_SECONDS)


def _check_it_waits(half: socket.socket) -> None:
    """A server that had thrown them out would have measured nothing."""
    try:
        answer = half.recv(100)
    except BlockingIOError:
        return
    raise RuntimeError(f"A half-sent request was ended early: {answer!r}")
