"""A company's meetings: who is in them, with what, and what goes wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from tests.world.devices import NEWEST_CHROME, RECORDER, Device, any_device
from tests.world.visits import Fate, Happening, Visit, made_up_id, visit

_FIRST = [
    *("Ada", "Björk", "Chidi", "Dewi", "Emeka", "Farah", "Goran", "Hana", "Ines", "Jomo"),
    *("Kaito", "Leila", "Milan", "Noor", "Olga", "Priya", "Quinn", "Rosa", "Tove", "Zoë"),
]
_LAST = [
    *("Adeyemi", "Berg", "Costa", "Dvořák", "Eriksen", "Fischer", "Gupta", "Haddad", "Ito"),
    *("Jansen", "Kim", "Lund", "Moreau"),
]
_ROOMS = [
    *("Standup Platform", "Design review", "Weekly sales", "Support handover", "Training"),
    *("Board preparation", "Onboarding", "Incident review", "Customer call", "Interview"),
    *("All hands", "Budget", "Retrospective"),
]

NO_MICROPHONE = "NotReadableError: Could not start audio source"


@dataclass(frozen=True, slots=True)
class Incident:
    """From a moment on, one browser version mostly fails to open the microphone."""

    since_ms: int
    browser_major: str = NEWEST_CHROME
    rate: float = 0.9

    def hits(self, device: Device, at_ms: int, random: Random) -> bool:
        concerned = (
            device.attributes.get("browserName") == "Chrome"
            and device.attributes.get("browserMajorVersion") == self.browser_major
        )
        return concerned and at_ms >= self.since_ms and random.random() < self.rate


@dataclass(slots=True)
class Company:
    """The same seed gives the same people, devices and meetings."""

    random: Random
    incident: Incident | None = None
    size: int = 120
    people: list[tuple[str, Device]] = field(init=False)

    def __post_init__(self) -> None:
        names = [f"{first} {last}" for first in _FIRST for last in _LAST]
        chosen = self.random.sample(names, min(self.size, len(names)))
        self.people = [
            (f"u-{number:04}#{name}", any_device(self.random))
            for number, name in enumerate(chosen, 1)
        ]

    def meeting(self, at_ms: int, *, minutes: float, ends: bool = True) -> list[Visit]:
        """The visits of one meeting that begins at that moment."""
        number = self.random.randint(100, 999)
        meeting = (made_up_id(self.random), f"{self.random.choice(_ROOMS)} {number}")
        guests = self.random.sample(self.people, self.random.choice([2, 3, 3, 4, 5, 6, 9]))
        visits: list[Visit] = []
        for guest in guests:
            came_ms = at_ms + int(self.random.expovariate(1 / 90_000))
            visits += self._visits(guest, meeting, came_ms, minutes=minutes, ends=ends)
        if self.random.random() < 0.12:
            visits.append(self._recorder(meeting, at_ms + 4000, minutes if ends else 0))
        return visits

    def _visits(
        self,
        guest: tuple[str, Device],
        meeting: tuple[str, str],
        at_ms: int,
        *,
        minutes: float,
        ends: bool,
    ) -> Iterator[Visit]:
        person, device = guest
        fate, reason = self._fate(device, at_ms)
        if fate is Fate.WELL and not ends:
            fate = Fate.STAYS
        stay = max(minutes * self.random.uniform(0.7, 1.0), 0.2)
        first = visit(
            self.random,
            device,
            meeting=meeting,
            person=person,
            at_ms=at_ms,
            fate=fate,
            minutes=stay,
            reason=reason,
        )
        yield self._skewed(first)
        if fate is Fate.DROPPED and self.random.random() < 0.6:  # and comes again
            yield visit(
                self.random,
                device,
                meeting=meeting,
                person=person,
                at_ms=first.happenings[-1].at_ms + 8000,
                fate=Fate.WELL if ends else Fate.STAYS,
                minutes=2,
                attendee_id=first.attendee_id,
            )

    def _fate(self, device: Device, at_ms: int) -> tuple[Fate, str]:
        if self.incident and self.incident.hits(device, at_ms, self.random):
            fate = Fate.MIC_FAILED if self.random.random() < 0.8 else Fate.JOIN_FAILED
            return fate, NO_MICROPHONE
        fates = [
            (Fate.WELL, 92.0),
            (Fate.JOIN_FAILED, 0.9),
            (Fate.MIC_FAILED, 2.2 if device.platform != "js" else 0.8),
            (Fate.CAMERA_FAILED, 1.2),
            (Fate.DROPPED, 1.8),
            (Fate.RECONNECTED, 2.5),
        ]
        names, weights = zip(*fates, strict=True)
        return self.random.choices(names, weights=weights)[0], ""

    def _skewed(self, story: Visit) -> Visit:
        """One laptop in two hundred has a clock that is a year off."""
        if self.random.random() > 0.005:
            return story
        year_ms = 365 * 86_400_000
        return replace(
            story,
            happenings=tuple(
                Happening(one.name, one.at_ms - year_ms, one.attributes) for one in story.happenings
            ),
        )

    def _recorder(self, meeting: tuple[str, str], at_ms: int, minutes: float) -> Visit:
        return visit(
            self.random,
            RECORDER,
            meeting=meeting,
            person=f"aws:MediaPipeline-{made_up_id(self.random)}",
            at_ms=at_ms,
            fate=Fate.WELL if minutes else Fate.STAYS,
            minutes=minutes,
        )


# What no client should send, and some do.
MALFORMED: list[tuple[str, bytes]] = [
    ("meetingevents", b'{"name":"meetingEnded"}'),
    ("meetingevents", b"[null]"),
    (
        "meetingevents",
        b'[{"name":"meetingEnded","attributes":{"meetingId":"m-17","attendeeId":"a-4"}},'
        b'{"name":"meetingEnded","attributes":{"meetingId":"m-17","attendeeId":"a-4",'
        b'"timestampMs":"yesterday"}}]',
    ),
    ("client-events", b'{"metadata":{"meetingId":"m-17"},"events":"none"}'),
    ("client-events", b"\x1f\x8b\x08not really compressed"),
    (
        "client-events",
        b'{"metadata":{"meetingId":"m-17","attendeeId":""},'
        b'"events":[{"type":"Meet","v":1,"payloads":[{"name":"meetingStartRequested","ts":1}]}]}',
    ),
    ("log_meeting_event", b'{"appName":"SDKEvent","meetingId":"m-17"}'),
    ("log_meeting_event", b'{"appName":"SDKEvent","meetingId":"m-17","attendeeId":"a","logs":[7]}'),
]
