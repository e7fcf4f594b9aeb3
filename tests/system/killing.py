"""Ends processes without a word under load, and looks what became of what was acknowledged."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

from tests.system.loading import Load
from tests.world.portals import Portal, free_port, wait_for
from tests.world.visits import dice


def assert_each_acknowledged_event_is_there_once(portal: Portal, load: Load) -> None:
    stored = Counter(portal.event_keys())
    assert load.acknowledged - set(stored) == set()
    assert [key for key, count in stored.items() if count > 1] == []
    assert portal.ask("SELECT count(*) FROM inbox_quarantine")[0][0] == 0
    # Rows are single by their key; that nothing was folded twice shows in the counts.
    [(folded,)] = portal.ask("SELECT sum(event_count) FROM meetings_attendee")
    assert folded == len(stored)


def kill_and_restart(portal: Portal, *, cycles: int) -> Load:
    """Kill one of two web processes and one of two drains in each cycle.

    The moment is left to chance. While one process starts again, its twin is the next to go. What
    was acknowledged may still be on its way when this returns.
    """
    random = dice(cycles)
    key = portal.ingest_key()
    ports = [portal.port, free_port()]
    webs = {port: portal.begin_web(port) for port in ports}
    drains = [portal.start_drain(), portal.start_drain()]
    with Load([f"http://127.0.0.1:{port}/ingest/{key}" for port in ports]) as load:
        for number in range(cycles):
            port = ports[number % 2]
            portal.wait_for_web(webs[port], port)
            enough = len(load.acknowledged) + 10
            wait_for(lambda: len(load.acknowledged) >= enough, seconds=40, what="answers")  # noqa: B023
            time.sleep(random.uniform(0, 0.1))
            portal.kill(webs[port])
            webs[port] = portal.begin_web(port)
            portal.kill(drains[number % 2])
            drains[number % 2] = portal.start_drain()
        for port in ports:
            portal.wait_for_web(webs[port], port)
    return load


def stop_immediately(portal: Portal) -> None:
    """As after a power cut: PostgreSQL ends without a checkpoint, and has to recover."""
    file = Path(portal.server.data_dir) / "postmaster.pid"
    os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
    wait_for(lambda: not portal.server.answers(), seconds=10, what="PostgreSQL is down")
