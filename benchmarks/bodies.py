"""The POST bodies of the benchmarks: twenty events of about 1.5 KB of one attendee.

As an application sends them at a meeting's end: attributes of the JavaScript SDK, and in each event
the history of the session. A body is built once; ids and times are put in for each POST, so that
each is of another attendee and yet costs the load generator a few microseconds.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from random import Random

EVENTS = 20
ATTENDEES_A_MEETING = 50
BODIES = 24

_SPAN_SECONDS = 600  # from the first event of a session to its last
_HISTORY = 16  # entries: events then have the size that the bars are stated for
_COUNTED_JOINS = (2, 3)  # in turn: a quarter of all events is then counted on the dashboard

_SYSTEMS = [
    ("Windows", "10"), ("Windows", "11"), ("macOS", "15.6.1"), ("macOS", "26.0.1"),
    ("Linux", "x86_64"), ("Chrome OS", "16433.41.0"),
]  # fmt: skip
_BROWSERS = [
    ("Chrome", "142", "142.0.7444.60"), ("Chrome", "141", "141.0.7390.123"),
    ("Edge", "142", "142.0.3595.53"), ("Firefox", "144", "144.0"), ("Safari", "26", "26.1"),
]  # fmt: skip
_SDKS = ["3.32.0", "3.32.0", "3.31.0", "3.28.0", "2.26.0"]

# One of seven in twenty-four bodies: 1.5 % of the events are failures.
_FAILURES: dict[int, str] = {
    2: "meetingStartFailed",
    5: "audioInputFailed",
    8: "meetingFailed",
    11: "videoInputFailed",
    15: "meetingStartFailed",
    18: "audioInputFailed",
    21: "meetingFailed",
}
_REASONS: dict[str, dict[str, object]] = {
    "meetingStartFailed": {
        "meetingStatus": "TaskFailed",
        "meetingErrorMessage": "no ice candidates were gathered within 5000 ms",
        "retryCount": 3,
    },
    "meetingFailed": {
        "meetingStatus": "AudioInternalServerError",
        "meetingErrorMessage": "audio session ended by the server",
        "retryCount": 2,
    },
    "audioInputFailed": {"audioInputErrorMessage": "Permission denied by browser"},
    "videoInputFailed": {"videoInputErrorMessage": "Could not start video source"},
}

_MEETING = "@meeting"
_ATTENDEE = "@attendee"
_PERSON = "@person"
_FIRST_MS = 1_000_000_000_000  # as long as any time of today
_FIRST_DURATION = 1_001
_CHANGING = re.compile(
    rb'(?P<ids>"attendeeId":"@attendee".*?"meetingId":"@meeting")'
    rb'|(?<="meetingHistory":)(?P<history>\[.*?\])'
    rb'|(?<="timestampMs":)(?P<time>\d{13})'
    rb'|(?<="meetingStartDurationMs":)(?P<duration>\d{4})'
)
_TIME = re.compile(rb"\d{13}")


class Body:
    """A request in parts: those that stay, and those that make each POST another one."""

    def __init__(self, host: str, path: str, document: list[dict[str, object]]) -> None:
        self.parts: list[bytes] = []
        self._ids_at: list[int] = []
        self._times_at: list[tuple[int, bytes]] = []
        self._durations_at: list[int] = []
        self._second = 0
        self._split(json.dumps(document, separators=(",", ":")).encode())
        self.size = len(self.request(_new_id(), _new_id(), 0, [b"1001"]))
        header = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: benchmark\r\n"
            f"Content-Type: application/json\r\nContent-Length: {self.size}\r\n\r\n"
        )
        self.parts[0] = header.encode() + self.parts[0]

    def request(
        self, meeting: bytes, attendee: bytes, number: int, durations: Sequence[bytes]
    ) -> bytes:
        parts = self.parts
        ids = self._ids % (attendee, attendee[:8], meeting)
        for place in self._ids_at:
            parts[place] = ids
        for count, place in enumerate(self._durations_at, number):
            parts[place] = durations[count % len(durations)]
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._move_to((second - _SPAN_SECONDS) * 1000 + number % 1000)
        return b"".join(parts)

    def _move_to(self, first_ms: int) -> None:
        """Once a second is enough, and costs nothing: each POST is of another attendee anyway."""

        def moved(found: re.Match[bytes]) -> bytes:
            return b"%d" % (int(found[0]) - _FIRST_MS + first_ms)

        known: dict[bytes, bytes] = {}
        for place, original in self._times_at:
            if original not in known:
                known[original] = _TIME.sub(moved, original)
            self.parts[place] = known[original]

    def _split(self, document: bytes) -> None:
        end = 0
        for found in _CHANGING.finditer(document):
            self.parts += (document[end : found.start()], found[0])
            end, place = found.end(), len(self.parts) - 1
            if found["ids"]:
                self._ids_at.append(place)
                self._ids = found[0].replace(b"%", b"%%").replace(_ATTENDEE.encode(), b"%b")
                self._ids = self._ids.replace(_PERSON.encode(), b"%b")
                self._ids = self._ids.replace(_MEETING.encode(), b"%b")
            elif found["duration"]:
                self._durations_at.append(place)
            else:
                self._times_at.append((place, found[0]))
        self.parts.append(document[end:])


class Bodies:
    """Yields requests, each of a new attendee; fifty in a row are of one meeting."""

    def __init__(self, host: str, path: str, *, seed: int = 1) -> None:
        random = Random(seed)  # noqa: S311 - nothing secret
        self._bodies = [Body(host, path, document) for document in _documents(random)]
        self._durations = _durations(random)
        self._sent = 0
        self._meeting = b""

    @property
    def event_bytes(self) -> float:
        """Average size of an event on the wire."""
        return sum(one.size for one in self._bodies) / len(self._bodies) / EVENTS

    def next(self) -> bytes:
        number = self._sent
        self._sent = number + 1
        if not number % ATTENDEES_A_MEETING:
            self._meeting = _new_id()
        body = self._bodies[number % BODIES]
        return body.request(self._meeting, _new_id(), number, self._durations)


def _new_id() -> bytes:
    digits = b"%032x" % _random.getrandbits(128)
    return b"%b-%b-%b-%b-%b" % (
        digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:],
    )  # fmt: skip


_random = Random()  # noqa: S311 - nothing secret; ids must differ from run to run


def _durations(random: Random) -> list[bytes]:
    """Start durations of four digits, as they are spread in the field: a long tail to the right."""
    return [
        b"%d" % min(9_999, max(1_000, int(random.lognormvariate(7.5, 0.45)))) for _ in range(4096)
    ]


# --- What the bodies say --------------------------------------------------------------------


def _documents(random: Random) -> Iterator[list[dict[str, object]]]:
    for number in range(BODIES):
        names = _names(_COUNTED_JOINS[number % 2], _FAILURES.get(number))
        yield _events(names, _client(random), random)


def _names(joins: int, failure: str | None) -> list[str]:
    """Twenty names of an attendee who joins twice or three times, with at most one failure."""
    stays = []
    for _ in range(joins):
        stays.append(["meetingStartRequested", "meetingStartSucceeded", "attendeePresenceReceived"])
        stays[-1] += ["audioInputSelected", "videoInputSelected", "meetingEnded"]
    fillers = ["receivingAudioDropped", "meetingReconnected", "videoInputUnselected"]
    fillers += ["sendingAudioFailed", "sendingAudioRecovered", "signalingDropped"]
    missing = EVENTS - sum(map(len, stays))
    for number in range(missing):
        stays[number % joins].insert(-1, fillers[number % len(fillers)])
    names = [name for stay in stays for name in stay]
    replaced = {
        "meetingStartFailed": "meetingStartSucceeded",
        "meetingFailed": "meetingEnded",
        "audioInputFailed": "audioInputSelected",
        "videoInputFailed": "videoInputSelected",
    }
    if failure:
        names[names.index(replaced[failure])] = failure
    return names


def _client(random: Random) -> dict[str, object]:
    browser, major, version = random.choice(_BROWSERS)
    system, system_version = random.choice(_SYSTEMS)
    return {
        "browserMajorVersion": major,
        "browserName": browser,
        "browserVersion": version,
        "deviceName": "Unavailable",
        "osName": system,
        "osVersion": system_version,
        "sdkName": "amazon-chime-sdk-js",
        "sdkVersion": random.choice(_SDKS),
    }


def _events(
    names: Sequence[str], client: dict[str, object], random: Random
) -> list[dict[str, object]]:
    step = _SPAN_SECONDS * 1000 // len(names)
    moments = [_FIRST_MS + place * step + random.randrange(step) for place in range(len(names))]
    history = [
        {"name": name, "timestampMs": at}
        for name, at in zip(names[:_HISTORY], moments, strict=False)
    ]
    return [
        {
            "name": name,
            "attributes": {
                "attendeeId": _ATTENDEE,
                "externalMeetingId": "weekly-review",
                "externalUserId": f"{_PERSON}#Guest",
                "meetingId": _MEETING,
                **client,
                "meetingHistory": history,
                "timestampMs": at,
                **_measures(name, random),
            },
        }
        for name, at in zip(names, moments, strict=True)
    ]


_NO_MEASURES = {
    "meetingStartRequested", "audioInputSelected", "videoInputSelected", "videoInputUnselected",
    "audioInputFailed", "videoInputFailed",
}  # fmt: skip


def _measures(name: str, random: Random) -> dict[str, object]:
    reason = _REASONS.get(name, {})
    if name in _NO_MEASURES:
        return reason
    if name == "attendeePresenceReceived":
        return {"attendeePresenceDurationMs": random.randrange(300, 2000)}
    measures: dict[str, object] = {
        "iceGatheringDurationMs": random.randrange(40, 400),
        "maxVideoTileCount": random.randrange(1, 16),
        "poorConnectionCount": random.randrange(3),
        "retryCount": 0,
        "signalingOpenDurationMs": random.randrange(80, 900),
    }
    if name != "meetingStartFailed":
        measures["meetingStartDurationMs"] = _FIRST_DURATION
    if name not in {"meetingStartFailed", "meetingStartSucceeded"}:
        measures["meetingDurationMs"] = random.randrange(30_000, 600_000)
    if name == "meetingEnded":
        measures["meetingStatus"] = "Left"
    return measures | reason
