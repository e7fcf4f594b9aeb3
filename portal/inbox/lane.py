"""The doors' quick way: ordinary requests are judged in the event loop and stored in groups.

It takes only what is surely good, and judges by the same functions as the doors' ordinary way. All
else goes there: every refusal, every first request of a key, everything while the database is
away. So there is one place that refuses, and one shape of its answers.

How a stored request is answered is not decided here either: the headers are those with which the
ordinary way has answered a request to the same door, host and protocol before.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections

from portal.access.addresses import address_behind
from portal.access.models import ApiKey, KeyKind
from portal.access.origins import is_listed
from portal.access.quota import borrow_ahead, take_at_hand
from portal.access.services import is_use_noted, note_use, remembered_key, renew_key
from portal.inbox.doors import Door
from portal.inbox.paths import door_views
from portal.inbox.services import Envelope
from portal.inbox.sqs.courier import Courier
from portal.inbox.writer import Item, Writer
from portal.logs import choose_id
from portal.web.answers import date_line, head_lines
from portal.web.connection import Connection
from portal.web.requests import Request
from portal.web.server import Server

logger = logging.getLogger(__name__)

_KEY = re.compile(rb"gri_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_PLACE = b"KEY"
_ANSWER = b"{}"
# Of one combination of door, host and protocol each.
_MOST_ANSWERS = 512
_LONGEST_HOST = 255


class Lane:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._writer = Courier(server.loop) if settings.INBOX == "sqs" else Writer(server.loop)
        self._doors = _doors()
        self._answers: dict[tuple[bytes, bytes, bool], bytes] = {}
        self._learning = threading.Lock()
        self._noting: set[int] = set()  # keys whose use a thread is about to note

    def take(self, connection: Connection, request: Request) -> bool:
        """Whether the request is on its way to the database. Asks nothing that could wait."""
        if request.method != b"POST" or request.has_copies:
            return False
        path, _, query = request.target.partition(b"?")
        found = _KEY.search(path)
        if found is None:
            return False
        place = path[: found.start()] + _PLACE + path[found.end() :]
        door = self._doors.get(place)
        headers = request.headers
        answer = self._answers.get(_answer_key(place, headers))
        if door is None or answer is None or not _is_ordinary(headers, query):
            return False
        body = request.body.whole()
        if not body or len(body) > settings.INGEST_MAX_BYTES or not self._writer.has_room():
            return False
        key = self._key(found[0].decode())
        origin = headers.get(b"origin", b"").decode("latin-1")
        if key is None or not is_listed(key, origin):
            return False
        kept = door.quick(body)
        if kept is None or not self._charge(key):
            return False
        envelope = Envelope(
            door=door.name,
            key=key,
            address=_address(request),
            origin=origin,
            user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
        )
        settle = partial(self._settle, connection, request, answer)
        self._writer.add(Item(kept, envelope, time.time_ns() // 1000, settle))
        return True

    def note(self, request: Request, status: str, headers: list[tuple[str, str]]) -> None:
        """Learn how requests that were stored are answered."""
        if request.method != b"POST" or not status.startswith("200"):
            return
        path = request.target.partition(b"?")[0]
        place = _KEY.sub(_PLACE, path, count=1)
        known = _answer_key(place, request.headers)
        if known in self._answers or place not in self._doors or len(known[1]) > _LONGEST_HOST:
            return
        names = {name.lower() for name, _ in headers}
        lengths = {value for name, value in headers if name.lower() == "content-length"}
        if "set-cookie" in names or lengths != {str(len(_ANSWER))}:
            return
        kept = [each for each in headers if each[0].lower() != "x-request-id"]
        with self._learning:
            if len(self._answers) >= _MOST_ANSWERS:
                del self._answers[next(iter(self._answers))]  # the one learnt first
            self._answers[known] = head_lines(status, kept)

    def stop(self, seconds: float) -> None:
        self._writer.stop(seconds)

    def _key(self, text: str) -> ApiKey | None:
        key, renew = remembered_key(text, KeyKind.INGEST)
        if renew:
            self._later(partial(renew_key, text))
        if key is not None and not is_use_noted(key) and key.pk not in self._noting:
            self._noting.add(key.pk)
            self._later(partial(self._note_use, key))
        return key

    def _note_use(self, key: ApiKey) -> None:
        try:
            note_use(key)
        finally:
            self._noting.discard(key.pk)

    def _charge(self, key: ApiKey) -> bool:
        is_charged, borrow = take_at_hand(key)
        if borrow:
            self._later(partial(borrow_ahead, key))
        return is_charged

    def _later(self, work: Callable[[], None]) -> None:
        self._server.bridge.submit(partial(_with_database, work))

    def _settle(
        self, connection: Connection, request: Request, answer: bytes, is_stored: bool
    ) -> None:
        try:
            if is_stored:
                self._answer(connection, request, answer)
                return
        except Exception:  # nobody else would answer this request
            logger.exception("A request that was stored takes the long way.")
        self._server.bridge.take(connection, request)

    def _answer(self, connection: Connection, request: Request, answer: bytes) -> None:
        keeps_alive = connection.keeps_alive
        offered = request.headers.get(b"x-request-id", b"").decode("latin-1")
        parts = [
            answer,
            date_line(),
            b"X-Request-Id: ",
            choose_id(offered).encode(),
            b"\r\n\r\n" if keeps_alive else b"\r\nConnection: close\r\n\r\n",
            _ANSWER,
        ]
        connection.finish(request, b"".join(parts), keeps_alive=keeps_alive)


def _doors() -> dict[bytes, type[Door]]:
    mark = "<str:key>"
    return {
        f"/{path.replace(mark, _PLACE.decode())}".encode(): door
        for door, path in door_views()
        if mark in path
    }


def _answer_key(place: bytes, headers: dict[bytes, bytes]) -> tuple[bytes, bytes, bool]:
    """Whatever the answer's headers, or the host being allowed, depend on."""
    return place, headers.get(b"host", b""), _is_secure(headers)


def _is_secure(headers: dict[bytes, bytes]) -> bool:
    """As Django judges it, by the header of a proxy that is trusted; there is no https here."""
    trusted = settings.SECURE_PROXY_SSL_HEADER
    if trusted is None:
        return False
    name, secure = trusted
    value = headers.get(name.removeprefix("HTTP_").replace("_", "-").lower().encode(), b"")
    return value.partition(b",")[0].strip() == secure.encode()


def _is_ordinary(headers: dict[bytes, bytes], query: bytes) -> bool:
    """Nothing that the ordinary way might take as a wish for another format."""
    accept = headers.get(b"accept", b"*/*")
    return (
        b"content-encoding" not in headers
        and (b"*/*" in accept or b"application/json" in accept)
        and b"format" not in query
    )


def _address(request: Request) -> str | None:
    forwarded = request.headers.get(b"x-forwarded-for", b"").decode("latin-1")
    return address_behind(request.peer[0], forwarded) or None


def _with_database(work: Callable[[], None]) -> None:
    """As Django does around a request, in a thread that serves requests at other times."""
    close_old_connections()
    try:
        work()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Something about a key could not be looked up ahead of need: %s", error)
    finally:
        close_old_connections()
