"""The time axis of a meeting: lanes of its attendees, and those that other apps register."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from meetings import vocabulary, wording
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.presence import SILENT_FOR, presence
from portal.charts.timeline import Lane, Mark, Shape, Span
from portal.timerange import TimeRange

MOST_LANES = 40
MOST_EVENTS = 6000
_ATTENDEES_AT = 50
_MARGIN = 0.02  # of the width, so that nothing sticks to the edge


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that is drawn."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, meeting: Meeting, now: datetime | None = None) -> "Window":
        """From the first sign of the meeting to its last, or to now while people are in it."""
        now = now or timezone.now()
        start = meeting.first_event_at or now
        last = meeting.last_event_at or now
        if meeting.present_count and last >= now - SILENT_FOR:
            last = max(last, now)
        margin = max((last - start) * _MARGIN, timedelta(seconds=2))
        return cls(start - margin, last + margin)

    def zoomed(self, period: TimeRange) -> "Window | None":
        """The part of the window in that period; None where they do not meet."""
        start, end = max(self.start, period.start), min(self.end, period.end)
        return Window(start, end) if start < end else None


LaneProvider = Callable[[Meeting, Window], Iterable[Lane]]


@dataclass(frozen=True, slots=True)
class _Place:
    provider: LaneProvider
    order: int
    permission: str


_places: list[_Place] = []


def register(provider: LaneProvider, *, order: int = 100, permission: str = "") -> None:
    """Add the lanes that `provider(meeting, window)` yields; attendees stand at order 50."""
    _places[:] = [place for place in _places if place.provider is not provider]
    _places.append(_Place(provider, order, permission))
    _places.sort(key=lambda place: place.order)


def lanes(
    meeting: Meeting, window: Window, own: Sequence[Lane], *, may: Callable[[str], bool]
) -> list[Lane]:
    """The lanes a person may see, with the attendees' (`own`) among those of other apps."""
    above: list[Lane] = []
    below: list[Lane] = []
    for place in _places:
        if not place.permission or may(place.permission):
            side = above if place.order < _ATTENDEES_AT else below
            side.extend(place.provider(meeting, window))
    return [*above, *own, *below]


def attendee_lanes(
    attendees: Sequence[Attendee],
    *,
    url_of: Callable[[ClientEvent], str],
    now: datetime | None = None,
) -> list[Lane]:
    """A lane for each attendee in the order given; one query for the events of all of them."""
    events = (
        ClientEvent.objects.of(attendees).select_related("name", "status").in_order()[:MOST_EVENTS]
    )
    by_attendee: dict[int, list[ClientEvent]] = {attendee.pk: [] for attendee in attendees}
    for event in events:
        by_attendee[event.attendee_id].append(event)
    now = now or timezone.now()
    return [_lane(one, by_attendee[one.pk], url_of, now) for one in attendees]


def _lane(
    attendee: Attendee,
    events: Sequence[ClientEvent],
    url_of: Callable[[ClientEvent], str],
    now: datetime,
) -> Lane:
    found = presence(events, now)
    spans = [Span(stay.start, stay.end, _ENDINGS[stay.ending], "accent") for stay in found.stays]
    spans += [Span(gap.start, gap.end, gap.reason, "bad", gap=True) for gap in found.gaps]
    return Lane(
        label=attendee.person,
        spans=spans,
        marks=[_mark(event, url_of(event)) for event in events],
        note=attendee.get_outcome_display(),
        url=attendee.get_absolute_url(),
        tone=_tone(attendee),
    )


_ENDINGS = {
    "left": "In the meeting, then left",
    "dropped": "In the meeting, then dropped out",
    "open": "In the meeting",
    "unheard": "In the meeting; no end was reported",
}
_LOOKS: dict[str, tuple[str, Shape]] = {
    vocabulary.JOIN_REQUESTED: ("quiet", "dot"),
    vocabulary.JOIN_SUCCEEDED: ("ok", "flag"),
    vocabulary.JOIN_FAILED: ("bad", "cross"),
    vocabulary.DROPPED: ("bad", "cross"),
    vocabulary.LEFT: ("quiet", "square"),
    vocabulary.RECONNECTED: ("ok", "diamond"),
}


def _mark(event: ClientEvent, url: str) -> Mark:
    name = event.name.value
    status = event.status.value if event.status else ""
    tone, shape = _look(name)
    detail = ""
    if name in vocabulary.FAILED:
        detail = wording.explain(name, status, event.reason).title
    return Mark(event.happened_at, wording.event_label(name), tone, shape, detail, url)


def _look(name: str) -> tuple[str, Shape]:
    if name in _LOOKS:
        return _LOOKS[name]
    if name in vocabulary.FAILED:
        return "bad", "triangle"
    if name in vocabulary.DISTURBED:
        return "warn", "triangle"
    return "quiet", "dot"


def _tone(attendee: Attendee) -> str:
    if attendee.outcome in {Attendee.Outcome.FAILED, Attendee.Outcome.DROPPED}:
        return "bad"
    troubles = attendee.drop_count + attendee.audio_failure_count + attendee.video_failure_count
    return "warn" if troubles or attendee.join_failure_count else ""
