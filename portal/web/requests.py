"""A request as it arrives. What proxies and servers are known to read differently is refused."""

import io
import tempfile
from collections.abc import Callable
from typing import IO, ClassVar

from portal.web.limits import ALL_IN_MEMORY_BYTES, IN_MEMORY_BYTES

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding"})


class RefusedError(Exception):
    """The server answers by itself, and closes the connection."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Body:
    """In memory while it is small and memory is left, then in a temporary file."""

    __slots__ = ("_file", "_parts", "size")

    in_memory: ClassVar[int] = 0
    """Bytes of all bodies of this process. Only touched in the event loop."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self._file is not None:
            self._file.write(part)
            return
        self._parts.append(part)
        Body.in_memory += len(part)
        if self.size > IN_MEMORY_BYTES or Body.in_memory > ALL_IN_MEMORY_BYTES:
            self._spill()

    def _spill(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
        self._file.writelines(self._parts)
        self._forget_parts()

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
        """In the event loop, once nobody needs the body."""
        self._forget_parts()
        if self._file is not None and not is_in_use:
            self._file.close()

    def _forget_parts(self) -> None:
        Body.in_memory -= sum(map(len, self._parts))
        self._parts = []


class Request:
    """One request. Names of headers are in lower case; `has_copies`: some came more than once."""

    __slots__ = (
        "body", "has_copies", "headers", "keeps_alive", "method", "on_lost", "on_room", "peer",
        "target", "version",
    )  # fmt: skip

    def __init__(self, peer: tuple[str, int]) -> None:
        self.peer = peer
        self.method = b""
        self.target = b""
        self.version = ""
        self.headers: dict[bytes, bytes] = {}
        self.has_copies = False
        self.keeps_alive = False
        self.body = Body()
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
