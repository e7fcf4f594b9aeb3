"""Stacked columns over time: how many of each kind in each bucket."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.charts import frame
from portal.charts.frame import Series
from portal.charts.line import time_twin
from portal.charts.scale import Axis, Ruler, round_top

_TOP, _AXIS = 18, 22
_FILLED = 0.78  # of a bucket's width


def columns(
    title: str,
    moments: Sequence[datetime],
    series: Sequence[Series],
    *,
    step: timedelta,
    unit: str = "",
    height: int = 160,
) -> SafeString:
    """`moments` are the buckets' starts, `step` their width. None is no data, not zero."""
    series = list(series)[: frame.MOST_SERIES]
    totals = _totals(series, len(moments))
    if not moments or all(total is None for total in totals):
        return frame.no_data(title, "columns")
    ruler = Ruler(moments[0], moments[-1] + step)
    width = 1 / len(moments)
    places = [ruler.place(moment) for moment in moments]
    axis = Axis(round_top(totals))
    content = format_html(
        "{}{}{}{}{}",
        frame.gridlines(axis, _TOP, height),
        _gaps(totals, places, width, height),
        _stacks(series, places, width, axis.top, height),
        frame.level_labels(axis, unit, _TOP, height),
        frame.time_axis(ruler.ticks(), _TOP + height + 16, _TOP),
    )
    drawing = frame.svg(
        title, frame.spoken(series, unit), _TOP + height + _AXIS, content, "has-hover"
    )
    return frame.figure_element(
        title,
        drawing,
        kind="columns",
        key=frame.key(series, unit),
        twin=time_twin(title, moments, series, unit, [place + width / 2 for place in places]),
    )


def _totals(series: Sequence[Series], length: int) -> list[float | None]:
    """The height of each stack; None where no series knows anything."""
    totals: list[float | None] = []
    for i in range(length):
        known = [value for one in series if (value := one.values[i]) is not None]
        totals.append(sum(known) if known else None)
    return totals


def _stacks(
    series: Sequence[Series], places: Sequence[float], width: float, top: float, height: int
) -> SafeString:
    rows = []
    for i, place in enumerate(places):
        base = float(_TOP + height)
        for position, one in enumerate(series):
            tall = (one.values[i] or 0) / top * height
            if tall <= 0:
                continue
            base -= tall
            rows.append(
                (
                    frame.ink(one, position),
                    frame.at_percent(place + width * (1 - _FILLED) / 2),
                    frame.at_percent(width * _FILLED),
                    f"{base:.1f}",
                    f"{max(tall, 1):.1f}",
                )
            )
    return format_html_join(
        "", '<rect class="fill {}" x="{}" width="{}" y="{}" height="{}"/>', rows
    )


def _gaps(
    totals: Sequence[float | None], places: Sequence[float], width: float, height: int
) -> SafeString:
    """Buckets without data are shown as such."""
    return format_html_join(
        "",
        '<rect class="gap" x="{}" width="{}" y="{}" height="3"/>',
        (
            (frame.at_percent(place), frame.at_percent(width), _TOP + height - 3)
            for place, total in zip(places, totals, strict=True)
            if total is None
        ),
    )
