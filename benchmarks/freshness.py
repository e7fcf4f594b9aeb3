"""How long after a door's answer an event is there to be seen, at light load."""

import json
import time
import uuid
from collections.abc import Iterator

import httpx

from benchmarks.contenders import PortalContender
from benchmarks.plan import Plan
from benchmarks.results import Result, percentile
from tests.world.portals import wait_for

PAUSE_SECONDS = 0.15
BAR_SECONDS = 1.0


def run(measured: PortalContender, plan: Plan) -> Iterator[Result]:
    portal, ingest_key = measured.portal, measured.portal.ingest_key()
    secret_key = portal.manage(
        "apikey", "create", "--kind", "secret", "--scopes", "meetings:read", "--name", "bench"
    )
    lags, answers = [], []
    headers = {"Authorization": f"Bearer {secret_key}"}
    with httpx.Client(timeout=10) as sender, httpx.Client(timeout=10, headers=headers) as reader:
        for number in range(plan.freshness_deliveries):
            attendee = str(uuid.uuid4())
            begun = time.perf_counter()
            sender.post(
                f"{portal.doors(ingest_key)}/client-events", content=_body(attendee)
            ).raise_for_status()
            answered = time.perf_counter()
            url = f"{portal.url}/api/v1/events/?attendee={attendee}"
            wait_for(
                lambda url=url: reader.get(url).json()["results"],  # type: ignore[misc]
                seconds=20,
                what=f"event {number} is listed",
            )
            if number >= 5:  # the first ones warm caches and connections up
                lags.append(time.perf_counter() - answered)
                answers.append((answered - begun) * 1000)
            time.sleep(PAUSE_SECONDS)
    yield Result("answer to visible event, p50", percentile(lags, 0.50), "s")
    yield Result("answer to visible event, p95", percentile(lags, 0.95), "s", BAR_SECONDS)
    yield Result("door's answer at light load, p50", percentile(answers, 0.50), "ms")
    yield Result("door's answer at light load, p95", percentile(answers, 0.95), "ms")


def _body(attendee: str) -> bytes:
    payload = {"name": "meetingStartRequested", "ts": int(time.time() * 1000)}
    record = {
        "metadata": {
            "meetingId": "bench",
            "attendeeId": attendee,
            "sdkName": "amazon-chime-sdk-js",
            "sdkVersion": "3.32.0",
        },
        "events": [{"type": "Meet", "v": 1, "payloads": [payload]}],
    }
    return json.dumps(record).encode()
