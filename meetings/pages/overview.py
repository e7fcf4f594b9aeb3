"""The part of the overview about meetings: how joining goes, and what is wrong now."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from meetings import dashboard
from meetings.pages import links, subject_tables
from meetings.pages.dashboard import curl
from meetings.pages.tiles import staleness, tiles
from portal.timerange import TimeRange


def meetings_panel(request: HttpRequest, period: TimeRange) -> SafeString:
    """Before the first event has come, how to send one."""
    board = dashboard.overview(period)
    if board.last_received_at is None:
        return render_to_string("meetings/overview_empty.html", {"curl": curl(request)}, request)
    return render_to_string(
        "meetings/overview_panel.html",
        {
            "tiles": tiles(board),
            "stale": staleness(board),
            "url": links.dashboard(period, dashboard.ClientChoice()),
            "troubled": subject_tables.meetings(board.troubled),
            "troubled_url": links.meetings(live="1", failed="1"),
            "live": board.live,
            "heard": board.heard,
            "meetings_url": links.meetings(period),
            "attendees_url": links.attendees(period),
        },
        request,
    )
