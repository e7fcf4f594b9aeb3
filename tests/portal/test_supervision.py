"""`manage.py start` as an operator uses it: real processes, a database of its own."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.world.portals import Portal, wait_for

STOP_SECONDS = 15


class Started:
    """A portal run by `manage.py start`."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.ready_file = portal.var / "ready.json"
        self.process = portal.start(
            "start", "--port", "0", "--no-recorder", "--ready-file", str(self.ready_file)
        )
        self.wait_until_ready()
        self.url: str = json.loads(self.ready_file.read_text())["url"]

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"start ended: {self.portal.log('start')}")
            return self.ready_file.exists()

        wait_for(is_ready, seconds=60, what="the portal is ready")

    def family(self) -> list[int]:
        """All processes below `start`, its database's not among them."""
        return sorted(_descendants(self.process.pid))

    def wait_for_process(self, word: str) -> None:
        wait_for(lambda: _named(self.family(), word), seconds=20, what=f"{word} runs again")

    def readiness(self) -> int:
        try:
            return httpx.get(f"{self.url}readyz", timeout=5).status_code
        except httpx.TransportError:
            return 0


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            child = int(entry.name)
            found |= {child} | _descendants(child)
    return found


def _named(pids: list[int], word: str) -> list[int]:
    return [pid for pid in pids if word in _command(pid).split("\0")]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _living(pids: list[int]) -> list[int]:
    """Those still running our code; an ended one that nobody has collected yet does not count."""
    return [pid for pid in pids if "manage.py" in _command(pid)]


@pytest.fixture
def started(portal: Portal) -> Iterator[Started]:
    portal.server.leave()  # it is `start` that runs the database here
    started = Started(portal)
    yield started
    if started.process.poll() is None:
        portal.terminate(started.process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_says_when_it_is_ready_and_stops_cleanly(
    started: Started, number: signal.Signals
) -> None:
    family = started.family()
    output = started.portal.log("start")

    began = time.monotonic()
    started.process.send_signal(number)
    code = started.process.wait(STOP_SECONDS)

    assert code == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert len(family) >= 8
    assert _living(family) == []
    assert not started.portal.server.is_alive()
    assert not started.ready_file.exists()
    assert f"Ready: {started.url}" in output
    assert output.count("First user:       admin, password ") == 1
    assert output.count("First ingest key: gri_") == 1
    assert "Traceback" not in started.portal.log("start")


def test_whatever_is_killed_comes_back_and_kill_9_of_start_ends_all(started: Started) -> None:
    for word in ("drain", "web", "--cluster"):
        victim = _named(started.family(), word)[0]
        os.kill(victim, signal.SIGKILL)
        started.wait_for_process(word)
    os.kill(int((started.portal.server.data_dir / "postmaster.pid").read_text().split()[0]), 9)

    wait_for(lambda: started.readiness() == 200, seconds=30, what="ready again")

    family = started.family()
    started.process.send_signal(signal.SIGKILL)
    started.process.wait()
    wait_for(lambda: not _living(family), seconds=STOP_SECONDS, what="all children gone")
    assert not started.portal.server.is_alive()


def test_a_port_that_is_taken_is_said_plainly(portal: Portal) -> None:
    portal.start_web()

    with pytest.raises(RuntimeError, match="Address already in use") as refused:
        portal.manage("start", "--port", str(portal.port))

    assert "Traceback" not in str(refused.value)


@pytest.mark.proof
def test_a_worker_that_lost_its_next_in_line_process_recovers(portal: Portal) -> None:
    """SIGKILL of an idle task process leaves django-q2 alive and doing nothing."""
    portal.start("worker")
    seen = "SELECT extract(epoch FROM now() - at) FROM polling_heartbeat WHERE name = 'worker'"
    wait_for(lambda: portal.ask(seen), seconds=30, what="first heartbeat")
    leader = _named(sorted(_descendants(portal.running[-1].pid)), "--cluster")[0]
    sentinel = _descendants(leader)
    first_worker = sorted(pid for parent in sentinel for pid in _descendants(parent))[0]

    os.kill(first_worker, signal.SIGKILL)
    time.sleep(5)

    wait_for(
        lambda: portal.ask(f"{seen} AND at > now() - interval '3 s'"),
        seconds=300,
        what="work goes on",
    )


@pytest.mark.proof
def test_a_cluster_that_hangs_is_killed_and_started_again(portal: Portal) -> None:
    portal.start("worker")
    wait_for(
        lambda: portal.ask("SELECT 1 FROM polling_heartbeat"), seconds=30, what="first heartbeat"
    )
    leader = _named(sorted(_descendants(portal.running[-1].pid)), "--cluster")[0]
    hung = [leader, *_descendants(leader)]

    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1)

    wait_for(
        lambda: portal.ask("SELECT 1 FROM polling_heartbeat WHERE at > now() - interval '1 s'"),
        seconds=300,
        what="work goes on",
    )
    assert _living(hung) == []


def test_stop_of_a_single_process_is_clean(portal: Portal) -> None:
    processes = [portal.start_web(), portal.start_drain(), portal.start("worker")]
    wait_for(
        lambda: portal.ask("SELECT 1 FROM polling_heartbeat"), seconds=30, what="first heartbeat"
    )

    codes = [portal.terminate(process, seconds=STOP_SECONDS) for process in processes]

    assert codes == [0, 0, 0]
