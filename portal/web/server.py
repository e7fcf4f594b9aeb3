"""Accepts connections, hands out requests, looks after time-outs, and stops in order."""

import asyncio
import logging
import resource
import socket
import threading
from collections.abc import Callable
from typing import Protocol

import uvloop

from portal.web import answers
from portal.web.connection import Connection, State
from portal.web.limits import (
    CONNECTIONS,
    FINISH_RECEIVING_SECONDS,
    FINISH_SECONDS,
    largest_body,
)
from portal.web.requests import Request
from portal.web.wsgi import Bridge, Headers, WsgiApplication

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_FULL = "Too many clients are connected. Try again in a few seconds."


class Lane(Protocol):
    """A shorter way for some requests, taken in the event loop: it must never wait."""

    def take(self, connection: Connection, request: Request) -> bool:
        """Answer it, at once or later; or False, and it goes to the application."""

    def note(self, request: Request, status: str, headers: Headers) -> None:
        """How the application has answered a request. Called in any thread."""

    def stop(self, seconds: float) -> None:
        """Let go of everything; no request is on the way any more."""


MakeLane = Callable[["Server"], Lane]


class Server:
    def __init__(
        self,
        application: WsgiApplication,
        listener: socket.socket,
        *,
        threads: int,
        make_lane: MakeLane | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_stopping = False
        self.largest_body = largest_body()
        self._connections: dict[Connection, None] = {}  # the oldest first
        self._listener = listener
        host, port = listener.getsockname()[:2]
        self.bridge = Bridge(application, self.loop, (host, port), threads)
        self._lane = make_lane(self) if make_lane else None
        if self._lane is not None:
            self.bridge.on_answer = self._lane.note

    # --- For connections --------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        if len(self._connections) >= CONNECTIONS and not self._make_room():
            connection.turn_away(answers.refusal(503, _FULL))
            return
        self._connections[connection] = None

    def remove(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def work_on(self, connection: Connection, request: Request) -> None:
        try:
            is_taken = self._lane is not None and self._lane.take(connection, request)
        except Exception:  # nobody else would answer this request
            logger.exception("A request takes the long way.")
            is_taken = False
        if not is_taken:
            self.bridge.take(connection, request)

    def _make_room(self) -> bool:
        """Cut the connection that has been idle or slow for the longest time."""
        now = self.loop.time()
        ready = [one for one in self._connections if one.may_make_room(now)]
        if not ready:
            return False
        slow = (State.RECEIVING, State.CLOSING)
        idle = [one for one in ready if one.state not in slow]
        oldest = min(idle or ready, key=lambda one: one.since)
        del self._connections[oldest]
        oldest.abort()
        return True

    # --- Life -------------------------------------------------------------------------------

    async def run(self, stop: threading.Event) -> None:
        accepting = await self.loop.create_server(
            lambda: Connection(self), sock=self._listener, backlog=1024
        )
        looks = 0
        while not stop.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
            looks += 1
            if looks % 10 == 0:
                self._check_times()
        accepting.close()
        await self._finish()

    def _check_times(self) -> None:
        now = self.loop.time()
        for connection in list(self._connections):
            connection.check(now)

    async def _finish(self) -> None:
        """Answer what is being worked on, and give half-sent requests a moment."""
        self.is_stopping = True
        began = self.loop.time()
        while self._connections and (passed := self.loop.time() - began) < FINISH_SECONDS:
            for connection in list(self._connections):
                is_waited_for = connection.state is State.WORKING or (
                    connection.state is State.RECEIVING and passed < FINISH_RECEIVING_SECONDS
                )
                if not is_waited_for:
                    connection.close()
            await asyncio.sleep(_LOOK_SECONDS / 2)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        if self._lane is not None:
            self._lane.stop(1.0)
        self.bridge.stop(0.2)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket that several processes may share. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), port))
    listener.listen(1024)
    return listener


def serve(
    application: WsgiApplication,
    listener: socket.socket,
    *,
    threads: int,
    stop: threading.Event,
    make_lane: MakeLane | None = None,
) -> None:
    """Serve until `stop` is set, then finish what has begun."""
    _allow_files(2 * CONNECTIONS + 200)  # a connection may have a temporary file beside it

    async def run() -> None:
        server = Server(application, listener, threads=threads, make_lane=make_lane)
        await server.run(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = number if hard == resource.RLIM_INFINITY else min(number, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
