"""A request as it arrives. What proxies and servers are known to read differently is refused."""

import io
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import IO, ClassVar

from portal.web.limits import ALL_ON_DISK_BYTES, IN_MEMORY_BYTES

logger = logging.getLogger(__name__)

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding"})


class RefusedError(Exception):
    """The server answers by itself, and closes the connection."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Allowance:
    """How much of one connection's bodies is in memory."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class Body:
    """In memory while it is small, then in a temporary file. Grows and ends in the event loop."""

    __slots__ = ("_allowance", "_file", "_parts", "_spilled", "size")

    on_disk: ClassVar[int] = 0
    """Bytes of all temporary files of this process."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._spilled = 0
        self.size = 0

    def add(self, part: bytes) -> None:
        """Raise RefusedError where there is no room for it now."""
        self.size += len(part)
        if self._file is None:
            self._parts.append(part)
            self._allowance.used += len(part)
            if self._allowance.used > IN_MEMORY_BYTES:
                self._spill()
        else:
            self._write([part])

    def complete(self) -> None:
        """All of it has come: what a full disk does not take must be known now."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                raise _no_room(error) from error

    def _spill(self) -> None:
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
        except OSError as error:
            raise _no_room(error) from error
        self._write(self._parts)
        self._forget_parts()

    def _write(self, parts: list[bytes]) -> None:
        size = sum(map(len, parts))
        if Body.on_disk + size > ALL_ON_DISK_BYTES:
            raise _no_room("the temporary files have grown too large together")
        Body.on_disk += size
        self._spilled += size
        try:
            if self._file is not None:
                self._file.writelines(parts)
        except OSError as error:
            raise _no_room(error) from error

    def whole(self) -> bytes | None:
        """The body, if it is in memory."""
        if self._file is not None:
            return None
        parts = self._parts
        if len(parts) != 1:
            parts = self._parts = [b"".join(parts)]
        return parts[0]

    def open(self) -> IO[bytes]:
        if self._file is None:
            return io.BytesIO(self.whole() or b"")
        self._file.seek(0)
        return self._file

    def close(self, *, is_in_use: bool = False) -> None:
        """Once nobody needs the body."""
        self._forget_parts()
        Body.on_disk -= self._spilled
        self._spilled = 0
        if self._file is not None and not is_in_use:
            with suppress(OSError):  # the disk may be too full for what is left to write
                self._file.close()

    def _forget_parts(self) -> None:
        self._allowance.used -= sum(map(len, self._parts))
        self._parts = []


class Request:
    """One request. Names of headers are in lower case; `has_copies`: some came more than once."""

    __slots__ = (
        "body", "has_copies", "headers", "keeps_alive", "method", "on_lost", "on_room", "peer",
        "target", "version",
    )  # fmt: skip

    def __init__(self, peer: tuple[str, int], allowance: Allowance) -> None:
        self.peer = peer
        self.method = b""
        self.target = b""
        self.version = ""
        self.headers: dict[bytes, bytes] = {}
        self.has_copies = False
        self.keeps_alive = False
        self.body = Body(allowance)
        # Who answers in parts is told when the client can take more, and when it has gone.
        self.on_room: Callable[[], None] | None = None
        self.on_lost: Callable[[], None] | None = None

    def add_header(self, name: bytes, value: bytes) -> None:
        name, value = name.lower(), value.strip(b" \t")
        if b"_" in name:
            return  # WSGI could not tell it from the one with a hyphen, which proxies vouch for
        known = self.headers.get(name)
        if known is None:
            self.headers[name] = value
            return
        if name in _SINGLE:
            raise RefusedError(400, f"There must be one {name.decode().title()} header.")
        self.has_copies = True
        self.headers[name] = known + (b"; " if name == b"cookie" else b", ") + value

    def check_head(self, largest_body: int) -> None:
        """Raise RefusedError unless it is plain where this request ends and whom it is for."""
        headers = self.headers
        if self.version not in {"1.1", "1.0"}:
            raise RefusedError(400, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        if self.method == b"CONNECT":
            raise RefusedError(501, "This is no proxy.")
        host = headers.get(b"host", b"")
        if b"," in host or (not host and self.version == "1.1"):
            raise RefusedError(400, "There must be one Host header.")
        length = headers.get(b"content-length")
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if length is not None:
                raise RefusedError(400, "Content-Length and Transfer-Encoding together.")
            if self.version == "1.0":
                raise RefusedError(400, "Transfer-Encoding needs HTTP/1.1.")
            if coding.lower() != b"chunked":
                raise RefusedError(501, "Only `chunked` is known as Transfer-Encoding.")
        elif length is not None:
            if not length.isdigit():
                raise RefusedError(400, "Content-Length is no number.")
            if len(length) > 18 or int(length) > largest_body:
                raise too_large(largest_body)


def too_large(largest: int) -> RefusedError:
    return RefusedError(413, f"The body has more than {largest:,} bytes.")


def _no_room(why: object) -> RefusedError:
    logger.warning("A body could not be kept: %s.", why)
    return RefusedError(503, "There is no room for so large a body now. Try again later.")
