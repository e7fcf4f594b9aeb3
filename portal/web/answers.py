"""The bytes of an answer's head, and the answers that the server gives by itself."""

import json
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

_dates: dict[int, bytes] = {}


def date_line() -> bytes:
    """`Date: …`, made once a second."""
    second = int(time.time())
    line = _dates.get(second)
    if line is None:
        _dates.clear()
        line = _dates[second] = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
    return line


def head(status: str, headers: Iterable[tuple[str, str]], *extra: bytes) -> bytes:
    """Status line and headers; the empty line is the caller's."""
    return b"".join([head_lines(status, headers), date_line(), *extra])


def head_lines(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status}\r\n"]
    for name, value in headers:
        if "\n" in value or "\r" in value or "\n" in name or "\r" in name:
            raise ValueError(f"The header {name!r} has a line break.")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def refusal(status: int, message: str) -> bytes:
    """What the server refuses by itself, before any door can: browsers may read it all the same.

    To a browser an answer without Access-Control-Allow-Origin is a broken connection.
    """
    about = {"code": f"http-{status}", "message": message}
    body = json.dumps({"error": about}).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Access-Control-Allow-Origin", "*"),
        ("Connection", "close"),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "5"))
    return head(f"{status} {HTTPStatus(status).phrase}", headers) + b"\r\n" + body
