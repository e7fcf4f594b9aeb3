"""The only maker of HTTP clients: short time-outs, no redirects, no proxies, no private addresses.

The name of a host is looked up once, every address is judged, and the connection goes to one of
those: a second look-up could answer otherwise. TLS still checks the name.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from portal.addresses import is_public, resolve
from portal.errors import UpstreamError

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
MAX_BYTES = 1024 * 1024
TOTAL_SECONDS = 20.0
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_LONGEST_PAUSE_SECONDS = 10.0


class ForbiddenAddressError(UpstreamError):
    """The host lies in a private network, where the portal does not send requests."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def client(
    *, allow_private: bool = False, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """A client for one outside service; close it, or use it in a `with`.

    `allow_private` is for addresses that an operator has configured, never for what came from
    outside.
    """
    return httpx.Client(
        transport=transport or _Transport(allow_private=allow_private),
        timeout=TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "Greenroom", "Accept-Encoding": "identity"},
    )


def fetch(
    using: httpx.Client,
    method: str,
    url: str,
    *,
    attempts: int = 3,
    max_bytes: int = MAX_BYTES,
    **options: Any,
) -> Answer:
    """Send a request and read its answer, at most `max_bytes` of it.

    Tries again, after a random and growing pause, where the method may be repeated harmlessly and
    the service is out of reach or busy. Raises UpstreamError when there is no answer; an answer
    of any status is returned.
    """
    host = _host(url)
    left = attempts if method.upper() in _REPEATABLE else 1
    deadline = time.monotonic() + TOTAL_SECONDS
    while True:
        left -= 1
        try:
            answer = _fetch_once(using, method, url, max_bytes, deadline, options)
        except httpx.TransportError as error:
            if not left:
                raise UpstreamError(f"{host} does not answer: {error}") from error
            pause = _pause(attempts - left)
        else:
            if answer.status not in _RETRIED_STATUSES or not left:
                return answer
            pause = _asked_pause(answer) or _pause(attempts - left)
        if time.monotonic() + pause > deadline:
            raise UpstreamError(f"{host} does not answer in time.")
        time.sleep(pause)


def _fetch_once(
    using: httpx.Client,
    method: str,
    url: str,
    max_bytes: int,
    deadline: float,
    options: dict[str, Any],
) -> Answer:
    with using.stream(method, url, **options) as response:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UpstreamError(f"{_host(url)} compresses its answer without being asked.")
        parts: list[bytes] = []
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > max_bytes:
                raise UpstreamError(f"The answer of {_host(url)} is larger than {max_bytes} bytes.")
            if time.monotonic() > deadline:
                raise UpstreamError(f"{_host(url)} does not finish its answer in time.")
            parts.append(part)
    return Answer(response.status_code, response.headers, b"".join(parts))


def _pause(tries: int) -> float:
    longest = min(0.25 * 2.0**tries, _LONGEST_PAUSE_SECONDS)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 - no secret


def _asked_pause(answer: Answer) -> float:
    """Seconds of Retry-After; 0 if absent, a date, or longer than we wait."""
    text = answer.headers.get("Retry-After", "")
    seconds = float(text) if text.isascii() and text.isdigit() else 0.0
    return seconds if seconds <= _LONGEST_PAUSE_SECONDS else 0.0


def _host(url: str) -> str:
    """For messages: the rest of an address may hold secrets."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL as error:
        raise UpstreamError(f"This is no address to ask: {error}") from error


class _Transport(httpx.HTTPTransport):
    def __init__(self, *, allow_private: bool) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=20,
            max_keepalive_connections=5,
            keepalive_expiry=30,
            network_backend=_Backend(allow_private=allow_private),
        )


class _Backend(httpcore.SyncBackend):
    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be looked up") from error
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise ForbiddenAddressError(f"{host} lies in a private network: no request was sent.")
        for position, address in enumerate(addresses, start=1):
            try:
                return super().connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")
