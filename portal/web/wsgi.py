"""The WSGI application in a pool of threads, each answering one whole request at a time."""

import asyncio
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from django.db import connections

from portal.web import answers
from portal.web.connection import Connection
from portal.web.requests import Request

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Observer = Callable[[Request, str, Headers], None]

_FILE_BLOCK = 64 * 1024
# So much of an answer may lie here that the client has not taken yet.
_AHEAD_BYTES = 256 * 1024
_BODILESS = ("1", "204", "304")


class ClientGoneError(Exception):
    """Nobody waits for the rest of the answer."""


class Bridge:
    """Threads that call the application, and do other small work that needs one."""

    def __init__(
        self,
        application: WsgiApplication,
        loop: asyncio.AbstractEventLoop,
        address: tuple[str, int],
        threads: int,
    ) -> None:
        self.on_answer: Observer | None = None
        """Called with each answer's head, in the thread that made it."""
        self._application = application
        self._loop = loop
        self._address = address
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # Daemons: a view that hangs must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._run, name=f"wsgi-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, connection: Connection, request: Request) -> None:
        self._work.put(lambda: self._answer(connection, request))

    def submit(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def stop(self, seconds: float) -> None:
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:  # a thread that died would be missed by every later request
                logger.exception("Something went wrong in a thread of the web server.")
        connections.close_all()  # those of this thread

    def _answer(self, connection: Connection, request: Request) -> None:
        if not connection.is_waiting_for(request):
            return  # gone before its turn came
        answer = Answer(self._loop, connection, request)
        try:
            result = self._application(_environ(request, self._address), answer.start)
            try:
                if self.on_answer is not None:
                    self.on_answer(request, answer.status, answer.headers)
                answer.send(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except ClientGoneError:
            pass
        except Exception:
            logger.exception("The application failed while it answered.")
            answer.fail()


class Answer:
    """What the application says, handed to the event loop as far as the client takes it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connection: Connection, request: Request
    ) -> None:
        self.status = ""
        self.headers: Headers = []
        self._loop = loop
        self._connection = connection
        self._request = request
        self._has_begun = False
        self._length: int | None = None
        self._is_chunked = False
        self._sent = 0
        self._room = threading.Condition()
        self._ahead = 0  # bytes on their way to the client
        self._held = 0  # of these, what waits until the client takes more
        self._is_lost = False

    # --- In the thread ----------------------------------------------------------------------

    def start(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info and self._has_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self._part

    def send(self, result: Iterable[bytes]) -> None:
        is_whole = getattr(result, "streaming", True) is False or isinstance(result, list)
        if is_whole and not self._has_begun:
            self._whole(b"".join(result))
            return
        self._request.on_room, self._request.on_lost = self._on_room, self._on_lost
        for part in result:
            if part:
                self._part(part)
        self._end()

    def fail(self) -> None:
        """A 500 if nothing was sent yet; else the connection ends amid the answer."""
        if self._has_begun:
            self._call(self._connection.break_off, self._request)
            return
        data = answers.refusal(500, "Something went wrong here. Try again later.")
        self._finish(data, keeps_alive=False)

    def _whole(self, body: bytes) -> None:
        keeps_alive = self._connection.keeps_alive
        has_body = self._may_have_body()
        head = self._head(keeps_alive, length=len(body) if has_body else None)
        self._finish(head + body if self._sends_body() else head, keeps_alive=keeps_alive)

    def _part(self, part: bytes) -> None:
        head = b"" if self._has_begun else self._begin()
        part = head + self._framed(part)
        if not part:
            return
        with self._room:
            while self._ahead > _AHEAD_BYTES and not self._is_lost:
                self._room.wait()
            if self._is_lost or not self._connection.is_waiting_for(self._request):
                raise ClientGoneError
            self._ahead += len(part)
        self._call(self._write, part)

    def _begin(self) -> bytes:
        self._keeps_alive = self._connection.keeps_alive
        lengths = [value for name, value in self.headers if name.lower() == "content-length"]
        self._length = int(lengths[0]) if lengths else None
        if self._length is None and self._may_have_body():
            self._is_chunked = self._request.version == "1.1"
        return self._head(self._keeps_alive)

    def _framed(self, part: bytes) -> bytes:
        if not self._sends_body():
            return b""
        if self._length is not None:
            part = part[: self._length - self._sent]
        self._sent += len(part)
        if self._is_chunked:
            return b"%x\r\n%b\r\n" % (len(part), part)
        return part

    def _end(self) -> None:
        rest = b"" if self._has_begun else self._begin()
        if self._is_chunked and self._sends_body():
            rest += b"0\r\n\r\n"
        is_short = self._length is not None and self._sent < self._length and self._sends_body()
        if is_short:
            self._call(self._connection.break_off, self._request)
        else:
            self._finish(rest, keeps_alive=self._keeps_alive)

    def _head(self, keeps_alive: bool, length: int | None = None) -> bytes:
        if not self.status:
            raise RuntimeError("The application answered without a status.")
        extra = []
        if length is not None and not any(n.lower() == "content-length" for n, _ in self.headers):
            extra.append(b"Content-Length: %d\r\n" % length)
        if self._is_chunked:
            extra.append(b"Transfer-Encoding: chunked\r\n")
        if not keeps_alive:
            extra.append(b"Connection: close\r\n")
        head = answers.head(self.status, self.headers, *extra, b"\r\n")
        self._has_begun = True
        return head

    def _may_have_body(self) -> bool:
        return not self.status.startswith(_BODILESS)

    def _sends_body(self) -> bool:
        return self._request.method != b"HEAD" and self._may_have_body()

    def _finish(self, data: bytes, *, keeps_alive: bool) -> None:
        def finish() -> None:
            self._connection.finish(self._request, data, keeps_alive=keeps_alive)

        self._call(finish)

    def _call(self, work: Callable[..., object], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *arguments)
        except RuntimeError as error:  # the loop has ended meanwhile
            raise ClientGoneError from error

    # --- In the event loop ------------------------------------------------------------------

    def _write(self, part: bytes) -> None:
        goes_on = self._connection.send(self._request, part)
        with self._room:
            if goes_on:
                self._ahead -= len(part)
                self._room.notify()
            else:
                self._held += len(part)

    def _on_room(self) -> None:
        with self._room:
            self._ahead -= self._held
            self._held = 0
            self._room.notify()

    def _on_lost(self) -> None:
        with self._room:
            self._is_lost = True
            self._room.notify()


def _environ(request: Request, address: tuple[str, int]) -> dict[str, Any]:
    path, query, host = _parts_of(request.target)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": address[0],
        "SERVER_PORT": str(address[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.peer[0],
        "REMOTE_HOST": request.peer[0],
        "REMOTE_PORT": str(request.peer[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": request.body.open(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": lambda file, _size=0: FileWrapper(file, _FILE_BLOCK),
    }
    for name, value in request.headers.items():
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        environ[key] = value.decode("latin-1")
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        environ["CONTENT_LENGTH"] = str(request.body.size)  # it is here whole
    if host is not None:
        environ["HTTP_HOST"] = host.decode("latin-1")
    return environ


def _parts_of(target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Path, query, and the host where the target names one, as requests to proxies do."""
    host = None
    scheme, mark, rest = target.partition(b"://")
    if mark and scheme.lower() in {b"http", b"https"}:
        host, slash, rest = rest.partition(b"/")
        target = slash + rest or b"/"
    path, _, query = target.partition(b"#")[0].partition(b"?")
    if path.startswith(b"//"):
        path = b"/" + path.lstrip(b"/")
    return path, query, host
