import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from portal import addresses, http
from portal.errors import UpstreamError
from portal.http import ForbiddenAddressError

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - judged, not bound
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.9.10",
    "169.254.169.254",
    "172.31.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0",
]


class Handler(BaseHTTPRequestHandler):
    hits: list[str] = []
    respond: Callable[["Handler"], None] = staticmethod(lambda handler: handler.answer(200, b"{}"))

    def do_GET(self) -> None:
        self.hits.append(self.path)
        type(self).respond(self)

    do_POST = do_GET  # noqa: N815 - the parent's name

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Quiet."""


@pytest.fixture
def upstream() -> Iterator[tuple[str, type[Handler]]]:
    """A server on this machine, and the class to tell it what to answer."""
    handler = type("OwnHandler", (Handler,), {"hits": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with http.client(allow_private=True) as client:
        yield client


@pytest.mark.parametrize("text", PRIVATE)
def test_private_and_special_addresses_are_not_public(text: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "52.94.236.248", "2606:4700:4700::1111"])
def test_public_addresses_are_public(text: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_is_reached(
    upstream: tuple[str, type[Handler]], host: str
) -> None:
    port = upstream[0].rpartition(":")[2]

    with http.client() as client, pytest.raises(UpstreamError):
        http.fetch(client, "GET", f"http://{host}:{port}/", attempts=1)

    assert upstream[1].hits == []


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
        for address in ("1.1.1.1", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with http.client() as client, pytest.raises(ForbiddenAddressError):
        http.fetch(client, "GET", "http://rebinding.example/")


def test_redirects_are_answers_and_never_followed(
    upstream: tuple[str, type[Handler]], client: httpx.Client
) -> None:
    url, handler = upstream
    handler.respond = staticmethod(lambda one: one.answer(302, b"", Location=f"{url}/target"))

    answer = http.fetch(client, "GET", f"{url}/start")

    assert answer.status == 302
    assert handler.hits == ["/start"]


def test_a_body_beyond_the_cap_is_refused(
    upstream: tuple[str, type[Handler]], client: httpx.Client
) -> None:
    url, handler = upstream
    handler.respond = staticmethod(lambda one: one.answer(200, b"x" * 2000))

    with pytest.raises(UpstreamError, match="larger than 1000 bytes"):
        http.fetch(client, "GET", url, max_bytes=1000)


def test_a_compressed_answer_is_refused(
    upstream: tuple[str, type[Handler]], client: httpx.Client
) -> None:
    url, handler = upstream
    handler.respond = staticmethod(lambda one: one.answer(200, b"x", Content_Encoding="gzip"))

    with pytest.raises(UpstreamError, match="compresses"):
        http.fetch(client, "GET", url)


def test_a_busy_service_is_asked_again(
    upstream: tuple[str, type[Handler]], client: httpx.Client
) -> None:
    url, handler = upstream

    def respond(one: Handler) -> None:
        one.answer(503 if len(handler.hits) < 3 else 200, b"done")

    handler.respond = staticmethod(respond)

    answer = http.fetch(client, "GET", url)

    assert (answer.status, answer.body, len(handler.hits)) == (200, b"done", 3)


def test_what_is_not_repeatable_is_sent_once(
    upstream: tuple[str, type[Handler]], client: httpx.Client
) -> None:
    url, handler = upstream
    handler.respond = staticmethod(lambda one: one.answer(503, b""))

    answer = http.fetch(client, "POST", url, json={})

    assert (answer.status, len(handler.hits)) == (503, 1)


def test_a_service_that_is_away_is_an_upstream_error(client: httpx.Client) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1 does not answer"):
        http.fetch(client, "GET", f"http://127.0.0.1:{port}/?token=secret", attempts=1)


def test_proxies_of_the_environment_are_not_used(
    upstream: tuple[str, type[Handler]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    url, handler = upstream

    with http.client(allow_private=True) as client:
        answer = http.fetch(client, "GET", url)

    assert answer.is_success
    assert len(handler.hits) == 1


def test_certificates_are_checked() -> None:
    transport = http._Transport(allow_private=True)  # noqa: SLF001 - what no request can show

    context = transport._pool._ssl_context  # noqa: SLF001

    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    transport.close()
