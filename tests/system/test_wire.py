"""What only a real server can show: chunks, cut bodies, and limits in front of Django."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.world.portals import Portal

Live = tuple[Portal, str]
BODY = (
    b'[{"name":"meetingEnded","attributes":'
    b'{"meetingId":"m-wire","attendeeId":"a","timestampMs":1795252656926}}]'
)


@pytest.fixture(scope="module")
def wire(prepared_portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A web process and no drain, so that what it stored can be counted."""
    portal = Portal(tmp_path_factory.mktemp("wire"))
    portal.copy_of(prepared_portal)
    try:
        portal.start_web()
        yield portal, portal.ingest_key()
    finally:
        portal.stop()


def bodies_of(portal: Portal, size: int) -> int:
    count: int = portal.ask("SELECT count(*) FROM inbox_delivery WHERE size_bytes = %s", [size])[0][
        0
    ]
    return count


def exchange(portal: Portal, head: str, body: bytes = b"") -> bytes:
    """Send bytes as they are, end the sending side, and read the answer."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_body_in_chunks_is_kept_whole(wire: Live) -> None:
    portal, key = wire
    parts = iter([BODY[:5], BODY[5:40], BODY[40:]])

    answer = httpx.post(f"{portal.doors(key)}/meetingevents", content=parts)

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bodies_of(portal, len(BODY)) == 1


@pytest.mark.parametrize("as_chunks", [False, True])
def test_a_body_above_the_limit_is_refused_readably(wire: Live, as_chunks: bool) -> None:
    portal, key = wire
    part = b" " * 1_048_576
    content = iter([part] * 9) if as_chunks else part * 9

    answer = httpx.post(f"{portal.doors(key)}/client-events", content=content, timeout=30)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too-large"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bodies_of(portal, 9 * len(part)) == 0


def test_a_body_that_is_cut_off_is_not_acknowledged(wire: Live) -> None:
    portal, key = wire
    head = f"POST /ingest/{key}/client-events HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 1000\n"

    answer = exchange(portal, head, b'{"events":[')

    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert bodies_of(portal, len(b'{"events":[')) == 0


def test_a_post_without_length_and_body_is_not_acknowledged_as_events(wire: Live) -> None:
    portal, key = wire
    head = f"POST /ingest/{key}/meetingevents HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n"

    answer = exchange(portal, head)

    assert answer.partition(b"\r\n")[0].split()[1] in {b"411", b"422"}
    assert b"Access-Control-Allow-Origin: *" in answer
