"""The page of one attendee: what happened to this person, in words first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from meetings import archive, panels, verdicts, wording
from meetings.archive import Archived
from meetings.formats import HistoryEntry
from meetings.models import Attendee, ClientEvent
from meetings.pages import clients, links, subject_tables
from meetings.pages.event_detail import Detail, build, joining, offset, raw_url, since_joining_ms
from meetings.presence import Presence, presence
from portal.admin import render_page

MOST_EVENTS = 500
_MOST_HISTORY = 500
_MOST_OTHERS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """An entry of the client's own history; `is_event` if it was reported as an event too."""

    label: str
    technical: str
    at: datetime | None
    since_join: str
    is_event: bool


def attendee_page(request: HttpRequest, pk: int) -> HttpResponse:
    attendee = get_object_or_404(Attendee.objects.select_related("meeting", "client"), pk=pk)
    now = timezone.now()
    events = _events(attendee)
    corrected = _correct(events, attendee)
    archived = archive.read(events)
    stays = presence(events, now)
    history = archive.merged_history(archived.values())
    return render_page(
        request,
        "meetings/attendee.html",
        title=attendee.person,
        attendee=attendee,
        outcome=subject_tables.outcome(attendee),
        verdict=verdicts.of_attendee(attendee, events, stays, now),
        clock=verdicts.clock(attendee),
        stays=stays,
        times=_times(attendee, events, stays),
        corrected=corrected,
        client=attendee.client,
        client_text=clients.in_short(attendee.client),
        details=_details(events, archived, request),
        has_more=attendee.fact_count > len(events),
        events_url=links.events_of(attendee.meeting, attendee=attendee.external_id),
        history=_history(history[-_MOST_HISTORY:], events, attendee.clock_offset_ms or 0),
        others=subject_tables.attendees(_others(attendee), with_meeting=True),
        person_url=links.of_person(attendee.external_user_id) if attendee.external_user_id else "",
        panels=panels.on_attendee.render(request, attendee),
    )


def _events(attendee: Attendee) -> list[ClientEvent]:
    """In order of time. Of very many the newest: what ended badly is at the end.

    A clock that is wrong still has the order right, where all of a batch came to us at once.
    """
    events = ClientEvent.objects.of([attendee]).select_related("name", "status")
    order = ["-client_ms", "-sequence", "-id"]
    if not attendee.clock_offset_ms:
        order.insert(0, "-happened_at")
    newest = list(events.order_by(*order)[:MOST_EVENTS])
    for event in newest:
        event.attendee = attendee
    return newest[::-1]


def _correct(events: list[ClientEvent], attendee: Attendee) -> set[int]:
    """Put all events of a client with a wrong clock on that clock, moved to where it should be.

    Moments of ours beside moments of theirs would contradict each other. Answers which were moved.
    """
    moved = set()
    for event in events if attendee.clock_offset_ms else ():
        at = _moment(event.client_ms - (attendee.clock_offset_ms or 0)) if event.client_ms else None
        if at is not None:
            event.happened_at = at
            moved.add(event.pk)
    events.sort(key=lambda event: event.happened_at)  # stable: one moment keeps the order above
    return moved


def _times(
    attendee: Attendee, events: Sequence[ClientEvent], presence: Presence
) -> dict[str, datetime | None]:
    """When they joined and left, by the same clock as the events beneath."""
    joined = joining(events)
    if not attendee.clock_offset_ms or not joined or not presence.stays:
        return {"joined": attendee.joined_at, "left": attendee.left_at}
    last = presence.stays[-1]
    has_left = last.ending in {"left", "dropped"}
    return {"joined": joined.happened_at, "left": last.end if has_left else None}


def _details(
    events: Sequence[ClientEvent], archived: Mapping[int, Archived], request: HttpRequest
) -> list[Detail]:
    joined = joining(events)
    return [
        build(
            event,
            archived.get(event.pk),
            since_joining_ms(event, joined),
            raw_url(event, request),
        )
        for event in events
    ]


def _history(
    entries: Sequence[HistoryEntry], events: Sequence[ClientEvent], ahead_ms: int
) -> list[HistoryRow]:
    """Told by the client's own clock, as its history knows no other, less what that is ahead."""
    known = {(event.name.value, event.client_ms) for event in events}
    joined_event = joining(events)
    joined = joined_event.client_ms if joined_event else None
    return [
        HistoryRow(
            wording.event_label(entry.name),
            entry.name,
            _moment(None if entry.at_ms is None else entry.at_ms - ahead_ms),
            offset(entry.at_ms - joined) if joined is not None and entry.at_ms is not None else "",
            (entry.name, entry.at_ms) in known,
        )
        for entry in entries
    ]


def _moment(at_ms: int | None) -> datetime | None:
    if at_ms is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return None


def _others(attendee: Attendee) -> list[Attendee]:
    """The same person's last meetings besides this one."""
    if not attendee.external_user_id:
        return []
    same = Attendee.objects.filter(external_user_id=attendee.external_user_id)
    others = same.exclude(pk=attendee.pk).select_related("meeting", "client")
    return list(others.order_by("-last_event_at", "-pk")[:_MOST_OTHERS])
