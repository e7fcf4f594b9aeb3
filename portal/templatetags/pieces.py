"""The pieces that every page is made of. docs/look.md shows each with an example."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.template.context import RequestContext
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal import figures
from portal.charts.sparkline import sparkline
from portal.listing import MOST_COUNTED, Chip
from portal.pieces import STATES, Column, Pager, Row, Step, Table
from portal.templatetags.timetags import when

register = template.Library()

STATE_WORDS = {"ok": "OK", "warn": "Warning", "bad": "Problem", "unknown": "Unknown", "info": ""}
_SEVERITIES = {
    "critical": "bad",
    "error": "bad",
    "warning": "warn",
    "notice": "info",
    "info": "info",
    "ok": "ok",
}
_PHASE_WORDS = {
    "done": "done",
    "now": "now",
    "ahead": "to come",
    "failed": "failed",
    "skipped": "left out",
}
_SHOWN_OF_AN_ID = (10, 6)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; without a label it is decoration beside a word."""
    href = f"{static('portal/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


@register.simple_tag
def state(kind: str, word: str = "") -> SafeString:
    """A state by shape, colour and word: ok, warn, bad, unknown or info."""
    kind = kind if kind in STATES else "unknown"
    return format_html(
        '<span class="state state-{}">{}<span class="state-word">{}</span></span>',
        kind,
        mark(kind),
        word or STATE_WORDS[kind],
    )


@register.simple_tag
def mark(kind: str) -> SafeString:
    """The shape alone, for places where the word stands beside it."""
    kind = kind if kind in STATES else "unknown"
    return format_html(
        '<svg class="mark mark-{}" aria-hidden="true" viewBox="0 0 12 12"><use href="{}"/></svg>',
        kind,
        f"{static('portal/icons.svg')}#mark-{kind}",
    )


@register.simple_tag
def severity(level: str) -> SafeString:
    """critical, error, warning, notice, info or ok as word and shape."""
    return state(_SEVERITIES.get(level, "unknown"), level.capitalize())


@register.simple_tag
def identifier(value: Any) -> SafeString | str:
    """An id in monospace, shortened in the middle, with a copy button (made by frame.js)."""
    text = "" if value is None else str(value)
    if not text:
        return figures.NOTHING
    return format_html(
        '<span class="identifier" data-copy="{}"><code title="{}">{}</code></span>',
        text,
        text,
        shorten(text),
    )


def shorten(text: str) -> str:
    head, tail = _SHOWN_OF_AN_ID
    if len(text) <= head + tail + 4:
        return text
    return f"{text[:head]}…{text[-tail:]}"


@register.filter
def number(value: float | None) -> str:
    return figures.figure(value)


@register.filter
def percent(value: float | None) -> str:
    """From a fraction 0 to 1."""
    return figures.figure(value, "%")


@register.filter
def size(value: float | None) -> str:
    return figures.figure(value, "bytes")


@register.filter
def unit(value: float | None, name: str) -> str:
    return figures.figure(value, name)


@register.filter
def out_of(part: float, whole: float) -> str:
    """5 of 212, or a share when the whole is large."""
    return figures.share(part, whole)


@register.filter
def capped(count: int) -> str:
    """A count that stops at 10,000."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


@register.inclusion_tag("pieces/tile.html")
def tile(
    label: str,
    value: Any,
    unit: str = "",
    *,
    before: float | None = None,
    better: str = "",
    spark: Sequence[float | None] | None = None,
    as_of: datetime | None = None,
    stale: str = "",
    state: str = "",
    href: str = "",
    note: str = "",
) -> dict[str, Any]:
    """One figure that links to its rows.

    `before` is the same figure in the period before; `better` ("up" or "down") says which way is
    good. `stale` is the reason why the figure is old, and greys the tile.
    """
    shown = value if isinstance(value, str) else figures.figure(value, unit)
    return {
        "label": label,
        "figure": shown,
        "change": _change(value, before, unit, better),
        "spark": sparkline(spark, label=f"{label} over time") if spark else "",
        "as_of": as_of,
        "stale": stale,
        "state": "unknown" if stale else state,
        "href": href,
        "note": note,
    }


def _change(value: Any, before: float | None, unit: str, better: str) -> dict[str, str] | None:
    """In words and with a direction; None where there is nothing to compare."""
    if before is None or value is None or isinstance(value, str):
        return None
    was = figures.figure(before, unit)
    if value == before:
        return {"text": f"as before ({was})", "direction": "same", "tone": "unknown"}
    direction = "up" if value > before else "down"
    tone = "unknown" if not better else "ok" if direction == better else "bad"
    if unit == "%":
        text = f"{abs(value - before) * 100:.1f} points"
    elif before:
        text = _growth(value / before)
    else:
        text = figures.figure(value - before, unit)
    return {"text": f"{text} (was {was})", "direction": direction, "tone": tone}


def _growth(ratio: float) -> str:
    if ratio >= 3:
        return f"{figures.number(round(ratio, 1))} times"
    return f"{abs(ratio - 1) * 100:.0f}\u00a0%"


@register.inclusion_tag("pieces/table.html")
def table(table: Table) -> dict[str, Any]:
    """A table from portal.pieces.Table; rows become cards on a phone."""
    rows = [{"row": row, "cells": _cells(table.columns, row)} for row in table.rows]
    return {"table": table, "rows": rows}


def _cells(columns: Sequence[Column], row: Row) -> list[dict[str, Any]]:
    return [
        {"column": column, "label": column.label, "content": _content(column, value)}
        for column, value in zip(columns, row.cells, strict=True)
    ]


def _content(column: Column, value: Any) -> Any:
    if isinstance(value, SafeString):
        return value
    if value is None or value == "":
        return figures.NOTHING
    match column.kind:
        case "number":
            return figures.figure(value, column.unit)
        case "duration":
            return figures.duration(value)
        case "time":
            return when(value)
        case "id":
            return identifier(value)
        case "state":
            return state(*value)
        case _:
            return value


@register.inclusion_tag("pieces/chips.html")
def chips(chips: Sequence[Chip], clear_url: str = "") -> dict[str, Any]:
    """The filters in force, each a link that takes it away."""
    return {"chips": chips, "clear_url": clear_url}


@register.inclusion_tag("pieces/state_line.html")
def state_line(steps: Sequence[Step], reason: str = "") -> dict[str, Any]:
    """The steps of something's life, the present one marked, and why it stands there."""
    return {"steps": [(step, _PHASE_WORDS[step.phase]) for step in steps], "reason": reason}


@register.inclusion_tag("pieces/empty.html")
def empty(
    title: str,
    text: str = "",
    *,
    curl: str = "",
    url: str = "",
    button: str = "",
    icon: str = "inbox",
) -> dict[str, str]:
    """What would stand here, and how to make it so: a command to copy, or a button."""
    return {
        "title": title,
        "text": text,
        "curl": curl,
        "url": url,
        "button": button,
        "icon_name": icon,
    }


@register.inclusion_tag("pieces/pager.html")
def pager(pager: Pager) -> dict[str, Any]:
    total = pager.total
    counted = "" if total is None else f"{total:,}{'+' if pager.capped else ''}"
    return {"pager": pager, "counted": counted}


@register.simple_block_tag
def explain(content: SafeString, summary: str, *, open: bool = False) -> SafeString:  # noqa: A002
    """A verdict that opens to its evidence: {% explain "Why poor" %}…{% endexplain %}."""
    return format_html(
        '<details class="explain"{}><summary>{}</summary><div class="explain-body">{}</div>'
        "</details>",
        " open" if open else "",
        summary,
        content,
    )


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """The present query string with some parameters changed; None takes one out."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"


@register.simple_tag(takes_context=True)
def carry(context: RequestContext, url: str) -> str:
    """The URL with the page's time range added."""
    timerange = context.get("timerange")
    carried = timerange.query_string if timerange else ""
    if not carried:
        return url
    return f"{url}{'&' if '?' in url else '?'}{carried}"
