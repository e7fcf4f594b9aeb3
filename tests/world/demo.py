"""`make demo`: the portal, and a company whose meetings play into it by real HTTP.

The last 24 hours are told first; then life goes on until Ctrl-C. Since some hours ago the newest
Chrome cannot open microphones any more.
"""

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx

from tests.world.clients import (
    Client,
    Clock,
    JsArray,
    JsIngestion,
    Ledger,
    PostLogger,
    Wire,
    play,
    play_all,
    usual_client,
)
from tests.world.devices import NEWEST_CHROME
from tests.world.people import MALFORMED, Company, Incident
from tests.world.visits import Visit, dice

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180.0
HISTORY_HOURS = 24
MEETINGS = 260  # in the history
INCIDENT_HOURS_AGO = 2.5
# Live: a meeting begins every so many seconds and lasts a few minutes.
PAUSE_SECONDS = 8.0


def main(arguments: list[str]) -> int:
    environment = demo_environment(arguments)
    ready_file = Path(environment["PORTAL_VAR"]) / "demo-ready.json"
    ready_file.parent.mkdir(parents=True, exist_ok=True)
    ready_file.unlink(missing_ok=True)
    # Its own session: Ctrl-C reaches the demo alone, which then stops the portal in order.
    portal = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "manage.py", "start", "--ready-file", str(ready_file), *arguments],
        cwd=CHECKOUT,
        env=environment,
        start_new_session=True,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        url = wait_until_ready(portal, ready_file)
        if url:
            key = make_key(environment)
            asyncio.run(live(url, key, ready_file.with_name("demo-story.json")))
    except KeyboardInterrupt:
        say("Stopping.")
    finally:
        code = stop(portal)
    return code


def demo_environment(arguments: list[str]) -> dict[str, str]:
    """A folder and a database of the demo's own: made-up meetings never mix with real ones."""
    options = ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--var", type=Path)
    chosen, _ = options.parse_known_args(arguments)
    var = chosen.var or Path(os.environ.get("PORTAL_VAR") or CHECKOUT / "var") / "demo"
    own = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {**own, "PORTAL_VAR": str(var.resolve())}


def wait_until_ready(portal: "subprocess.Popen[bytes]", ready_file: Path) -> str:
    """The portal's address; empty if it has ended."""
    deadline = time.monotonic() + READY_SECONDS
    while portal.poll() is None:
        with suppress(OSError, ValueError, KeyError):
            return str(json.loads(ready_file.read_text())["url"]).rstrip("/")
        if time.monotonic() > deadline:
            say("The portal did not become ready. Run `manage.py doctor` to see why.")
            return ""
        time.sleep(0.2)
    return ""


def make_key(environment: dict[str, str]) -> str:
    """A key for the simulated clients. It is handed over in memory and stands in no file."""
    command = ["manage.py", "apikey", "create", "--kind", "ingest", "--scopes", "ingest"]
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, *command, "--name", "Demo clients"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def stop(portal: "subprocess.Popen[bytes]") -> int:
    if portal.poll() is None:
        portal.terminate()
    with suppress(KeyboardInterrupt):
        return portal.wait(30)
    return 130


async def live(url: str, key: str, story: Path) -> None:
    now_ms = int(time.time() * 1000)
    since_ms = told_before(story, now_ms)
    incident = Incident(since_ms or now_ms - int(INCIDENT_HOURS_AGO * 3_600_000))
    company = Company(dice(now_ms), incident, size=160)
    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=20)) as http:
        wire = Wire(http, f"{url}/ingest/{key}", dice(now_ms + 1), Clock(math.inf), Ledger())
        if not since_ms:
            await tell_history(company, wire, now_ms)
            story.write_text(json.dumps({"since_ms": incident.since_ms}))
        say_what_to_look_at(url, incident, story.parent)
        await play_for_ever(company, replace(wire, clock=Clock()))


def told_before(story: Path, now_ms: int) -> int:
    """When the incident of a story told today began; 0 if a new one is to be told."""
    with suppress(OSError, ValueError, KeyError):
        since_ms = int(json.loads(story.read_text())["since_ms"])
        return since_ms if now_ms - since_ms < 12 * 3_600_000 else 0
    return 0


async def tell_history(company: Company, wire: Wire, now_ms: int) -> None:
    """A day with a morning and an evening, quickly."""
    say(f"Telling the last {HISTORY_HOURS} hours")
    visits: list[Visit] = []
    for number in range(MEETINGS):
        # More meetings lately than in the night before.
        hours_ago = HISTORY_HOURS * company.random.random() ** 1.4
        minutes = company.random.choice([10, 15, 25, 30, 45, 55])
        begin_ms = now_ms - int(hours_ago * 3_600_000)
        ends = begin_ms + minutes * 60_000 < now_ms - 60_000
        visits += company.meeting(begin_ms, minutes=minutes, ends=ends)
        if number % 40 == 0:
            door, body = company.random.choice(MALFORMED)
            await wire.post(door, body)
    past = [visit for visit in visits if visit.happenings[-1].at_ms < now_ms]
    await play_all(past, wire, make=historic_client, at_once=8)
    for door, body in MALFORMED:
        await wire.post(door, body)
    say(f"{len(wire.ledger.acknowledged):,} events of {len(past)} visits are acknowledged")


def historic_client(wire: Wire, visit: Visit) -> Client:
    """As usual, but without the demo logger: its request for a stream tells no time but now."""
    client = usual_client(wire, visit)
    return JsArray(wire, visit) if isinstance(client, PostLogger) else client


async def play_for_ever(company: Company, wire: Wire) -> None:
    running: set[asyncio.Task[None]] = set()
    while True:
        begin_ms = int(time.time() * 1000)
        minutes = company.random.uniform(1, 6)
        for visit in company.meeting(begin_ms, minutes=minutes):
            task = asyncio.create_task(attend(visit, wire, begin_ms))
            running.add(task)
            task.add_done_callback(running.discard)
        if company.random.random() < 0.04:
            await wire.post(*company.random.choice(MALFORMED))
        await asyncio.sleep(company.random.expovariate(1 / PAUSE_SECONDS))


async def attend(visit: Visit, wire: Wire, begin_ms: int) -> None:
    """Come when the story says so. Most applications leave the sending to the SDK."""
    first_ms = visit.happenings[0].at_ms
    await asyncio.sleep(max(0.0, (first_ms - begin_ms) / 1000))
    js = visit.device.platform == "js" and wire.random.random() < 0.8
    client = JsIngestion(wire, visit) if js else usual_client(wire, visit)
    await play(client, visit, wire.clock)


def say_what_to_look_at(url: str, incident: Incident, var: Path) -> None:
    since = datetime.fromtimestamp(incident.since_ms / 1000).astimezone()
    say("")
    say("The history is in, and life goes on.")
    say(f"Portal:   {url}/")
    say("Sign in:  admin, with the password that the first start of the demo has printed.")
    say("          Lost it? Choose another, in a second terminal while this runs:")
    say(f"          PORTAL_VAR={var} {sys.executable} manage.py changepassword admin")
    say(f"Incident: Chrome {NEWEST_CHROME} cannot open microphones since {since:%H:%M}.")
    say("          Failures: who is affected, since when, and the browser they have in common")
    say("Also:     Meetings (now), an attendee's timeline, Deliveries: quarantined items")
    say("Stop:     Ctrl-C")
    say("")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
