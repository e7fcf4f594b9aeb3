"""The web server against clients that are slow, greedy or crooked. Real sockets, no database."""

import http.client
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from portal import web

SLOW_SOCKETS = 200
CHUNK = b"10000\r\n" + b"a" * 65536 + b"\r\n"


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with what it has read; /slow takes half a second."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    answer = f"{len(body)} {environ.get('CONTENT_LENGTH', '')}".encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


class Running:
    def __init__(self) -> None:
        listener = web.bind("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=web.serve,
            args=(application, listener),
            kwargs={"threads": 4, "stop": self.stop},
        )
        self.thread.start()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        connection.settimeout(5)
        return connection

    def send(self, raw: bytes) -> bytes:
        """Everything the server answers until it closes the connection."""
        with self.connect() as connection:
            connection.sendall(raw)
            return _read_all(connection)

    def post(self, body: bytes, path: str = "/") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def _send_until_cut(connection: socket.socket, limit: int) -> int:
    sent = 0
    try:
        while sent < limit:
            connection.sendall(CHUNK)
            sent += len(CHUNK)
    except ConnectionError:
        pass
    return sent


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop.set()
    running.thread.join()


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "half",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["headers", "body", "chunk"],
)
def test_200_half_sent_requests_do_not_hinder_good_ones(server: Running, half: bytes) -> None:
    slow = [server.connect() for _ in range(SLOW_SOCKETS)]
    for connection in slow:
        connection.sendall(half)

    took = []
    for _ in range(100):
        began = time.monotonic()
        status, _ = server.post(b"x" * 5000)
        took.append(time.monotonic() - began)
        assert status == 200

    for connection in slow:
        connection.close()
    assert sorted(took)[98] < 1.0


def test_a_chunked_body_arrives_whole_and_with_its_length(server: Running) -> None:
    answer = server.send(head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"7 7")


@pytest.mark.parametrize(
    "raw",
    [
        head("Content-Length: 3", "Content-Length: 3") + b"abc",
        head("Content-Length: 3", "Content-Length: 4") + b"abcd",
        head("Content-Length: 3, 3") + b"abc",
        head("Content-Length: +3") + b"abc",
        head("Content-Length: -1") + b"abc",
        head("Content-Length : 3") + b"abc",
        head("Content-Length: 3", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked", "Content-Length: 3") + b"3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: xchunked") + b"3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: gzip, chunked") + b"3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + b"0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"-3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"3\r\nabcdef\r\n0\r\n\r\n",
        head("X-Name: a\x00b"),
        head("X-Name: a\rb"),
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/2.7\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        head("X-Name: " + "a" * 300_000),
    ],
)
def test_a_crooked_request_is_refused_and_the_connection_closed(
    server: Running, raw: bytes
) -> None:
    answer = server.send(raw)

    status = int(answer.split(b" ", 2)[1])
    assert status in {400, 431, 501}
    assert len(re.findall(rb"HTTP/1\.[01] \d{3} ", answer)) == 1


def test_a_body_that_is_announced_too_large_is_refused_unread(server: Running) -> None:
    answer = server.send(head(f"Content-Length: {web.largest_body() + 1}") + b"abc")

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(("doors", "server"), [(1024, 16), (8 << 20, 16), (40 << 20, 41)])
def test_the_server_takes_a_little_more_than_the_doors(
    settings: Settings, doors: int, server: int
) -> None:
    settings.INGEST_MAX_BYTES = doors

    assert web.largest_body() == server << 20


def test_what_the_server_refuses_can_be_read_by_browsers(server: Running) -> None:
    too_large = web.largest_body() + 1

    answer = server.send(
        f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {too_large}\r\n\r\n".encode()
    )

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nAccess-Control-Allow-Origin: *" in head
    assert json.loads(body)["error"]["code"] == "http-413"


def test_an_endless_body_is_cut_and_memory_stays_bounded(server: Running) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with server.connect() as connection:
        connection.sendall(head("Transfer-Encoding: chunked"))
        sent = _send_until_cut(connection, limit=3 * web.largest_body())

    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert sent < 2 * web.largest_body()
    assert grown_kib < 32 * 1024


def test_a_large_honest_body_arrives(server: Running) -> None:
    status, answer = server.post(b"x" * 8_000_000)

    assert (status, answer) == (200, b"8000000 8000000")


def test_stopping_finishes_what_has_begun() -> None:
    server = Running()
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(server.post(b"abc", "/slow")))
    client.start()
    time.sleep(0.2)

    began = time.monotonic()
    server.stop.set()
    client.join()
    server.thread.join()

    assert answers == [(200, b"3 3")]
    assert time.monotonic() - began < 3
    with pytest.raises(ConnectionError):
        server.connect()


def test_stopping_does_not_wait_for_half_sent_requests() -> None:
    server = Running()
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        time.sleep(0.3)

        began = time.monotonic()
        server.stop.set()
        server.thread.join()

    assert time.monotonic() - began < 5
