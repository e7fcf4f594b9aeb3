"""One client's connection: requests are read whole, worked on one at a time, and answered in turn.

The event loop does all the reading, so a slow client costs no thread.
"""

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

import httptools

from portal.web import answers
from portal.web.limits import (
    CHUNK_OVERHEAD_BYTES,
    HEAD_BYTES,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LINGER_BYTES,
    LINGER_SECONDS,
    PIPELINED,
    RECEIVE_SECONDS,
    SLOW_SECONDS,
    STUCK_SECONDS,
)
from portal.web.requests import Allowance, RefusedError, Request, too_large

if TYPE_CHECKING:
    from portal.web.server import Server  # which makes connections

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    IDLE = auto()
    RECEIVING = auto()
    WORKING = auto()
    LINGERING = auto()  # refused; what still comes is thrown away
    CLOSING = auto()  # all is said; the client has yet to take some of it


class Connection(asyncio.Protocol):
    def __init__(self, server: "Server") -> None:
        self.state = State.IDLE
        self.since = server.loop.time()
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._peer = ("", 0)
        self._allowance = Allowance()
        self._receiving: Request | None = None
        self._head_is_whole = False
        self._received = 0  # bytes of the request that is being received, with its head
        self._began = 0.0
        self._working: Request | None = None
        self._waiting: deque[Request] = deque()
        self._refusal: RefusedError | None = None
        self._has_ended = False  # the client sends no more
        self._is_paused = False
        self._stuck_since: float | None = None
        self._is_held = False  # until the client takes what has been said
        self._thrown_away = 0

    # --- Life -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Whatever a client has not taken counts: it is told of by pause_writing.
        self._transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._peer = peer[:2]
        self._server.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.remove(self)
        working, self._working = self._working, None
        for request in (self._receiving, working, *self._waiting):
            if request is not None:
                # A thread may be reading the body of the one being worked on: its file lives on.
                request.body.close(is_in_use=request is working)
        if working is not None and working.on_lost is not None:
            working.on_lost()
        self._receiving = None
        self._waiting.clear()

    def eof_received(self) -> bool:
        """The client has said all it will; one that waits for answers still gets them."""
        self._has_ended = True
        if self.state is not State.WORKING:
            self.close()
        return True

    def close(self) -> None:
        """Once the client has taken what was said; for that its time is limited."""
        if self.state not in (State.CLOSING, State.LINGERING):
            self._enter(State.CLOSING)
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def turn_away(self, answer: bytes) -> None:
        """There is no place: tell so, and read nothing."""
        self._enter(State.LINGERING)
        self._transport.write(answer)
        self._transport.close()

    def check(self, now: float) -> None:
        """Called every second: end what takes too long."""
        age = now - self.since
        if self._stuck_since is not None and now - self._stuck_since > STUCK_SECONDS:
            self.abort()
        elif self.state is State.IDLE and age > IDLE_SECONDS and not self._is_held:
            self.close()
        elif (self.state is State.LINGERING and age > LINGER_SECONDS) or (
            self.state is State.CLOSING and age > STUCK_SECONDS
        ):
            self.abort()
        elif self.state is State.RECEIVING:
            limit = RECEIVE_SECONDS if self._head_is_whole else HEAD_SECONDS
            if now - self._began > limit:
                self._refuse(RefusedError(408, f"The request took more than {limit:.0f} s."))

    def may_make_room(self, now: float) -> bool:
        if self.state is State.WORKING:
            return False
        if self.state in (State.RECEIVING, State.CLOSING) or self._is_held:
            return now - self.since > SLOW_SECONDS
        return True

    # --- Receiving --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.state is State.LINGERING:
            self._thrown_away += len(data)
            if self._thrown_away > LINGER_BYTES:
                self.abort()
            return
        if self._refusal is not None or self.state is State.CLOSING:
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
            self._check_size()
        except httptools.HttpParserUpgrade:
            self._drop_upgrade()
        except httptools.HttpParserError as error:
            refused = error.__context__
            if not isinstance(refused, RefusedError):
                refused = RefusedError(400, f"The request could not be read: {error}.")
            self._refuse(refused)
            return
        except RefusedError as error:
            self._refuse(error)
            return
        if self.state is State.IDLE and self._receiving is not None:
            self._enter(State.RECEIVING)
        elif self.state is State.WORKING and not self._is_paused:
            self._is_paused = True  # it sends ahead: one request at a time
            self._transport.pause_reading()

    def _check_size(self) -> None:
        if not self._head_is_whole:
            if self._received > HEAD_BYTES:
                raise RefusedError(431, f"The headers have more than {HEAD_BYTES:,} bytes.")
        elif self._receiving is not None:
            overhead = self._received - self._receiving.body.size
            if overhead > CHUNK_OVERHEAD_BYTES:
                raise RefusedError(400, "The chunks of the body are too small.")

    def on_message_begin(self) -> None:
        self._receiving = Request(self._peer, self._allowance)
        self._began = self._server.loop.time()
        self._head_is_whole = False

    def on_url(self, target: bytes) -> None:
        cast(Request, self._receiving).target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_is_whole:  # what comes after the body, nobody looks at
            cast(Request, self._receiving).add_header(name, value)

    def on_headers_complete(self) -> None:
        request = cast(Request, self._receiving)
        parser = self._parser
        self._head_is_whole = True
        request.method = parser.get_method()
        request.version = parser.get_http_version()
        request.check_head(self._server.largest_body)
        # HTTP/1.0 knows no chunks; its connections end with each answer.
        request.keeps_alive = request.version == "1.1" and parser.should_keep_alive()
        expects = request.headers.get(b"expect", b"").lower() == b"100-continue"
        if expects and self._working is None and request.version == "1.1":
            self._transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        body = cast(Request, self._receiving).body
        body.add(part)
        if body.size > self._server.largest_body:
            raise too_large(self._server.largest_body)

    def on_message_complete(self) -> None:
        request = cast(Request, self._receiving)
        request.body.complete()
        self._receiving = None
        self._head_is_whole = False
        self._received = 0
        if self._working is None:
            self._work_on(request)
        elif len(self._waiting) < PIPELINED:
            self._waiting.append(request)
        else:
            request.body.close()
            raise RefusedError(400, "Too many requests sent ahead of their answers.")

    def _drop_upgrade(self) -> None:
        """Nothing else than HTTP/1 is spoken here: the request is answered as an ordinary one."""
        self._has_ended = True

    # --- Answering --------------------------------------------------------------------------

    def _work_on(self, request: Request) -> None:
        self._working = request
        self._enter(State.WORKING)
        self._server.work_on(self, request)

    def is_waiting_for(self, request: Request) -> bool:
        return self._working is request

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow. Any thread may ask."""
        working = self._working
        return (
            working is not None
            and working.keeps_alive
            and not (self._server.is_stopping or (self._has_ended and not self._waiting))
        )

    def send(self, request: Request, data: bytes) -> bool:
        """Part of an answer. False: hold further parts back until `on_room` of the request."""
        if self._working is not request:
            return False
        self._transport.write(data)
        return self._stuck_since is None

    def finish(self, request: Request, data: bytes = b"", *, keeps_alive: bool) -> None:
        """The rest of an answer; then the next request."""
        if self._working is not request:
            return
        if data:
            self._transport.write(data)
        self._working = None
        request.body.close()
        if not keeps_alive:
            self.close()
            return
        if self._stuck_since is None:
            self._go_on()
            return
        # Else answers would pile up here for a client that only asks.
        self._is_held = True
        self._enter(State.IDLE)
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        self._is_held = False
        if self._waiting:
            self._work_on(self._waiting.popleft())
            return
        if self._refusal is not None:
            self._linger(self._refusal)
            return
        self._enter(State.RECEIVING if self._receiving is not None else State.IDLE)
        if self._is_paused:
            self._is_paused = False
            self._began = self.since  # what we did not read, the client could not send
            self._transport.resume_reading()
        if self._has_ended or (self._server.is_stopping and self.state is State.IDLE):
            self.close()

    def break_off(self, request: Request) -> None:
        """End an answer that cannot be completed, so that the client sees that it is cut."""
        if self._working is request:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._stuck_since = self._server.loop.time()

    def resume_writing(self) -> None:
        self._stuck_since = None
        if self._working is not None and self._working.on_room is not None:
            self._working.on_room()
        elif self._is_held and self.state is not State.CLOSING:
            self._go_on()

    def _refuse(self, refusal: RefusedError) -> None:
        """Answer what came before, tell the client, and read nothing more."""
        self._refusal = refusal
        if self._receiving is not None:
            self._receiving.body.close()
            self._receiving = None
        if self._working is None:
            self._linger(refusal)

    def _linger(self, refusal: RefusedError) -> None:
        self._enter(State.LINGERING)
        self._transport.write(answers.refusal(refusal.status, refusal.message))
        if self._has_ended or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = self._server.loop.time()
