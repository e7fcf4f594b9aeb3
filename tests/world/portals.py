"""A portal of real processes: its own folder, its own PostgreSQL, its own ports."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx
import psycopg

from portal.database.embedded import NAME, EmbeddedServer

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0

T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(question: Callable[[], T], *, seconds: float, what: str) -> T:
    """Ask until the answer is true. A process under test is asked often: waiting is test time."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)


class Portal:
    """Starts, kills and questions the processes of one portal."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = EmbeddedServer(var / "postgres")
        self.env = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "PORTAL_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    # --- Life -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Database, tables and static files, as `manage.py start` makes them."""
        self.server.ensure_running()
        self.manage("migrate", "--verbosity", "0")
        # As `start` does, which then finds the work done in each copy of this portal.
        collect = "from portal.startup import collect_static_files as collect; collect()"
        self.manage("shell", "-v", "0", "-c", collect)

    def copy_of(self, prepared: "Portal") -> None:
        """Begin with a prepared portal's files, which must not be running. Quicker than prepare."""
        shutil.copytree(prepared.var, self.var, dirs_exist_ok=True, ignore=_sockets)
        self.server.ensure_running()

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            end(process)
        self.running.clear()
        self.server.leave()
        for log in self._logs:
            log.close()

    # --- Processes --------------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env=self.env,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stderr[-3000:]}")
        return done.stdout.strip()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.var / f"{arguments[0]}.log").open("ab")
        self._logs.append(log)
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env=self.env,
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            start_new_session=True,  # so that a kill reaches its children and nobody else
        )
        self.running.append(process)
        return process

    def start_web(self) -> subprocess.Popen[bytes]:
        process = self.begin_web(self.port)
        self.wait_for_web(process, self.port)
        return process

    def begin_web(self, port: int) -> subprocess.Popen[bytes]:
        """One process that does the work itself, so that a kill hits what is being tested."""
        return self.start("web", "--port", str(port), "--processes", "1")

    def start_drain(self) -> subprocess.Popen[bytes]:
        return self.start("drain")

    def wait_for_web(self, process: subprocess.Popen[bytes], port: int) -> None:
        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"web ended: {self.log('web')}")
            try:
                return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, seconds=READY_SECONDS, what="web answers")

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 to the process and whatever it has started."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def terminate(self, process: subprocess.Popen[bytes], *, seconds: float = 15) -> int:
        process.terminate()
        code = process.wait(seconds)
        self.running.remove(process)
        return code

    def log(self, command: str) -> str:
        return (self.var / f"{command}.log").read_text(errors="replace")[-6000:]

    # --- Questions --------------------------------------------------------------------------

    def ingest_key(self, *options: str) -> str:
        return self.manage(
            "apikey", "create", "--kind", "ingest", "--scopes", "ingest", "--name", "test", *options
        )

    def doors(self, key: str) -> str:
        return f"{self.url}/ingest/{key}"

    def ask(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.server.socket_dir), dbname=NAME, user=NAME, autocommit=True
        ) as connection:
            return connection.execute(sql.encode(), parameters).fetchall()

    def event_keys(self) -> list[tuple[str, str, str, int]]:
        """Every stored event as (meeting, attendee, name, client's ms), twice if stored twice."""
        return self.ask(
            """
            SELECT m.external_id, a.external_id, n.value, e.client_ms
            FROM meetings_clientevent e
            JOIN meetings_meeting m ON m.id = e.meeting_id
            JOIN meetings_attendee a ON a.id = e.attendee_id
            JOIN meetings_eventname n ON n.id = e.name_id
            """
        )

    def waiting(self) -> int:
        count: int = self.ask("SELECT count(*) FROM inbox_delivery WHERE state = 'waiting'")[0][0]
        return count

    def handled(self) -> int:
        count: int = self.ask("SELECT count(*) FROM inbox_delivery WHERE state = 'handled'")[0][0]
        return count

    def wait_until_drained(self, *, seconds: float = 30) -> None:
        wait_for(lambda: self.waiting() == 0, seconds=seconds, what="all deliveries handled")


def end(process: subprocess.Popen[bytes], *, seconds: float = 15) -> None:
    """Wait for a process that was told to stop; end it and its children if it does not."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _sockets(folder: str, names: list[str]) -> set[str]:
    skipped = {name for name in names if name.startswith(".s.PGSQL") or name == "postmaster.pid"}
    return skipped | {name for name in names if name.endswith(".log")}
