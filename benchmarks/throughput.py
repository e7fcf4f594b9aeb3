"""How many events a second one web process acknowledges, and one drain turns into facts."""

import json
import threading
import time
import uuid
from collections.abc import Iterator

import httpx

from benchmarks.results import Result, percentile
from tests.world.portals import Portal

CLIENTS = 8
SECONDS = 10.0
EVENTS = 20


def run(portal: Portal, ingest_key: str) -> Iterator[Result]:
    answers: list[float] = []
    url = f"{portal.doors(ingest_key)}/meetingevents"
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=_send, args=[url, until, answers]) for _ in range(CLIENTS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = time.monotonic() - begun
    portal.wait_until_drained(seconds=300)
    drained = time.monotonic() - begun
    yield Result("events acknowledged, one web process", len(answers) * EVENTS / sent, "events/s")
    yield Result("events turned into facts, one drain", len(answers) * EVENTS / drained, "events/s")
    yield Result(f"door's answer with {CLIENTS} clients, p99", percentile(answers, 0.99), "ms")


def _send(url: str, until: float, answers: list[float]) -> None:
    with httpx.Client(timeout=30) as http:
        while time.monotonic() < until:
            body = _body()
            begun = time.perf_counter()
            http.post(url, content=body).raise_for_status()
            answers.append((time.perf_counter() - begun) * 1000)


def _body() -> bytes:
    """Twenty events of about 1.5 KB of one attendee, as an application posts them."""
    attributes = {
        "meetingId": f"bench-{uuid.uuid4().hex[:2]}",
        "attendeeId": str(uuid.uuid4()),
        "sdkName": "amazon-chime-sdk-js",
        "sdkVersion": "3.32.0",
        "browserName": "Chrome",
        "browserMajorVersion": "142",
        "osName": "Windows",
        "osVersion": "11",
        "filler": "x" * 1100,
    }
    now = int(time.time() * 1000)
    events = [
        {"name": "receivingAudioDropped", "attributes": {**attributes, "timestampMs": now + n}}
        for n in range(EVENTS)
    ]
    return json.dumps(events).encode()
