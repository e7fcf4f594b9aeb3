"""With SQS as the inbox: what was acknowledged survives the death of any process, and counts once.

Doors, drains and AWS (moto over HTTP) are processes of their own.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.killing import (
    assert_each_acknowledged_event_is_there_once,
    kill_and_restart,
    stop_immediately,
)
from tests.system.loading import Load
from tests.world.cloud import Cloud
from tests.world.portals import Portal, wait_for


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.stop()


@pytest.fixture
def portal(portal: Portal, cloud: Cloud) -> Portal:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # Short, so that what a killed intake had in hand is soon given to others.
    portal.env |= {**keys, **cloud.settings(visibility_seconds=4), "INBOX_MAX_ATTEMPTS": "15"}
    return portal


def wait_until_taken_in(portal: Portal, cloud: Cloud) -> None:
    wait_for(lambda: cloud.on_queue() == 0, seconds=60, what="the queue is empty")
    portal.wait_until_drained(seconds=60)


def test_10_kills_of_doors_and_drains_lose_nothing_and_double_nothing(
    portal: Portal, cloud: Cloud
) -> None:
    load = kill_and_restart(portal, cycles=10)
    wait_until_taken_in(portal, cloud)

    print(f"10 cycles: {len(load.acknowledged)} acknowledged, {load.broken} cut")  # noqa: T201
    assert len(load.acknowledged) >= 100
    assert set(load.answers) == {200}
    assert_each_acknowledged_event_is_there_once(portal, load)


@pytest.mark.proof
def test_100_kills_of_doors_and_drains_lose_nothing_and_double_nothing(
    portal: Portal, cloud: Cloud
) -> None:
    load = kill_and_restart(portal, cycles=100)
    wait_until_taken_in(portal, cloud)

    print(f"100 cycles: {len(load.acknowledged)} acknowledged, {load.broken} cut")  # noqa: T201
    assert_each_acknowledged_event_is_there_once(portal, load)


def test_a_drain_stops_in_time_and_gives_nothing_up(portal: Portal, cloud: Cloud) -> None:
    portal.start_web()
    drain = portal.start_drain()
    with Load([portal.doors(portal.ingest_key())]) as load:
        wait_for(lambda: portal.handled() >= 20, seconds=40, what="20 handled")

        assert portal.terminate(drain, seconds=15) == 0

        portal.start_drain()
    wait_until_taken_in(portal, cloud)

    assert set(load.answers) == {200}
    assert_each_acknowledged_event_is_there_once(portal, load)


def test_while_the_database_is_away_doors_go_on_and_the_queue_keeps_what_they_take(
    portal: Portal, cloud: Cloud
) -> None:
    portal.start_web()
    drain = portal.start_drain()
    with Load([portal.doors(portal.ingest_key())]) as load:
        wait_for(lambda: portal.handled() >= 20, seconds=40, what="20 handled")
        stop_immediately(portal)
        time.sleep(6)  # longer than messages are hidden from others, and keys are cached
        away_since = time.monotonic()
        wait_for(lambda: load.last_good > away_since, seconds=20, what="a 200 without database")
        portal.server.ensure_running()
    wait_until_taken_in(portal, cloud)

    assert drain.poll() is None
    assert set(load.answers) == {200}
    assert_each_acknowledged_event_is_there_once(portal, load)


def test_large_bodies_pass_through_the_bucket_of_real_processes(
    portal: Portal, cloud: Cloud
) -> None:
    portal.start_web()
    doors = portal.doors(portal.ingest_key())
    bodies = [os.urandom(size) for size in (1, 250_000, 8 * 1024 * 1024)] * 2

    answers = [httpx.post(f"{doors}/log_meeting_event", content=body) for body in bodies]

    assert [answer.status_code for answer in answers] == [200] * 6
    assert (cloud.on_queue(), len(cloud.objects())) == (6, 4)
    portal.start_drain()
    wait_until_taken_in(portal, cloud)
    assert cloud.objects() == []
    stored = portal.ask("SELECT digest, size_bytes FROM inbox_delivery ORDER BY size_bytes")
    assert [(bytes(digest), size) for digest, size in stored] == [
        (hashlib.sha256(body).digest(), len(body)) for body in bodies[:3]
    ]
