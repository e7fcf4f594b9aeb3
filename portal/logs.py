"""Log lines as JSON, each with the id of the request it belongs to."""

import json
import logging
import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import count

from django.http import HttpRequest, HttpResponseBase

request_id: ContextVar[str] = ContextVar("request_id", default="")

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LONGEST = 4000
_PROCESS = secrets.token_hex(8)
_numbers = count(1)
# Keys ride in URLs, and URLs in messages: a log keeps what names a key, not what it opens.
_KEY = re.compile(r"(gr[is]_[A-Za-z0-9_-]{8})[A-Za-z0-9_-]{20,}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line. JSON escapes control characters, so no text can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _without_keys(record.getMessage())[:_LONGEST],
        }
        if current := request_id.get():
            line["request_id"] = current
        if record.exc_info:
            line["exception"] = _without_keys(self.formatException(record.exc_info))[-_LONGEST:]
        return json.dumps(line)


def _without_keys(text: str) -> str:
    return _KEY.sub(r"\1...", text)


def choose_id(offered: str) -> str:
    """The proxy's id for a request, or a new one: this process's own, and a count."""
    return offered if _ACCEPTABLE.fullmatch(offered) else f"{_PROCESS}{next(_numbers):016x}"


class RequestIdMiddleware:
    """Give each request an id (or keep the proxy's), and hand it back in X-Request-Id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = request_id.set(choose_id(request.headers.get("X-Request-Id", "")))
        try:
            response = self.get_response(request)
            response["X-Request-Id"] = request_id.get()
        finally:
            request_id.reset(token)
        return response
