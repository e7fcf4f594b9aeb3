"""Simulated clients that behave on the wire as the real SDKs and demo loggers do.

Observed of amazon-chime-sdk-js 3.32.0, -ios 0.27.2 and -android 0.25.1; docs/client-events.md.
A story's own times are waited for at the speed of the clock, so that a meeting of an hour can be
played in a second.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import httpx

from tests.world import bodies
from tests.world.visits import EventKey, Happening, Visit, key_of

_RETRIED = {408, 429, 500, 502, 503, 504}
_IMMEDIATE = {
    "meetingEnded",
    "meetingFailed",
    "meetingStartFailed",
    "audioInputFailed",
    "videoInputFailed",
    "meetingStartSucceeded",
    "deviceLabelTriggerFailed",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """How fast the simulated clients live. At infinite speed nothing is waited for."""

    speed: float = 1.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 if math.isinf(self.speed) else seconds / self.speed)


@dataclass(slots=True)
class Ledger:
    """What clients sent, and what was acknowledged: the portal must know all of the latter."""

    acknowledged: set[EventKey] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0  # no answer at all


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a client sends to, and what it needs for that."""

    http: httpx.AsyncClient
    doors: str  # "http://…/ingest/<key>"
    random: Random
    clock: Clock = Clock()
    ledger: Ledger = field(default_factory=Ledger)
    origin: str = "https://app.example"

    async def post(
        self,
        door: str,
        body: bytes,
        *,
        content_type: str = "text/plain;charset=UTF-8",
        token: str = "",
    ) -> int:
        """The status of the answer; 0 without one."""
        headers = {"Content-Type": content_type, "Origin": self.origin}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = await self.http.post(f"{self.doors}/{door}", content=body, headers=headers)
        except httpx.TransportError:
            self.ledger.broken += 1
            return 0
        self.ledger.answers[answer.status_code] += 1
        return answer.status_code

    def acknowledge(self, visit: Visit, happenings: list[Happening]) -> None:
        self.ledger.acknowledged |= {key_of(visit, one) for one in happenings}


class Client(Protocol):
    async def publish(self, one: Happening) -> None: ...

    async def stop(self) -> None:
        """The tab is closed, or the meeting is over: send what is left."""


Maker = Callable[[Wire, Visit], Client]


async def play(client: Client, visit: Visit, clock: Clock) -> None:
    """Let one attendee's story happen, with its own pauses."""
    before = visit.happenings[0].at_ms
    for one in visit.happenings:
        await clock.sleep((one.at_ms - before) / 1000)
        before = one.at_ms
        await client.publish(one)
    await client.stop()


class JsIngestion:
    """Format B of the JavaScript SDK: groups of two, flushes of three groups, a last beacon."""

    def __init__(self, wire: Wire, visit: Visit, *, beacon_twice: bool = False) -> None:
        self._wire, self._visit = wire, visit
        self._token = f"join-token-of-{visit.attendee_id}"
        self._group: list[Happening] = []
        self._groups: list[list[Happening]] = []
        self._failed: list[list[Happening]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._flushing = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None
        self._beacon_twice = beacon_twice

    async def publish(self, one: Happening) -> None:
        if self._timer is None:
            self._timer = asyncio.create_task(self._flush_now_and_then())
        if one.name in _IMMEDIATE:
            self._send_beside([[one]])
            return
        self._group.append(one)
        if len(self._group) == 2:
            self._groups.append(self._group)
            self._group = []

    async def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        await asyncio.gather(*self._sending)
        left = [*self._groups, *([self._group] if self._group else []), *self._failed]
        self._groups, self._group, self._failed = [], [], []
        if left:
            for _ in range(2 if self._beacon_twice else 1):
                await self._beacon(left)

    async def _flush_now_and_then(self) -> None:
        while True:
            await self._wire.clock.sleep(5)
            if math.isinf(self._wire.clock.speed):
                return  # a story without pauses is over before the first flush
            if self._groups and not self._flushing.locked():
                batch, self._groups = self._groups[:3], self._groups[3:]
                self._send_beside(batch, lock=self._flushing)

    def _send_beside(
        self, groups: list[list[Happening]], *, lock: asyncio.Lock | None = None
    ) -> None:
        task = asyncio.create_task(self._send(groups, lock or asyncio.Lock()))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, groups: list[list[Happening]], lock: asyncio.Lock) -> None:
        body = self._record(groups)
        async with lock:
            for attempt in range(15):
                status = await self._wire.post("client-events", body, token=self._token)
                if 200 <= status < 300:
                    self._acknowledge(groups)
                    return
                if status not in _RETRIED:
                    break  # also when the fetch threw: once more with the beacon, then lost
                longest = min(15.0, 2.0**attempt)
                await self._wire.clock.sleep(self._wire.random.uniform(0, longest))
        self._failed += groups

    async def _beacon(self, groups: list[list[Happening]]) -> None:
        body = self._record(groups, token=self._token)
        if 200 <= await self._wire.post("client-events?beacon=1", body) < 300:
            self._acknowledge(groups)

    def _record(self, groups: list[list[Happening]], *, token: str = "") -> bytes:
        payloads = [[bodies.js_payload(one) for one in group] for group in groups]
        return bodies.js_record(self._visit, payloads, token=token)

    def _acknowledge(self, groups: list[list[Happening]]) -> None:
        self._wire.acknowledge(self._visit, [one for group in groups for one in group])


class JsArray:
    """Format A: an application that posts the whole array when the meeting ends, and once only."""

    def __init__(self, wire: Wire, visit: Visit) -> None:
        self._wire, self._visit = wire, visit
        self._kept: list[Happening] = []

    async def publish(self, one: Happening) -> None:
        self._kept.append(one)

    async def stop(self) -> None:
        body = bodies.event_array(self._visit, self._kept)
        if 200 <= await self._wire.post("meetingevents", body) < 300:
            self._wire.acknowledge(self._visit, self._kept)


class IosGuide:
    """Format A by the iOS guide: all strings; kept and sent again, longer, until a 2xx."""

    def __init__(self, wire: Wire, visit: Visit) -> None:
        self._wire, self._visit = wire, visit
        self._kept: list[Happening] = []

    async def publish(self, one: Happening) -> None:
        self._kept.append(one)
        if one.name in {"meetingEnded", "meetingFailed"}:
            await self._upload()

    async def stop(self) -> None:
        if self._kept:
            await self._upload()

    async def _upload(self) -> None:
        body = bodies.string_array(self._visit, self._kept)
        status = await self._wire.post("meetingevents", body, content_type="application/json")
        if 200 <= status < 300:
            self._wire.acknowledge(self._visit, self._kept)
            self._kept = []


class MobileIngestion:
    """Format B of the iOS and Android SDKs: up to 20 events a request; failed ones come again."""

    def __init__(self, wire: Wire, visit: Visit) -> None:
        self._wire, self._visit = wire, visit
        self._waiting: list[tuple[Happening, bodies.JSON]] = []
        self._dirty: list[tuple[Happening, bodies.JSON]] = []

    async def publish(self, one: Happening) -> None:
        payload = bodies.mobile_payload(self._visit, one, self._wire.random)
        self._waiting.append((one, payload))
        if len(self._waiting) >= 20 or one.name in {"meetingEnded", "meetingFailed"}:
            await self._flush()

    async def stop(self) -> None:
        """As if the app was started again: what failed was kept and is sent now."""
        await self._flush()
        for _ in range(40):
            if not self._dirty:
                return
            await self._wire.clock.sleep(5)
            again, self._dirty = self._dirty, []
            await self._send([(one, self._aged(one, payload)) for one, payload in again])

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            await self._send(batch)

    async def _send(self, batch: list[tuple[Happening, bodies.JSON]]) -> None:
        body = bodies.mobile_record(self._visit, [payload for _, payload in batch])
        status = await self._wire.post(
            "client-events", body, content_type="application/json", token="mobile-join-token"
        )
        if 200 <= status < 300:
            self._wire.acknowledge(self._visit, [one for one, _ in batch])
        else:
            self._dirty += batch

    def _aged(self, one: Happening, payload: bodies.JSON) -> bodies.JSON:
        ttl_ms = one.at_ms + 2 * 86_400_000
        return bodies.dirty_payload(self._visit, payload, ttl_ms=ttl_ms, random=self._wire.random)


class PostLogger:
    """Format C: a batch of 85 lines every 2 s, sent again for ever on anything but 200."""

    def __init__(self, wire: Wire, visit: Visit) -> None:
        self._wire, self._visit = wire, visit
        self._lines: list[tuple[Happening, bodies.JSON]] = []
        self._number = 0

    async def publish(self, one: Happening) -> None:
        if not self._number:
            await self._wire.post("create_log_stream", bodies.log_stream(self._visit))
        self._lines.append((one, bodies.log_line(self._visit, self._number, one)))
        self._number += 1

    async def stop(self) -> None:
        while self._lines:
            await self._wire.clock.sleep(2)
            batch = self._lines[: bodies.LOG_BATCH]
            body = bodies.log_batch(self._visit, [line for _, line in batch])
            if await self._wire.post("log_meeting_event", body) == 200:
                self._wire.acknowledge(self._visit, [one for one, _ in batch])
                del self._lines[: len(batch)]


def usual_client(wire: Wire, visit: Visit) -> Client:
    """What an attendee's application most likely uses, by the platform and by chance."""
    if visit.device.platform == "js":
        makers: list[Maker] = [JsIngestion, JsIngestion, JsIngestion, JsArray, PostLogger]
    elif visit.device.platform == "ios":
        makers = [MobileIngestion, MobileIngestion, IosGuide]
    else:
        makers = [MobileIngestion]
    return wire.random.choice(makers)(wire, visit)


async def play_all(
    visits: list[Visit], wire: Wire, *, make: Maker = usual_client, at_once: int = 20
) -> None:
    """Play many visits side by side, a limited number of them at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(visit: Visit) -> None:
        async with gate:
            await play(make(wire, visit), visit, wire.clock)

    work: list[Awaitable[None]] = [one(visit) for visit in visits]
    await asyncio.gather(*work)
