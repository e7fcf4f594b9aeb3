import http.client
import json
import logging
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal import startup, web
from portal.database.embedded import EmbeddedServer
from portal.errors import OperationError
from portal.supervision import Program, Supervisor, stop_on_signals

logger = logging.getLogger(__name__)

_STOP_SECONDS = 12.0
_EXPLAIN_AFTER_SECONDS = 30.0


class Command(BaseCommand):
    help = "Run everything: database, web, drain and worker, in one tree of processes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any")
        parser.add_argument("--var", help="folder for everything kept on disk")
        parser.add_argument("--no-recorder", action="store_true", help="do not record on this host")
        parser.add_argument("--ready-file", type=Path, help="write url and pid here once ready")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = stop_on_signals()
        try:
            listener = web.bind(options["host"], options["port"])
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {options['host']}:{options['port']}: {error.strerror}. "
                "Choose another one with --host and --port."
            ) from error
        with listener:
            try:
                server = self._prepare()
            except OperationError as error:
                raise CommandError(str(error)) from error
            host, port = listener.getsockname()[:2]
            watch = _Watch(self, server, _url(host, port), options["ready_file"])
            number = listener.fileno()
            programs = [
                Program("web", ("web", "--listener", str(number)), keep_open=(number,)),
                Program("drain", ("drain",)),
                Program("worker", ("worker",)),
            ]
            try:
                Supervisor(programs, stop_seconds=_STOP_SECONDS).run(stop, watch.look)
            finally:
                watch.forget()
        if server is not None:
            server.leave()
        self.say("Stopped.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _prepare(self) -> EmbeddedServer | None:
        if not settings.DATABASE_URL:
            self.say(f"Starting PostgreSQL in {settings.VAR / 'postgres'}")
        server = startup.start_embedded_database()
        self.say("Bringing the database up to date")
        startup.prepare_database()
        self.say("Collecting static files")
        startup.collect_static_files()
        if password := startup.make_first_administrator():
            self.say(f"First user:       admin, password {password} (shown only now)")
        if key := startup.make_first_ingest_key():
            self.say(f"First ingest key: {key} (shown only now)")
            self.say(f"                  at most {startup.FIRST_KEY_QUOTA:,} requests a minute")
        return server


class _Watch:
    """Looks after the embedded database, and tells once when everything answers."""

    def __init__(
        self, command: Command, server: EmbeddedServer | None, url: str, ready_file: Path | None
    ) -> None:
        self._command = command
        self._server = server
        self._url = url
        self._ready_file = ready_file
        self._began = time.monotonic()
        self._next_question = self._next_revival = self._began
        self._is_ready = self._has_explained = False

    def look(self) -> None:
        if self._server is not None and not self._server.is_alive():
            self._revive(self._server, time.monotonic())
        if not self._is_ready and time.monotonic() >= self._next_question:
            self._next_question = time.monotonic() + 0.5
            self._look_whether_ready()

    def forget(self) -> None:
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)

    def _revive(self, server: EmbeddedServer, now: float) -> None:
        if now < self._next_revival:
            return
        self._next_revival = now + 2.0
        logger.error("The embedded PostgreSQL has ended; starting it again.")
        try:
            server.ensure_running()
        except OperationError as error:
            logger.error("%s", error)  # noqa: TRY400 - the message is made for operators

    def _look_whether_ready(self) -> None:
        status, answer = _ask(self._url)
        if status == 200:
            self._is_ready = True
            if self._ready_file is not None:
                startup.write_ready_file(self._ready_file, self._url)
            self._command.say(f"Ready: {self._url}")
            return
        late = time.monotonic() - self._began > _EXPLAIN_AFTER_SECONDS
        if late and not self._has_explained:
            self._has_explained = True
            self._command.say("Not ready yet.")
            for check in answer.get("checks", []):
                if not check["ok"]:
                    self._command.say(f"  {check['name']}: {check['detail']} {check['remedy']}")


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds the portal."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _ask(url: str) -> tuple[int, dict[str, Any]]:
    """Status and content of /readyz; 0 where nobody answers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()
    return response.status, answer
