"""A body whose handling kills the process is found out, and costs no other delivery."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256

import psycopg

from portal.database.embedded import NAME
from portal.inbox.models import compress
from tests.system.deadly_drain import DEADLY, DOOR
from tests.world.portals import CHECKOUT, Portal, end


def put_in(portal: Portal, bodies: list[bytes]) -> None:
    rows = [(DOOR, compress(body), len(body), sha256(body).digest()) for body in bodies]
    with (
        psycopg.connect(host=str(portal.server.socket_dir), dbname=NAME, user=NAME) as connection,
        connection.cursor() as cursor,
    ):
        cursor.executemany(
            "INSERT INTO inbox_delivery (door, body, size_bytes, digest, stored_on, received_at,"
            " queued_at, origin, user_agent, content_type, copies, state, attempts) VALUES"
            " (%s, %s, %s, %s, (now() AT TIME ZONE 'UTC')::date, now(), now(), '', '', '', 1,"
            " 'waiting', 0)",
            rows,
        )


def test_a_body_that_kills_the_drain_is_held_and_all_others_are_handled(portal: Portal) -> None:
    portal.env["INBOX_MAX_ATTEMPTS"] = "3"
    put_in(portal, [*(b"good %d" % number for number in range(30)), DEADLY])
    put_in(portal, [b"late %d" % number for number in range(30)])

    deaths = restart_until(lambda: portal.waiting() == 0, portal)

    assert deaths == 3
    states = Counter(portal.ask("SELECT state FROM inbox_delivery"))
    assert states == {("handled",): 60, ("quarantined",): 1}
    held = portal.ask("SELECT reason, digest FROM inbox_quarantine")
    assert held == [("handling-kills-the-drain", sha256(DEADLY).digest())]


def restart_until(done: Callable[[], bool], portal: Portal) -> int:
    """Start the drain again whenever it has died, as the supervisor does; returns how often."""
    deaths = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        drain = subprocess.Popen(
            [sys.executable, "-m", "tests.system.deadly_drain"], env=portal.env, cwd=CHECKOUT
        )
        while drain.poll() is None and not done():
            time.sleep(0.02)
        if drain.poll() is None:
            drain.terminate()
            end(drain)
            return deaths
        assert drain.returncode == 9
        deaths += 1
    raise TimeoutError(f"{portal.waiting()} deliveries are still waiting")
