"""The page "Retention": what is kept for how long, what goes next, and what keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal import figures
from portal.admin import render_page
from portal.pieces import State
from portal.retention.amounts import Amount, day_in_words
from portal.retention.checks import overdue_days
from portal.retention.classes import DataClass, midnight, registered
from portal.retention.purging import ACTION, Ahead, days_ahead

# Counting for the page stops there.
_MOST = 10_000
# One line for each class and day: this reaches back far enough.
_LINES = 300


@dataclass(frozen=True, slots=True)
class Shown:
    """A class as the page shows it. `next_on` is None where what is next is due already."""

    one: DataClass
    kept: str
    oldest: date | None
    there_is: Amount
    next_on: date | None
    next_amount: Amount | None
    obstacles: Sequence[str]
    state: State
    last_at: datetime | None
    last_text: str


def retention_page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    today = midnight(now).date()
    last = _last_purges()
    shown = [_shown(one, now, last) for one in registered()]
    ahead = days_ahead(today)
    return render_page(
        request,
        "retention/retention.html",
        title="Retention",
        classes=shown,
        verdict=_verdict(shown, ahead, today),
        ahead=[(one, one.is_enough(today)) for one in ahead],
        database_bytes=_database_bytes(),
    )


def _shown(one: DataClass, now: datetime, last: dict[str, Any]) -> Shown:
    before, oldest = one.cutoff(now), one.oldest()
    due = one.due(before, most=_MOST) if before else Amount()
    obstacles = one.obstacles(before) if before else []
    next_on, next_amount = (None, due) if due else _next(one, oldest)
    event = last.get(one.name)
    return Shown(
        one=one,
        kept=_kept(one),
        oldest=midnight(oldest).date() if oldest else None,
        there_is=one.there_is(),
        next_on=next_on,
        next_amount=next_amount,
        obstacles=obstacles,
        state="warn" if obstacles or overdue_days(one) else "ok",
        last_at=event.at if event else None,
        last_text=event.detail.get("deleted", "") if event else "",
    )


def _kept(one: DataClass) -> str:
    if not one.days:
        return "for ever"
    return f"{figures.number(one.days)}\u00a0day{'' if one.days == 1 else 's'}"


def _next(one: DataClass, oldest: datetime | None) -> tuple[date | None, Amount | None]:
    """When the oldest day will be old enough, and how much that is."""
    if not one.days or oldest is None:
        return None, None
    end = midnight(oldest) + timedelta(days=1)
    amount = one.due(end, most=_MOST)
    return (end + timedelta(days=one.days)).date(), amount


def _last_purges() -> dict[str, Any]:
    """By class, the newest line of the audit trail about it."""
    rows = apps.get_model("access", "AuditEvent")._default_manager.filter(action=ACTION)
    found: dict[str, Any] = {}
    for event in rows.order_by("-at", "-pk")[:_LINES]:
        found.setdefault(event.detail.get("data_class", ""), event)
    return found


def _database_bytes() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        [(size,)] = cursor.fetchall()
    return int(size)


def _verdict(
    shown: Sequence[Shown], ahead: Sequence[Ahead], today: date
) -> tuple[State, str, list[str]]:
    """What the eye meets first: all is well, or what is not and why."""
    late = [one for one in ahead if not one.is_enough(today)]
    if late:
        details = [
            f"{one.label}: made until {day_in_words(one.until)}."
            if one.until
            else f"{one.label}: not even today's is there."
            for one in late
        ]
        title = "Days are not made ahead. Run manage.py purge, and see that the worker runs"
        return "bad", title, details
    stuck = [one for one in shown if one.state == "warn"]
    if stuck:
        details = [f"{one.one.label}: {text}" for one in stuck for text in one.obstacles[:3]]
        return (
            "warn",
            "Not all that is due could be deleted",
            details
            or [
                f"{one.one.label}: see that the worker runs. It deletes what is due each hour."
                for one in stuck
            ],
        )
    if any(one.next_amount and one.next_on is None for one in shown):
        return "ok", "What is due goes within the hour", []
    return "ok", "All that was due has been deleted", []
