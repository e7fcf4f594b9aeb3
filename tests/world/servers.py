"""The web server in a thread of the test, so that the test sees both sides."""

import http.client
import socket
import threading

from portal import web
from portal.web.server import MakeLane
from portal.web.wsgi import WsgiApplication


class Running:
    def __init__(
        self, application: WsgiApplication, *, threads: int = 4, make_lane: MakeLane | None = None
    ) -> None:
        listener = web.bind("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=web.serve,
            args=(application, listener),
            kwargs={"threads": threads, "stop": self.stop, "make_lane": make_lane},
            daemon=True,
        )
        self.thread.start()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        connection.settimeout(5)
        return connection

    def send(self, raw: bytes) -> bytes:
        """Everything the server answers until it closes the connection."""
        with self.connect() as connection:
            connection.sendall(raw)
            return read_all(connection)

    def post(
        self, body: bytes, path: str = "/", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        response, content = self.ask("POST", path, body, headers)
        return response.status, content

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def end(self) -> None:
        self.stop.set()
        self.thread.join()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
