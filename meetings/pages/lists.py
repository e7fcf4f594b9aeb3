"""The lists of meetings, attendees and client events: filtered, paged, with files to take away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from meetings import vocabulary, wording
from meetings.filters import AttendeeFilter, EventFilter, MeetingFilter, PlainFilterSet
from meetings.models import Attendee, ClientEvent, EventName, Meeting
from meetings.pages import event_tables, subject_tables
from meetings.pages.dashboard import curl
from meetings.pages.filter_form import Choice, Option, chips
from meetings.presence import SILENT_FOR
from portal.admin import render_page
from portal.keyset import Bounds, CursorError, Page, page_soon
from portal.listing import Number, counted_soon
from portal.pieces import Pager, Table
from portal.timerange import TimeRange

PAGE = 50
_MOST_PINNED = 20
_MOST_NAMES = 200
# Of the page, not of the list; the API knows them by other names or not at all.
_NOT_EXPORTED = ("after",)


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, ready to be drawn."""

    rows: Sequence[Any]
    pager: Pager
    notices: Sequence[str]
    is_first: bool
    searched_to: datetime | None = None


def meetings_page(request: HttpRequest) -> HttpResponse:
    """Those in progress stand on top, on the first page."""
    period = TimeRange.of(request)
    filtered = MeetingFilter(request.GET, Meeting.objects.all(), period=period)
    matching = filtered.qs
    cut = timezone.now() - SILENT_FOR
    is_live = Q(present_count__gt=0, last_event_at__gte=cut)
    pins = "live" not in request.GET
    listed = read(
        request, filtered, "last_event_at", "meetings", matching.exclude(is_live) if pins else None
    )
    pinned: list[Meeting] = []
    if pins and listed.is_first:
        pinned = list(matching.filter(is_live).order_by("-last_event_at", "-pk")[:_MOST_PINNED])
    return _render(
        request,
        listed,
        filtered,
        title="Meetings",
        table=subject_tables.meetings(listed.rows),
        pinned=subject_tables.meetings(pinned) if pinned else None,
        live_url=_with(request.GET, live="1"),
        has_more_pinned=len(pinned) == _MOST_PINNED,
        api="api-meetings",
        choices=[
            _yes("live", "In progress", request),
            _yes("failed", "With failures", request),
            _text("user", "Person", request),
            _text("q", "Id contains", request),
        ],
    )


def attendees_page(request: HttpRequest) -> HttpResponse:
    attendees = Attendee.objects.select_related("meeting", "client")
    filtered = AttendeeFilter(request.GET, attendees, period=TimeRange.of(request))
    listed = read(request, filtered, "last_event_at", "attendees")
    outcomes = [Option(str(value), str(label)) for value, label in Attendee.Outcome.choices]
    return _render(
        request,
        listed,
        filtered,
        title="Attendees",
        table=subject_tables.attendees(listed.rows, with_meeting=True),
        api="api-attendees",
        choices=[
            Choice("outcome", "Outcome", outcomes, request.GET.get("outcome", "")),
            _yes("failed", "With failures", request),
            _platforms(request),
            _text("browser", "Browser", request),
            _text("user", "Person", request),
            _text("meeting", "Meeting", request),
            _text("q", "Id contains", request),
        ],
    )


def events_page(request: HttpRequest) -> HttpResponse:
    events = ClientEvent.objects.with_everything()
    filtered = EventFilter(request.GET, events, period=TimeRange.of(request))
    listed = read(request, filtered, "happened_at", "events")
    names = EventName.objects.order_by("value").values_list("value", flat=True)[:_MOST_NAMES]
    return _render(
        request,
        listed,
        filtered,
        title="Client events",
        table=event_tables.listed(listed.rows),
        api="api-events",
        choices=[
            Choice(
                "name",
                "Event",
                [Option(name, wording.event_label(name)) for name in names],
                request.GET.get("name", ""),
            ),
            _yes("failed", "Only failures", request),
            _platforms(request),
            _text("sdk_version", "SDK version", request),
            _text("browser", "Browser", request),
            _text("os", "System", request),
            _text("attendee", "Attendee id", request),
            _text("user", "Person", request),
            _text("meeting", "Meeting", request),
            _text("q", "Reason contains", request),
        ],
    )


def read(
    request: HttpRequest,
    filtered: PlainFilterSet,
    column: str,
    noun: str,
    narrowed: QuerySet[Any] | None = None,
) -> Listed:
    """The page at the cursor in the URL, and a count that stops at ten thousand."""
    notices = filtered.notices()
    queryset = filtered.qs if narrowed is None else narrowed
    bounds = filtered.bounds_of(column)
    cursor = request.GET.get("after", "")
    try:
        page = page_soon(queryset, column, cursor=cursor, size=PAGE, bounds=bounds)
    except CursorError as error:
        notices.append(str(error))
        cursor = ""
        page = page_soon(queryset, column, cursor="", size=PAGE, bounds=bounds)
    total = _number(page, queryset, column, bounds)
    pager = Pager(
        shown=len(page.rows),
        total=total.number if total else None,
        capped=total.capped if total else False,
        newer_url=_with(request.GET, after=page.newer) if page.newer else "",
        older_url=_with(request.GET, after=page.older) if page.older else "",
        noun=noun,
    )
    return Listed(page.rows, pager, notices, not cursor, page.searched_to)


def _number(page: Page[Any], queryset: QuerySet[Any], column: str, bounds: Bounds) -> Number | None:
    """None where rows are so far apart that nobody waits for their number."""
    if page.searched_to:
        return None
    if not (page.newer or page.older):
        return Number(len(page.rows), capped=False)
    found = counted_soon(queryset, column, bounds)
    return replace(found, number=max(found.number, len(page.rows)))


def _render(
    request: HttpRequest,
    listed: Listed,
    filtered: PlainFilterSet,
    *,
    title: str,
    table: Table,
    api: str,
    choices: Sequence[Choice],
    **context: Any,
) -> HttpResponse:
    return render_page(
        request,
        "meetings/list.html",
        title=title,
        listed=listed,
        table=table,
        chips=chips(request.GET, filtered.in_force()),
        clear_url=_with(request.GET, **dict.fromkeys(filtered.in_force(), "")),
        choices=choices,
        exports=_exports(request, api),
        curl=curl(request),
        **context,
    )


def _exports(request: HttpRequest, api: str) -> dict[str, str]:
    """The same rows as files, for those who may take them away."""
    if not request.user.has_perm("meetings.export_events"):
        return {}
    query = request.GET.copy()
    for name in _NOT_EXPORTED:
        query.pop(name, None)
    if not {"range", "from", "to"} & query.keys():
        query["range"] = "24h"  # what the page shows; the API alone would give everything
    urls = {}
    for form, label in (("csv", "CSV"), ("ndjson", "NDJSON")):
        query["format"] = form
        urls[label] = f"{reverse(api)}?{query.urlencode()}"
    return urls


def _with(parameters: QueryDict, **changes: str) -> str:
    kept = parameters.copy()
    kept.pop("after", None)
    for name, value in changes.items():
        kept.pop(name, None)
        if value:
            kept[name] = value
    return f"?{kept.urlencode()}"


def _yes(name: str, label: str, request: HttpRequest) -> Choice:
    return Choice(name, label, [Option("1", "Yes"), Option("0", "No")], request.GET.get(name, ""))


def _text(name: str, label: str, request: HttpRequest) -> Choice:
    return Choice(name, label, None, request.GET.get(name, ""))


def _platforms(request: HttpRequest) -> Choice:
    options = [Option(platform, platform) for platform in vocabulary.PLATFORMS]
    return Choice("platform", "Platform", options, request.GET.get("platform", ""))
