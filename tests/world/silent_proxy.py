"""A proxy in front of the database that falls silent, as a host does that vanishes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SilentProxy:
    """Passes everything on until `fall_silent`; from then on it takes all, and answers nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._is_silent = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        self._is_silent.set()

    def recover(self) -> None:
        """The host is there again, and knows nothing of the connections it had."""
        self._is_silent.clear()
        self._cut()

    def end(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._target
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not self._is_silent.is_set():
                    other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent_proxy(host: str, port: int) -> Iterator[SilentProxy]:
    proxy = SilentProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.end()
