"""What was acknowledged survives the death of any process at any moment, and counts once."""

import time

import pytest

from tests.system.killing import (
    assert_each_acknowledged_event_is_there_once,
    kill_and_restart,
    stop_immediately,
)
from tests.system.loading import Load
from tests.world.portals import Portal, wait_for


def test_20_kills_of_web_and_drain_lose_nothing_and_double_nothing(portal: Portal) -> None:
    load = kill_and_restart(portal, cycles=20)
    portal.wait_until_drained(seconds=60)

    print(f"20 cycles: {len(load.acknowledged)} acknowledged, {load.broken} cut")  # noqa: T201
    assert len(load.acknowledged) >= 100
    assert set(load.answers) == {200}
    assert_each_acknowledged_event_is_there_once(portal, load)


@pytest.mark.proof
def test_200_kills_of_web_and_drain_lose_nothing_and_double_nothing(portal: Portal) -> None:
    load = kill_and_restart(portal, cycles=200)
    portal.wait_until_drained(seconds=60)

    print(f"200 cycles: {len(load.acknowledged)} acknowledged, {load.broken} cut")  # noqa: T201
    assert_each_acknowledged_event_is_there_once(portal, load)


def test_sigterm_under_load_ends_both_processes_in_time_and_loses_nothing(portal: Portal) -> None:
    web, drain = portal.start_web(), portal.start_drain()
    with Load([portal.doors(portal.ingest_key())]) as load:
        wait_for(lambda: portal.handled() >= 50, seconds=40, what="50 handled")

        codes = [portal.terminate(one, seconds=15) for one in (web, drain)]

        assert codes == [0, 0]
        portal.start_web()
        portal.start_drain()
    portal.wait_until_drained()

    assert set(load.answers) == {200}
    assert_each_acknowledged_event_is_there_once(portal, load)


def test_a_database_that_dies_and_comes_back_costs_503s_and_nothing_else(portal: Portal) -> None:
    portal.start_web()
    drain = portal.start_drain()
    recoveries = []
    with Load([portal.doors(portal.ingest_key())], pause_seconds=0.01) as load:
        for _ in range(3):
            enough = len(load.acknowledged) + 50
            wait_for(lambda: len(load.acknowledged) >= enough, seconds=40, what="answers")  # noqa: B023
            stop_immediately(portal)
            portal.server.ensure_running()
            back = time.monotonic()
            wait_for(lambda: load.last_good > back, seconds=10, what="a 200 after")  # noqa: B023
            recoveries.append(load.last_good - back)
    portal.wait_until_drained()

    print(f"first 200 after {max(recoveries):.2f} s; answers {dict(load.answers)}")  # noqa: T201
    assert set(load.answers) <= {200, 503}
    assert load.without_cors == 0
    assert drain.poll() is None
    assert max(recoveries) < 5
    assert_each_acknowledged_event_is_there_once(portal, load)
