"""The web server: waitress, with the few limits that it leaves open.

Its one event loop reads every request whole before a thread is taken, so slow clients cost no
threads. docs/adr/0002-web-server.md has the measurements behind the choice.
"""

import json
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_MIB = 1024 * 1024
# A request must have arrived whole after this long, however slowly it trickles in.
RECEIVE_SECONDS = 120.0
IDLE_SECONDS = 60
CONNECTIONS = 1000
_IN_MEMORY_BYTES = 256 * 1024  # of a body; beyond, it waits in a temporary file
_FINISH_SECONDS = 8.0
_FINISH_RECEIVING_SECONDS = 2.0


class StrictParser(HTTPRequestParser):
    """Refuses what proxies and servers are known to read differently."""

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if not self.first_line.endswith((b"HTTP/1.1", b"HTTP/1.0")):
            raise ParsingError("Only HTTP/1.0 and HTTP/1.1 are spoken here")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding together")
        if "TRANSFER_ENCODING" in self.headers:  # left over: HTTP/1.0 has none
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        host = self.headers.get("HOST", "")
        if "," in host or (not host and self.version == "1.1"):
            raise ParsingError("There must be one Host header")


class Refusal(ErrorTask):
    """What the server refuses by itself, before any door can: browsers may read it all the same.

    To a browser an answer without Access-Control-Allow-Origin is a broken connection.
    """

    def execute(self) -> None:
        error = self.request.error
        about = {"code": f"http-{error.code}", "message": f"{error.reason}: {error.body}"}
        body = json.dumps({"error": about}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/json"),
            ("Access-Control-Allow-Origin", "*"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    parser_class = StrictParser
    error_task_class = Refusal

    def is_receiving(self) -> bool:
        return self.request is not None

    def is_busy(self) -> bool:
        return bool(self.requests or self.total_outbufs_len)


class Server(TcpWSGIServer):
    channel_class = Channel

    def maintenance(self, now: float) -> None:
        """Close connections that are idle, or that take too long over one request."""
        super().maintenance(now)
        oldest = time.monotonic() - RECEIVE_SECONDS
        for channel in self.active_channels.values():
            request = channel.request
            if isinstance(request, StrictParser) and request.began < oldest:
                channel.will_close = True


def largest_body() -> int:
    """Beyond what any door takes, so that a door's own answer tells how much it takes.

    Not far beyond: a body waits on disk before anybody has looked at the key it came with.
    """
    return max(16 * _MIB, settings.INGEST_MAX_BYTES + _MIB)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket that several processes may share. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), port))
    listener.listen(1024)
    return listener


def serve(
    application: WsgiApplication, listener: socket.socket, *, threads: int, stop: threading.Event
) -> None:
    """Serve until `stop` is set, then finish what has begun."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue is no news
    _allow_files(2 * CONNECTIONS + 200)  # a connection may have a temporary file beside it
    sockets: dict[int, Any] = {}
    server = _make_server(application, listener, threads, sockets)
    while not stop.is_set():
        wasyncore.loop(timeout=0.2, use_poll=True, map=sockets, count=1)
    _finish(server, sockets)


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = number if hard == resource.RLIM_INFINITY else min(number, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


def _make_server(
    application: WsgiApplication, listener: socket.socket, threads: int, sockets: dict[int, Any]
) -> Server:
    adjustments = Adjustments(
        sockets=[listener],
        threads=threads,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=10,
        max_request_body_size=largest_body(),
        inbuf_overflow=_IN_MEMORY_BYTES,
        backlog=1024,
        ident=None,
        # Django decides how many proxies are believed (TRUSTED_PROXIES), and needs the headers.
        clear_untrusted_proxy_headers=False,
    )
    return Server(
        application,
        map=sockets,
        _sock=listener,
        adj=adjustments,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
        bind_socket=False,
    )


def _finish(server: Server, sockets: dict[int, Any]) -> None:
    """Take no new connection, answer what is being worked on, and give half-sent ones a moment."""
    channels = server.active_channels
    server.accepting = False
    server.del_channel(sockets)
    server.socket.close()
    began = time.monotonic()
    while channels and (passed := time.monotonic() - began) < _FINISH_SECONDS:
        for channel in channels.values():
            waits = channel.is_receiving() and passed < _FINISH_RECEIVING_SECONDS
            if not channel.is_busy() and not waits:
                channel.will_close = True
        wasyncore.loop(timeout=0.05, use_poll=True, map=sockets, count=1)
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
    wasyncore.close_all(sockets, ignore_all=True)
