"""Every piece in its usual, empty, huge and broken state, on one page. Served while DEBUG is on."""

from datetime import datetime, timedelta
from math import sin
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.charts.bars import Bar
from portal.charts.frame import Series
from portal.charts.pie import Slice
from portal.charts.timeline import Density, Lane, Mark, Span
from portal.listing import Chip
from portal.pieces import Column, Pager, Row, Step, Table

LONG = "Quarterly all-hands of the European customer success organisation, rehearsal and recording"
ARABIC = "محمد عبد الله"


def style_guide_page(request: HttpRequest) -> HttpResponse:
    from portal.admin import render_page

    return render_page(
        request, "admin/style_guide.html", title="Style guide", **context(timezone.now())
    )


def context(now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "earlier": now - timedelta(minutes=5),
        "spark": [3, 5, 4, 8, 6, 9, None, 12, 11, 14],
        "table": _table(now),
        "chips": [Chip(name, text, "?") for name, text in _FILTERS],
        "steps": _steps(now),
        "failed_steps": [*_steps(now)[:2], Step("Recording", now, "failed"), Step("Uploaded")],
        "pager": Pager(50, 10_000, capped=True, newer_url="?", older_url="?", noun="meetings"),
        "states": ["ok", "warn", "bad", "unknown", "info"],
        **_charts(now),
    }


def _steps(now: datetime) -> list[Step]:
    return [
        Step("Requested", now - timedelta(minutes=12), "done"),
        Step("Joining", now - timedelta(minutes=11), "done"),
        Step("Recording", now - timedelta(minutes=10), "now"),
        Step("Uploaded"),
        Step("Verified"),
    ]


def _table(now: datetime) -> Table:
    columns = [
        Column("Meeting"),
        Column("Id", "id"),
        Column("State", "state"),
        Column("Attendees", "number"),
        Column("Loss", "number", "%"),
        Column("Lasted", "duration"),
        Column("Started", "time"),
    ]
    key = "5f0ac2f1-4b1a-4b1e-9f57-8d5f2ad90706"
    rows = [
        Row(["Daily stand-up", key, ("ok", "Ended"), 12, 0.0031, 912, now], "?"),
        Row([LONG, key, ("bad", "Join failed"), 12_345, 0.2, 86_000, now], "?", "bad"),
        Row([ARABIC, "m-1", ("warn", "Poor sound"), 3, 0.04, 65, now], "?", "warn"),
        Row(["🎥 Launch 🚀", key, ("unknown", "No data"), None, None, None, None], "", "unknown"),
    ]
    return Table("Meetings", columns, rows)


def _charts(now: datetime) -> dict[str, Any]:
    moments = [now + timedelta(minutes=15 * (i - 95)) for i in range(96)]
    joins = [40 + 30 * sin(i / 9) for i in range(96)]
    series = [
        Series("Joined", [None if 30 < i < 38 else joins[i] for i in range(96)]),
        Series("Failed", [joins[i] / 6 if i > 60 else joins[i] / 20 for i in range(96)], "bad"),
        Series("Dropped", [joins[i] / 9 for i in range(96)], "warn"),
    ]
    return {
        "moments": moments,
        "series": series,
        "five": [Series(f"Region {i}", [v / (i + 1) for v in joins]) for i in range(5)],
        "step": timedelta(minutes=15),
        "share": [Series("Join success", [0.97 + 0.025 * sin(i / 7) for i in range(96)])],
        "bars": [
            Bar("Microphone blocked by the browser", 212, "?", "NotAllowedError", "bad"),
            Bar(LONG, 64, "?"),
            Bar(ARABIC, 12, "?"),
            Bar("No signal", 1),
        ],
        "slices": [Slice(name, 100 / (i + 1), "?") for i, name in enumerate(_BROWSERS)],
        "lanes": _lanes(now),
        "start": now - timedelta(hours=1),
    }


_FILTERS = (("Status", "failed"), ("Title", LONG), ("Who", ARABIC))
_BROWSERS = ("Chrome 141", "Safari 19", "Edge 141", "Firefox 144", "iOS", "Android", "Opera")


def _lanes(now: datetime) -> list[Lane]:
    start = now - timedelta(hours=1)

    def at(minutes: float) -> datetime:
        return start + timedelta(minutes=minutes)

    return [
        Lane(
            "Recording",
            [Span(at(5), at(50), "Recording", "ok")],
            [Mark(at(5), "Started", "ok", "flag", url="?a"), Mark(at(50), "Stopped", "ok")],
        ),
        Lane(
            "Ada Lovelace",
            [
                Span(at(2), at(21), "Present"),
                Span(at(21), at(24), "Network lost", "bad", gap=True),
                Span(at(24), None, "Present"),
            ],
            [
                Mark(at(2), "Joined", "ok", "dot", url="?b"),
                Mark(at(21), "Dropped", "bad", "cross", "network", "?c"),
                Mark(at(24), "Joined again", "ok", "dot", url="?d"),
                *[Mark(at(40 + i / 10), "Weak signal", "warn", "triangle") for i in range(9)],
            ],
            note="Chrome 141 on macOS",
            tone="warn",
        ),
        Lane(ARABIC, [Span(at(1), at(58), "Present")], [Mark(at(1), "Joined", "ok", url="?e")]),
        Lane(
            LONG,
            marks=[Mark(at(30), "Join failed", "bad", "cross", "microphone blocked", "?f")],
            tone="bad",
        ),
        Lane(
            "Chat",
            density=Density(
                [at(i) for i in range(60)], [abs(sin(i / 4)) * 9 for i in range(60)], "messages"
            ),
        ),
        Lane("Somebody who never came", note="no data"),
    ]
