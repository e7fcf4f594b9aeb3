"""What the frame shows of failures: the badge, the overview's panel, hits of the search box."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from portal.failures.models import Failure
from portal.search import Hit
from portal.timerange import TimeRange

_ON_OVERVIEW = 5
_MOST_HITS = 10


def needing_someone(request: HttpRequest) -> int:
    """The badge of the navigation: open and not muted, for those who can do something about it."""
    if not request.user.has_perm("failures.triage_failure"):
        return 0
    return Failure.objects.needs_someone().count()


def open_failures(request: HttpRequest, period: TimeRange) -> SafeString:
    """The overview's panel: what needs somebody, what hits most people first."""
    waiting = Failure.objects.needs_someone()
    shown = waiting.by_reach(period).select_related("owner").with_trend(period)[:_ON_OVERVIEW]
    still = Failure.objects.still_happening()
    return render_to_string(
        "failures/panel.html",
        {
            "failures": shown,
            "count": waiting.count(),
            "still": still.count(),
            "still_times": sum(one.since_resolved for one in still.with_since_resolved()),
            "timerange": period,
        },
        request,
    )


def find_failures(text: str, user: Any) -> Iterable[Hit]:
    if not user.has_perm("failures.view_failure"):
        return []
    return [
        Hit(
            "Failure",
            failure.title,
            " · ".join(filter(None, [failure.about.label, failure.reason, failure.standing])),
            failure.get_absolute_url(),
        )
        for failure in Failure.objects.matching(text)[:_MOST_HITS]
    ]
