"""One event with everything its client sent."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from meetings import archive, verdicts, vocabulary, wording
from meetings.archive import Archived
from meetings.formats import JSON
from meetings.models import ClientEvent
from meetings.pages import event_tables
from portal import figures
from portal.inbox.retention import BODIES
from portal.pieces import State

_LONGEST_VALUE = 2000
_MEETING_OVER = frozenset({"MeetingEnded", "AudioCallEnded"})
# Said elsewhere on the page already.
_SAID = frozenset({"externalMeetingId", "externalUserId"})


@dataclass(frozen=True, slots=True)
class Detail:
    """An event as a page tells it."""

    event: ClientEvent
    state: State
    label: str
    technical: str
    cause: str
    advice: str
    since_join: str
    attributes: Sequence[tuple[str, str]]
    missing: str = ""
    """Why there are no more attributes than the columns, where the body was not read."""
    raw_url: str = ""


def detail_of(event: ClientEvent, request: HttpRequest) -> Detail:
    found = archive.read([event])
    theirs = ClientEvent.objects.of([event.attendee]).select_related("name")
    joined = joining(theirs.named(vocabulary.JOIN_SUCCEEDED).in_order()[:1])
    return build(
        event, found.get(event.pk), since_joining_ms(event, joined), raw_url(event, request)
    )


def joining(events: Iterable[ClientEvent]) -> ClientEvent | None:
    """The attendee's first joining among these."""
    return next((one for one in events if one.name.value == vocabulary.JOIN_SUCCEEDED), None)


def since_joining_ms(event: ClientEvent, joined: ClientEvent | None) -> float | None:
    """By the client's clock: even a wrong one measures how long something took."""
    if joined is None:
        return None
    if event.client_ms and joined.client_ms and _is_one_clock(event, joined):
        return event.client_ms - joined.client_ms
    return (event.happened_at - joined.happened_at) / timedelta(milliseconds=1)


def _is_one_clock(event: ClientEvent, other: ClientEvent) -> bool:
    """Of a client whose clock is known to be off, some events may still look possible."""
    return event.skewed == other.skewed or bool(event.attendee.clock_offset_ms)


def build(
    event: ClientEvent, archived: Archived | None, since_join_ms: float | None, raw_url: str
) -> Detail:
    name = event.name.value
    is_failure = name in vocabulary.FAILED
    explanation = verdicts.explained(event) if is_failure else None
    return Detail(
        event=event,
        state=event_tables.state_of(event),
        label=wording.event_label(name),
        technical=name,
        cause=explanation.title if explanation else _ending(event),
        advice=explanation.advice if explanation else "",
        since_join=offset(since_join_ms),
        attributes=_attributes(archived.attributes) if archived else _columns(event),
        missing="" if archived else _missing(event),
        raw_url="" if archived is None and _is_gone(event) else raw_url,
    )


def offset(milliseconds: float | None) -> str:
    """+2.4 s after joining; with a minus before it."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    return figures.duration(seconds) if seconds < 0 else f"+{figures.duration(seconds)}"


def raw_url(event: ClientEvent, request: HttpRequest) -> str:
    """The delivery that brought the event, for those who may read raw bodies."""
    if not request.user.has_perm("inbox.view_raw"):
        return ""
    try:
        return reverse("admin:inbox_delivery_change", args=[event.delivery_id])
    except NoReverseMatch:
        return ""


def _is_gone(event: ClientEvent) -> bool:
    """By the settings of today; the body came with the event or later, as a replay."""
    before = BODIES.cutoff()
    return before is not None and event.received_at < before


def _missing(event: ClientEvent) -> str:
    if _is_gone(event):
        days = f"{BODIES.days} day{'' if BODIES.days == 1 else 's'}"
        return (
            f"The body that brought this event was deleted by retention after {days}. "
            "These are the columns that stay."
        )
    return (
        "The body that brought this event is no longer kept, or this page would have to read too "
        "many. These are the event's columns."
    )


def _ending(event: ClientEvent) -> str:
    """Why somebody left, where the client says more than that all was well."""
    status = event.status.value if event.status else ""
    if event.name.value == vocabulary.LEFT and status in _MEETING_OVER:
        return "The meeting ended"
    return "" if status in {"", "OK"} else wording.status_label(status)


def _attributes(attributes: Mapping[str, JSON]) -> list[tuple[str, str]]:
    return [
        (name, value_text(name, value))
        for name, value in sorted(attributes.items())
        if name not in _SAID
    ]


def value_text(name: str, value: JSON) -> str:
    """Durations in words beside their milliseconds, the rest as it was sent."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in vocabulary.DURATIONS and is_number:
        return f"{value} ms ({figures.duration(float(str(value)) / 1000)})"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _columns(event: ClientEvent) -> list[tuple[str, str]]:
    """What is kept of an event whose body is gone."""
    known: dict[str, JSON] = {
        "meetingStatus": event.status.value if event.status else None,
        "reason": event.reason or None,
        "meetingStartDurationMs": event.start_duration_ms,
        "meetingDurationMs": event.meeting_duration_ms,
        "signalingOpenDurationMs": event.signaling_open_ms,
        "retryCount": event.retry_count,
        "poorConnectionCount": event.poor_connection_count,
    }
    return [(name, value_text(name, value)) for name, value in known.items() if value is not None]
