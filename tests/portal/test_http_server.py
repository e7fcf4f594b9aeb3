"""The web server against clients that are slow, greedy or crooked. Real sockets, no database."""

import json
import re
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from pytest_django import Settings

from portal import web
from portal.web import connection as web_connection
from portal.web import requests as web_requests
from portal.web import server as web_server
from portal.web.connection import Connection
from portal.web.requests import Request
from tests.world.servers import Running, read_all

SLOW_SOCKETS = 200
CHUNK = b"10000\r\n" + b"a" * 65536 + b"\r\n"


class Endless:
    """An answer that never ends by itself."""

    def __init__(self) -> None:
        self.made = 0
        self.is_closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.made += 65536
            yield b"x" * 65536

    def close(self) -> None:
        self.is_closed.set()


endless: list[Endless] = []


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with what it has read; some paths have ways of their own."""
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.5)
    if path == "/parts":
        start("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one ", b"", b"two"])
    if path == "/endless":
        start("200 OK", [("Content-Type", "text/plain")])
        endless.append(Endless())
        return endless[-1]
    if path == "/large":
        size = int(environ["QUERY_STRING"])
        start("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]
    if path == "/short":
        start("200 OK", [("Content-Length", "10")])
        return iter([b"abc"])
    if path == "/broken":
        raise RuntimeError("This application is broken on purpose.")
    if path == "/environ":
        answer = json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()
        start("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]
    answer = f"{len(body)} {environ.get('CONTENT_LENGTH', '')}".encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


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
    running = Running(application)
    yield running
    running.end()


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

    statuses = {server.post(b"x" * 5000)[0] for _ in range(100)}

    for connection in slow:
        connection.close()
    assert statuses == {200}


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
    server = Running(application)
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
    server = Running(application)
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        time.sleep(0.3)

        began = time.monotonic()
        server.stop.set()
        server.thread.join()

    assert time.monotonic() - began < 5


def test_requests_sent_ahead_are_answered_in_turn(server: Running) -> None:
    first = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
    second = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"

    answer = server.send(first + second + b"GET / HTTP/1.0\r\n\r\n")

    assert re.findall(rb"\r\n\r\n(\d \d?)", answer) == [b"1 1", b"2 2", b"0 "]


def test_a_crooked_request_does_not_take_the_answer_from_the_one_before(server: Running) -> None:
    good = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"

    answer = server.send(good + b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")

    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"200", b"400"]


def test_a_client_that_has_ended_its_side_is_still_answered(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        connection.shutdown(socket.SHUT_WR)

        assert read_all(connection).endswith(b"1 1")


@pytest.mark.parametrize(("version", "framed"), [("1.1", True), ("1.0", False)])
def test_an_answer_of_unknown_length_is_sent_in_parts(
    server: Running, version: str, framed: bool
) -> None:
    raw = f"GET /parts HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode()

    head, _, body = server.send(raw).partition(b"\r\n\r\n")

    assert (b"Transfer-Encoding: chunked" in head) is framed
    assert body == (b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n" if framed else b"one two")


def test_a_head_request_is_answered_without_body(server: Running) -> None:
    answer = server.send(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


def test_an_answer_that_is_shorter_than_it_said_is_seen_to_be_cut(server: Running) -> None:
    answer = server.send(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n")

    assert not answer or answer.endswith(b"abc")  # and the connection is closed


def test_an_application_that_breaks_is_a_500_that_browsers_can_read(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    answer = server.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nAccess-Control-Allow-Origin: *" in answer
    assert "broken on purpose" in caplog.text


def test_what_a_client_does_not_take_waits_and_ends_with_the_client(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1000)
        time.sleep(0.5)
        made = endless[-1].made
        time.sleep(0.2)
        assert endless[-1].made == made

    assert endless[-1].is_closed.wait(5)
    assert made < 32 << 20


def test_the_application_is_told_what_the_request_said(server: Running) -> None:
    lines = ["Host: x", "Cookie: a=1", "Cookie: b=2", "X-One: 1", "X_One: forged", "X-One: 2"]
    raw = "\r\n".join(["GET //enviro%6E?c=%20d HTTP/1.1", *lines, "Connection: close", "", ""])

    told = json.loads(server.send(raw.encode()).partition(b"\r\n\r\n")[2])

    assert told["PATH_INFO"] == "/environ"
    assert told["QUERY_STRING"] == "c=%20d"
    assert told["HTTP_COOKIE"] == "a=1; b=2"
    assert told["HTTP_X_ONE"] == "1, 2"


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(head("Content-Length: 3", "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")

        assert read_all(connection).endswith(b"3 3")


def test_trailers_are_not_taken_for_headers(server: Running) -> None:
    lines = ["POST /environ HTTP/1.1", "Host: x", "Connection: close", "Transfer-Encoding: chunked"]
    chunks = "1\r\na\r\n0\r\nX-Forged: 1\r\nHost: y\r\n\r\n"

    answer = server.send(("\r\n".join([*lines, "", ""]) + chunks).encode())

    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["HTTP_HOST"] == "x"
    assert "HTTP_X_FORGED" not in told


def test_headers_that_do_not_come_are_refused_after_a_while(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connection, "HEAD_SECONDS", 0.2)

    answer = server.send(b"POST / HTTP/1.1\r\nHost: x\r\n")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_come_is_refused_after_a_while(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connection, "RECEIVE_SECONDS", 0.2)

    answer = server.send(head("Content-Length: 10") + b"abc")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "CONNECTIONS", 3)
    server = Running(application)
    oldest = server.connect()
    younger = [server.connect() for _ in range(2)]

    status, _ = server.post(b"abc")

    assert status == 200
    assert read_all(oldest) == b""
    for connection in (oldest, *younger):
        connection.close()
    server.end()


def test_where_all_are_busy_a_new_client_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_server, "CONNECTIONS", 2)
    server = Running(application)
    busy = [server.connect() for _ in range(2)]
    for connection in busy:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    time.sleep(0.2)

    with server.connect() as connection:
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 5" in answer
    for connection in busy:
        connection.close()
    server.end()


def temporary_files() -> int:
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum("deleted" in str(link) for link in links)


def test_large_bodies_wait_in_files_and_leave_none_behind(server: Running) -> None:
    files = temporary_files
    before = files()
    half = head("Content-Length: 600000") + b"x" * 500_000
    slow = [server.connect() for _ in range(3)]
    for connection in slow:
        connection.sendall(half)
    time.sleep(0.3)
    during = files()
    for connection in slow:
        connection.close()
    time.sleep(0.3)

    assert during == before + 3
    assert files() == before


@pytest.mark.parametrize("closes", [True, False])
def test_clients_that_do_not_take_their_answers_are_cut_off(
    monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    """Of many sizes, as what the kernel takes is not known: some leave just a little unsent."""
    monkeypatch.setattr(web_connection, "STUCK_SECONDS", 0.5)
    monkeypatch.setattr(web_connection, "IDLE_SECONDS", 0.5)
    left = []
    all_are_lost = threading.Event()
    sizes = range(20_000, 3_000_000, 40_000)

    class Watched(Connection):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            left.append(self)
            if len(left) == len(sizes):
                all_are_lost.set()

    monkeypatch.setattr(web_server, "Connection", Watched)
    server = Running(application)
    clients = []
    for size in sizes:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        end = b"Connection: close\r\n\r\n" if closes else b"\r\n"
        client.sendall(b"GET /large?%d HTTP/1.1\r\nHost: x\r\n" % size + end)
        clients.append(client)

    are_lost = all_are_lost.wait(10)
    for client in clients:
        client.close()
    server.end()

    assert are_lost


def test_an_answer_that_is_not_taken_makes_room_for_new_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_server, "CONNECTIONS", 3)
    monkeypatch.setattr(web_connection, "SLOW_SECONDS", 0.2)
    server = Running(application)
    stuck = [server.connect() for _ in range(3)]
    for connection in stuck:
        connection.sendall(b"GET /large?9000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.recv(1)
    time.sleep(0.5)

    status, _ = server.post(b"abc")

    for connection in stuck:
        connection.close()
    server.end()
    assert status == 200


def test_a_slow_reader_still_gets_a_large_answer_whole(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /large?6000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.5)
        _, _, body = read_all(connection).partition(b"\r\n\r\n")

    assert len(body) == 6_000_000


def test_a_body_that_the_disk_has_no_room_for_is_to_be_sent_again_later(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full takes nothing, as a disk that is full."""

    def open_full() -> IO[bytes]:
        return Path("/dev/full").open("r+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", open_full)

    for size in (270_000, 600_000):
        answer = server.send(head(f"Content-Length: {size}") + b"x" * size)

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in answer
    assert server.post(b"x" * 1000)[0] == 200


def test_without_a_file_to_be_had_a_large_body_is_to_be_sent_again_later(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)

    answer = server.send(head("Content-Length: 600000") + b"x" * 600_000)

    assert answer.startswith(b"HTTP/1.1 503 ")


def test_all_temporary_files_together_have_a_limit(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_requests, "ALL_ON_DISK_BYTES", 1_500_000)
    half = head("Content-Length: 900000") + b"x" * 700_000
    slow = [server.connect() for _ in range(2)]
    for connection in slow:
        connection.sendall(half)
    time.sleep(0.3)

    answer = server.send(half + b"x" * 200_000)
    small, _ = server.post(b"x" * 200_000)
    for connection in slow:
        connection.close()
    time.sleep(0.3)
    again, _ = server.post(b"x" * 900_000)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert (small, again) == (200, 200)


def test_slow_senders_do_not_send_the_bodies_of_others_to_the_disk(server: Running) -> None:
    before = temporary_files()
    slow = [server.connect() for _ in range(320)]
    for connection in slow:
        connection.sendall(head("Content-Length: 250000") + b"x" * 240_000)
    time.sleep(0.3)
    with server.connect() as connection:
        connection.sendall(head("Content-Length: 250000") + b"x" * 249_999)
        time.sleep(0.3)
        files = temporary_files()
        connection.sendall(b"x")
        answer = read_all(connection)
    for each in slow:
        each.close()

    assert files == before  # 75 MiB wait
    assert answer.endswith(b"250000 250000")


def test_a_lane_that_breaks_leaves_the_request_to_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class BrokenLane:
        def take(self, connection: Connection, request: Request) -> bool:
            raise RuntimeError("This lane is broken on purpose.")

        def note(self, request: Request, status: str, headers: list[tuple[str, str]]) -> None:
            pass

        def stop(self, seconds: float) -> None:
            pass

    server = Running(application, make_lane=lambda _: BrokenLane())
    answer = server.post(b"abc")
    server.end()

    assert answer == (200, b"3 3")
    assert "broken on purpose" in caplog.text


def test_a_request_that_begins_behind_another_one_has_its_time_limit_too(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connection, "HEAD_SECONDS", 0.2)

    answer = server.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\naPOST / HT")

    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"200", b"408"]


def test_time_in_which_the_server_did_not_read_is_not_the_client_s(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connection, "HEAD_SECONDS", 2.0)
    request = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
    with server.connect() as connection:
        connection.sendall(request * 5 + b"GET / HT")  # 2.5 s of work
        parts = b""
        while parts.count(b"1 1") < 5:
            parts += connection.recv(65536)
        time.sleep(1.3)  # beyond the next look at the times
        connection.sendall(b"TP/1.0\r\n\r\n")
        parts += read_all(connection)

    assert re.findall(rb"HTTP/1\.1 (\d{3})", parts) == [b"200"] * 6


def test_a_client_that_only_asks_is_not_worked_for_until_it_takes_its_answers() -> None:
    asked = []

    def counting(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked.append(1)
        return application(environ, start)

    server = Running(counting)
    request = b"GET /large?2000000 HTTP/1.1\r\nHost: x\r\n"
    with server.connect() as connection:
        connection.sendall((request + b"\r\n") * 19 + request + b"Connection: close\r\n\r\n")
        time.sleep(1)
        while_not_taking = len(asked)
        answers = read_all(connection)
    server.end()

    assert while_not_taking < 10
    assert answers.count(b"HTTP/1.1 200 OK") == 20
    assert len(answers) > 20 * 2_000_000
