import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.database.embedded import NAME, EmbeddedServer, EmbeddedServerError
from tests.world.portals import CHECKOUT, wait_for


def ask(server: EmbeddedServer, sql: str) -> object:
    with psycopg.connect(host=str(server.socket_dir), dbname=NAME, user=NAME) as connection:
        cursor = connection.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split()[0])


def user_process(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its input ends."""
    code = (
        "import sys; from pathlib import Path; from portal.database.embedded import EmbeddedServer;"
        "EmbeddedServer(Path(sys.argv[1])).ensure_running(); print('ready', flush=True);"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, str(folder)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "postgres")
    server.ensure_running()
    yield server
    server.leave()


def test_the_server_is_durable_and_reachable_by_its_socket_only(server: EmbeddedServer) -> None:
    assert ask(server, "SHOW fsync") == "on"
    assert ask(server, "SHOW synchronous_commit") == "on"
    assert ask(server, "SHOW listen_addresses") == ""
    assert server.socket_dir.stat().st_mode & 0o077 == 0
    assert server.data_dir.stat().st_mode & 0o077 == 0


def test_data_survive_kill_9_of_the_server(server: EmbeddedServer) -> None:
    ask(server, "CREATE TABLE kept AS SELECT 42 AS figure")

    os.kill(postmaster(server), signal.SIGKILL)
    server.ensure_running()

    assert ask(server, "SELECT figure FROM kept") == 42


def test_data_survive_kill_9_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    server = EmbeddedServer(folder)
    process = user_process(folder)
    ask(server, "CREATE TABLE kept AS SELECT 42 AS figure")

    os.kill(postmaster(server), signal.SIGKILL)
    process.kill()
    finish(process)
    server.ensure_running()

    assert ask(server, "SELECT figure FROM kept") == 42
    server.leave()


def test_a_stale_file_that_names_a_living_process_does_not_hinder(server: EmbeddedServer) -> None:
    os.kill(postmaster(server), signal.SIGKILL)
    wait_for(lambda: not server.is_alive(), seconds=5, what="the server's rest is gone")
    for file in (
        server.data_dir / "postmaster.pid",
        server.socket_dir / ".s.PGSQL.5432.lock",
    ):
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    server.ensure_running()

    assert ask(server, "SELECT 1") == 1


def test_the_last_one_to_leave_stops_the_server(server: EmbeddedServer) -> None:
    process = user_process(server.folder)

    finish(process)
    alive_while_used = server.is_alive()
    server.leave()

    assert alive_while_used
    assert not server.is_alive()


def test_a_user_that_was_killed_does_not_count(server: EmbeddedServer) -> None:
    process = user_process(server.folder)

    process.kill()
    finish(process)
    server.leave()

    assert not server.is_alive()


def test_a_long_path_moves_the_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / "postgres"
    server = EmbeddedServer(folder)

    server.ensure_running()

    assert len(str(server.socket_dir / ".s.PGSQL.5432.lock")) <= 107
    assert server.socket_dir == EmbeddedServer(folder).socket_dir
    assert ask(server, "SELECT 1") == 1
    server.leave()
    server.socket_dir.rmdir()


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "postgres")
    server.socket_dir.mkdir(parents=True)
    server.socket_dir.chmod(0o777)

    with pytest.raises(EmbeddedServerError, match="not a folder of ours"):
        server.ensure_running()

    server.leave()


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "postgres")
    draft = server.folder / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")

    server.ensure_running()

    assert ask(server, "SELECT 1") == 1
    server.leave()


def test_ctrl_c_does_not_reach_the_server(server: EmbeddedServer) -> None:
    assert os.getsid(postmaster(server)) != os.getsid(0)
