"""A proxy in front of the portal that does what networks do: delay, refuse, and cut off."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_HOP_HEADERS = {"connection", "host", "content-length", "transfer-encoding", "keep-alive"}


@dataclass(slots=True)
class Faults:
    """How many of the next POSTs meet with what. Preflights pass."""

    refuse: int = 0  # answered 503 here, never passed on
    lose_answer: int = 0  # passed on, then cut off instead of answered
    cut: int = 0  # cut off before anything is passed on
    delay_seconds: float = 0.0
    requests: list[tuple[str, int]] = field(default_factory=list)  # path, status given
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> str:
        with self._lock:
            for name in ("refuse", "lose_answer", "cut"):
                if left := getattr(self, name):
                    setattr(self, name, left - 1)
                    return name
        return ""

    def note(self, path: str, status: int) -> None:
        with self._lock:
            self.requests.append((path, status))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: str, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults = faults
        self.upstream = httpx.Client(base_url=target, timeout=30)

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that a test cuts are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        faults = self.server.faults
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(faults.delay_seconds)
        fault = faults.take()
        if fault == "refuse":
            self._answer(503, {"Access-Control-Allow-Origin": "*"}, b"{}")
        elif fault == "cut":
            self._cut()
        else:
            answer = self._pass_on(body)
            if fault == "lose_answer":
                self._cut()
            else:
                self._answer(answer.status_code, dict(answer.headers), answer.content)

    def do_OPTIONS(self) -> None:
        answer = self._pass_on(b"")
        self._answer(answer.status_code, dict(answer.headers), answer.content)

    def _pass_on(self, body: bytes) -> httpx.Response:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_HEADERS}
        return self.server.upstream.request(self.command, self.path, content=body, headers=headers)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.server.faults.note(f"{self.command} {self.path}", status)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.server.faults.note(f"{self.command} {self.path}", 0)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def fault_proxy(target: str, faults: Faults) -> Iterator[str]:
    """The proxy's URL, while it runs."""
    server = _Server(target, faults)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.upstream.close()
