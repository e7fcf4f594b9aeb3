"""The page of one meeting: what went wrong, for whom and when, on one axis of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from meetings import panels, timeline, verdicts, vocabulary
from meetings.models import Attendee, ClientEvent, ClientEventQuerySet, Meeting
from meetings.pages import event_tables, links, subject_tables
from meetings.pages.event_detail import Detail, detail_of
from meetings.timeline import Window
from portal.admin import render_page
from portal.charts.timeline import timeline as draw
from portal.figures import duration
from portal.timerange import TimeRange

_MOST_ATTENDEES = 50
_MOST_LANES_EVER = 500
_MOST_FAILURES = 200
_ZOOMED = timedelta(minutes=10)
_FAILURES_SHOWN = 20
DETAIL = "event-detail"

_WORST_FIRST = Case(
    When(outcome=Attendee.Outcome.FAILED, then=Value(0)),
    When(drop_count__gt=0, then=Value(1)),
    When(audio_failure_count__gt=0, then=Value(2)),
    When(video_failure_count__gt=0, then=Value(2)),
    When(join_failure_count__gt=0, then=Value(3)),
    When(is_bot=True, then=Value(5)),
    default=Value(4),
    output_field=IntegerField(),
)


def meeting_page(request: HttpRequest, external_id: str) -> HttpResponse:
    meeting = get_object_or_404(Meeting, external_id=external_id)
    now = timezone.now()
    attendees = _attendees(meeting)
    total = meeting.attendee_count + meeting.bot_count
    zoom = _zoom(request, meeting)
    drawn = attendees[: _lanes_wanted(request)]
    events = ClientEvent.objects.of_meeting(meeting)
    failures = _failures(events)
    return render_page(
        request,
        "meetings/meeting.html",
        title=str(meeting),
        meeting=meeting,
        is_live=verdicts.is_live(meeting, now),
        verdict=verdicts.of_meeting(meeting, failures),
        axis=_axis(request, meeting, zoom.window, drawn),
        zoom=zoom,
        lanes_drawn=len(drawn),
        attendee_total=total,
        attendees=subject_tables.attendees(attendees[:_MOST_ATTENDEES], with_meeting=False),
        attendees_url=links.attendees_of(meeting),
        events_url=links.events_of(meeting),
        failures=event_tables.meeting_failures(failures[:_FAILURES_SHOWN]),
        failure_count=len(failures),
        failures_url=links.events_of(meeting, failed="1"),
        detail=_chosen(request, events),
        panels=panels.on_meeting.render(request, meeting),
    )


def _attendees(meeting: Meeting) -> list[Attendee]:
    """Those with trouble first: of three hundred, these are looked for."""
    attendees: QuerySet[Attendee] = meeting.attendees.select_related("client")
    ordered = attendees.order_by(_WORST_FIRST, "first_event_at", "pk")
    return list(ordered[:_MOST_LANES_EVER])


def _lanes_wanted(request: HttpRequest) -> int:
    return _MOST_LANES_EVER if request.GET.get("lanes") == "all" else timeline.MOST_LANES


@dataclass(frozen=True, slots=True)
class Zoom:
    """What part of the meeting the axis shows, and the parts that are offered."""

    window: Window
    is_part: bool
    offers: Sequence[tuple[str, str]]


def _zoom(request: HttpRequest, meeting: Meeting) -> Zoom:
    """A range from one moment to another in the header zooms in; the usual ones mean the whole."""
    whole = Window.of(meeting)
    period = TimeRange.of(request)
    part = whole.zoomed(period) if "from" in period.query else None
    offers = []
    if whole.end - whole.start > 3 * _ZOOMED:
        offers = [
            (f"First {duration(_ZOOMED)}", _zoom_url(whole.start, whole.start + _ZOOMED)),
            (f"Last {duration(_ZOOMED)}", _zoom_url(whole.end - _ZOOMED, whole.end)),
        ]
    return Zoom(part or whole, part is not None, offers)


def _zoom_url(start: datetime, end: datetime) -> str:
    period = TimeRange.between(start.isoformat(), end.isoformat())
    return f"?{period.query_string}"


def _axis(
    request: HttpRequest, meeting: Meeting, window: Window, attendees: Sequence[Attendee]
) -> Any:
    own = timeline.attendee_lanes(attendees, url_of=_event_url(request))
    lanes = timeline.lanes(meeting, window, own, may=request.user.has_perm)
    return draw("Who was there when", window.start, window.end, lanes, into=DETAIL)


def _event_url(request: HttpRequest) -> Any:
    """This page with the event's detail open: what a mark links to."""
    kept = request.GET.copy()

    def url_of(event: ClientEvent) -> str:
        kept["event"] = str(event.pk)
        return f"?{kept.urlencode()}#{DETAIL}"

    return url_of


def _failures(events: ClientEventQuerySet) -> list[ClientEvent]:
    failed = events.named(*sorted(vocabulary.FAILED)).by_people()
    return list(failed.with_everything().newest_first()[:_MOST_FAILURES])


def _chosen(request: HttpRequest, events: ClientEventQuerySet) -> Detail | None:
    """The event that the URL asks for."""
    text = request.GET.get("event", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        return None
    event = events.with_everything().filter(pk=int(text)).first()
    if event is None:
        raise Http404("This meeting has no such event.")
    return detail_of(event, request)
