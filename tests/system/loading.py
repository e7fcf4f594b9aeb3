"""Load by several clients that keep a ledger of what was acknowledged."""

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from random import Random

import httpx

from tests.world.visits import EventKey, dice


@dataclass(slots=True)
class Load:
    """Threads that send one event at a time, and send it again until it is acknowledged.

    What a test then asks of the portal: each of `acknowledged` once, and nothing twice.
    """

    doors: Sequence[str]  # of several web processes; a client that gets no answer tries the next
    clients: int = 4
    pause_seconds: float = 0.004
    acknowledged: set[EventKey] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    without_cors: int = 0
    last_good: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        for number in range(self.clients):
            thread = threading.Thread(target=self._work, args=[number], daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _work(self, number: int) -> None:
        random = dice(number)
        begin_ms = int(time.time() * 1000) - 3_600_000
        with httpx.Client(timeout=10) as http:
            for count in range(10_000_000):
                if self._stop.is_set():
                    return
                attendee = f"a-{number}-{count % 7}"
                self._send(http, random, (f"m-{count % 3}", attendee, "signalingDropped", begin_ms))
                begin_ms += 1

    def _send(self, http: httpx.Client, random: Random, key: EventKey) -> None:
        meeting_id, attendee_id, name, at_ms = key
        payload = {"name": name, "ts": at_ms, "retryCount": 1}
        record = {
            "metadata": {"meetingId": meeting_id, "attendeeId": attendee_id},
            "events": [{"type": "Meet", "v": 1, "payloads": [payload]}],
        }
        body = json.dumps(record).encode()
        for doors in cycle(self.doors):
            if self._stop.is_set():
                return
            time.sleep(self.pause_seconds * random.uniform(0.5, 1.5))
            if self._try(http, doors, body) == 200:
                with self._lock:
                    self.acknowledged.add(key)
                    self.last_good = time.monotonic()
                return
            time.sleep(0.1)

    def _try(self, http: httpx.Client, doors: str, body: bytes) -> int:
        try:
            answer = http.post(f"{doors}/client-events", content=body)
        except httpx.TransportError:
            with self._lock:
                self.broken += 1
            return 0
        with self._lock:
            self.answers[answer.status_code] += 1
            self.without_cors += "Access-Control-Allow-Origin" not in answer.headers
        return answer.status_code
