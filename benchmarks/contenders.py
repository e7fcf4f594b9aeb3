"""What is measured side by side: the portal, the ordinary view, the original's logic.

Each has its own processes; portal and baseline have each a PostgreSQL of their own, set up alike.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Protocol

import psycopg

from benchmarks import processor_time
from benchmarks.load import Order, send
from portal.database.embedded import NAME, EmbeddedServer
from tests.world.portals import CHECKOUT, Portal, free_port, wait_for

_READY_SECONDS = 40.0
_ORIGINAL = CHECKOUT / "benchmarks" / "original"


class Contender(Protocol):
    """Something that takes the bodies, and can be asked what that cost and what it stored."""

    name: str

    def order(self, *, clients: int, seconds: float, warm_seconds: float = 0.0) -> Order: ...

    def empty(self) -> None:
        """Forget what was stored, so that each round begins alike."""

    def stored(self) -> int | None:
        """How many POSTs (or events) stand in the database; None where nothing is stored."""

    def processor_seconds(self) -> float: ...

    def stop(self) -> None: ...


class PortalContender:
    """The portal. Without drains its doors alone are measured."""

    name = "portal"
    events_in_a_stored_row = 20  # one delivery for each POST

    def __init__(self, folder: Path, **settings: str) -> None:
        self.portal = Portal(folder / "portal", **settings)
        self._programs: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        prepare(self.portal)
        self._key = self.portal.ingest_key()

    def begin_with(self, prepared: Portal) -> None:
        """A copy of a portal at rest, in place of `prepare`."""
        self.portal.var.mkdir(parents=True)
        self.portal.copy_of(prepared)
        self._key = self.portal.ingest_key()

    def start_web(self, processes: int = 1) -> None:
        portal = self.portal
        program = portal.start("web", "--port", str(portal.port), "--processes", str(processes))
        portal.wait_for_web(program, portal.port)
        self._programs.insert(0, program)
        self._web_processes = processes

    def change_web(self, processes: int) -> None:
        """Start the web anew with so many processes, unless it has them already."""
        web, *drains = self._programs
        if processes != self._web_processes:
            self.portal.terminate(web)
            self._programs = drains
            self.start_web(processes)

    def end_programs(self) -> None:
        for program in self._programs:
            self.portal.terminate(program)
        self._programs = []

    def start_drains(self, count: int) -> None:
        self._programs += [self.portal.start_drain() for _ in range(count)]

    def order(self, *, clients: int, seconds: float, warm_seconds: float = 0.0) -> Order:
        path = f"/ingest/{self._key}/meetingevents"
        return Order("127.0.0.1", self.portal.port, path, clients, seconds, warm_seconds)

    def empty(self) -> None:
        tell(self.portal.server, "TRUNCATE inbox_delivery CASCADE")

    def stored(self) -> int:
        count: int = self.portal.ask("SELECT count(*) FROM inbox_delivery")[0][0]
        return count

    def lag_seconds(self) -> float:
        """How long the delivery that is next has waited; zero when none is waiting."""
        question = """
            SELECT coalesce(extract(epoch FROM now() - min(queued_at)), 0)
            FROM inbox_delivery WHERE state = 'waiting'
        """
        return float(self.portal.ask(question)[0][0])

    def wait_until_drained(self, *, seconds: float) -> None:
        """By one connection and a question that costs next to nothing: its cost is measured too."""
        question = "SELECT EXISTS (SELECT FROM inbox_delivery WHERE state = 'waiting')"
        end = time.monotonic() + seconds
        with _connected(self.portal.server) as connection:
            while connection.execute(question).fetchone() == (True,):
                if time.monotonic() > end:
                    raise TimeoutError(f"Not drained within {seconds:.0f} s.")
                time.sleep(0.2)  # to ask costs, and counts as the portal's

    def processor_seconds(self) -> float:
        pids = [program.pid for program in self._programs]
        return processor_time.of_trees(_postmaster(self.portal.server), *pids)

    def stop(self) -> None:
        self.portal.stop()
        self._programs.clear()


def prepare(portal: Portal) -> None:
    """Tables and the partitions of the days around, as a portal that runs has them."""
    portal.var.mkdir(parents=True)
    portal.prepare()
    portal.manage("purge")


class BaselineContender:
    """benchmarks/baseline: an ordinary REST framework view."""

    name = "baseline"
    events_in_a_stored_row = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "baseline"
        self.server = EmbeddedServer(self._folder / "postgres")
        self._program: _Program | None = None
        self.threads = 4

    def start(self, processes: int = 1) -> None:
        self.end_web()
        self._folder.mkdir(parents=True, exist_ok=True)
        self.server.ensure_running()
        port = free_port()
        self._program = _Program(
            [
                *(sys.executable, "-m", "benchmarks.baseline.serve"),
                *map(str, (port, processes, self.threads)),
            ],
            port,
            self._folder / "serve.log",
            BASELINE_HOST=str(self.server.socket_dir),
            BASELINE_NAME=NAME,
            BASELINE_USER=NAME,
        )
        # The first requests import half of the framework and connect to the database.
        send(self.order(clients=4 * processes, seconds=0.5))

    def order(self, *, clients: int, seconds: float, warm_seconds: float = 0.0) -> Order:
        port = self._running().port
        return Order("127.0.0.1", port, "/events", clients, seconds, warm_seconds)

    def empty(self) -> None:
        tell(self.server, "TRUNCATE baseline_clientevent")

    def stored(self) -> int:
        return int(tell(self.server, "SELECT count(*) FROM baseline_clientevent")[0][0])

    def processor_seconds(self) -> float:
        return processor_time.of_trees(_postmaster(self.server), self._running().pid)

    def end_web(self) -> None:
        if self._program is not None:
            self._program.stop()
            self._program = None

    def stop(self) -> None:
        self.end_web()
        self.server.leave()

    def _running(self) -> "_Program":
        if self._program is None:
            raise RuntimeError("The baseline was not started.")
        return self._program


class OriginalContender:
    """benchmarks/original: the logic of the original's Lambda function, in Node."""

    events_in_a_stored_row = 0

    def __init__(self, folder: Path, *, sdk: bool) -> None:
        """With the SDK for AWS, as the original has it, or with the least that any client does."""
        self.name = "original" if sdk else "original by hand"
        app = install_original(folder) if sdk else _ORIGINAL
        script, self._stub, role = str(app / "server.mjs"), None, ["inside"]
        if sdk:
            port = free_port()
            self._stub = _Program(["node", script, str(port), "stub"], port, folder / "stub.log")
            role = ["sdk", str(port)]
        port = free_port()
        log = folder / f"original-{role[0]}.log"
        self._program = _Program(["node", script, str(port), *role], port, log)

    def order(self, *, clients: int, seconds: float, warm_seconds: float = 0.0) -> Order:
        path = "/prod/meetingevents"
        return Order("127.0.0.1", self._program.port, path, clients, seconds, warm_seconds)

    def empty(self) -> None:
        pass

    def stored(self) -> None:
        return None

    def processor_seconds(self) -> float:
        return processor_time.of_trees(self._program.pid)

    def stop(self) -> None:
        self._program.stop()
        if self._stub is not None:
            self._stub.stop()


def install_original(folder: Path) -> Path:
    """Its folder with what package-lock.json says. npm keeps what it has downloaded."""
    app = folder / "original"
    if not app.exists():
        shutil.copytree(_ORIGINAL, app)
        downloads = str(CHECKOUT / "var" / "npm-cache")
        options = ["--cache", downloads, "--prefer-offline", "--ignore-scripts"]
        done = subprocess.run(  # noqa: S603 - our own command line
            ["npm", "ci", *options, "--no-audit", "--no-fund"],  # noqa: S607 - wherever npm is
            cwd=app,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm ci: {done.stderr[-2000:]}")
    return app


class _Program:
    """A server of the benchmark's own: started, waited for until it listens, stopped."""

    def __init__(self, command: list[str], port: int, log: Path, **settings: str) -> None:
        self.port = port
        self._log: IO[bytes] = log.open("ab")
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            cwd=CHECKOUT,
            env={**os.environ, **settings},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self.pid = self._process.pid
        wait_for(lambda: self._answers(log), seconds=_READY_SECONDS, what=f"{command[-2:]} listens")

    def stop(self) -> None:
        """The whole group at once: processes that it forked serve on without it."""
        os.killpg(self.pid, signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def _answers(self, log: Path) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"It ended: {log.read_text(errors='replace')[-3000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            return False
        return True


def check_stored(contender: PortalContender | BaselineContender, posts: int) -> None:
    """What was acknowledged must be there: raises RuntimeError where it is not."""
    rows = posts * 20 // contender.events_in_a_stored_row
    if (found := contender.stored()) != rows:
        raise RuntimeError(f"{contender.name}: {rows} rows were acknowledged, {found} are stored.")


def tell(server: EmbeddedServer, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement; the rows it gives, if it gives any."""
    with _connected(server) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def _connected(server: EmbeddedServer) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(host=str(server.socket_dir), dbname=NAME, user=NAME, autocommit=True)


def _postmaster(server: EmbeddedServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
