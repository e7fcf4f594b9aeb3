"""Lines over time."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal import moments as words
from portal.charts import frame
from portal.charts.frame import Series
from portal.charts.scale import Axis, Ruler, round_top
from portal.charts.sparkline import through
from portal.figures import figure

_WIDTH = 1000  # of the drawing's own units, stretched over the real width
_TOP, _AXIS = 18, 22


def line(
    title: str,
    moments: Sequence[datetime],
    series: Sequence[Series],
    *,
    unit: str = "",
    target: float | None = None,
    floor: float = 0,
    height: int = 200,
    note: str = "",
    bridge: int = 0,
) -> SafeString:
    """At most five series over the same moments, from zero up; None is a gap.

    `note` stands small beside the title. Gaps of up to `bridge` moments are drawn over, for
    figures that are simply not known at every moment.

    `target` draws a dashed line at that value. Units as in portal.figures. A `floor` above zero
    is for shares that live near 100 % only; values below it are drawn at the bottom.
    """
    series = list(series)[: frame.MOST_SERIES]
    known = [value for one in series for value in one.values if value is not None]
    if not known or len(moments) < 2:
        return frame.no_data(title, "line")
    ruler = Ruler(moments[0], moments[-1])
    places = [ruler.place(moment) for moment in moments]
    axis = Axis(1.0 if unit == "%" else round_top(known, least=target or 0), floor)
    content = format_html(
        "{}{}{}{}{}",
        frame.gridlines(axis, _TOP, height),
        _paths(series, places, axis, height, bridge),
        _target(target, axis, unit, height),
        frame.level_labels(axis, unit, _TOP, height),
        frame.time_axis(ruler.ticks(), _TOP + height + 16, _TOP),
    )
    drawing = frame.svg(
        title, frame.spoken(series, unit), _TOP + height + _AXIS, content, "has-hover"
    )
    return frame.figure_element(
        title,
        drawing,
        kind="line",
        key=frame.key(series, unit),
        twin=time_twin(title, moments, series, unit, places),
        note=note,
    )


def _paths(
    series: Sequence[Series], places: Sequence[float], axis: Axis, height: int, bridge: int
) -> SafeString:
    return format_html(
        '<svg y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'class="plot">{}</svg>',
        _TOP,
        height,
        _WIDTH,
        height,
        format_html_join(
            "",
            '<path class="stroke {}" d="{}"/>',
            (
                (frame.ink(one, i), through(_bridged(_points(one, places, axis, height), bridge)))
                for i, one in enumerate(series)
            ),
        ),
    )


def _points(
    series: Series, places: Sequence[float], axis: Axis, height: int
) -> list[tuple[float, float | None]]:
    return [
        (place * _WIDTH, None if value is None else height * (1 - axis.place(value)))
        for place, value in zip(places, series.values, strict=True)
    ]


def _bridged(
    points: Sequence[tuple[float, float | None]], longest: int
) -> list[tuple[float, float | None]]:
    """Without the gaps that are at most so long."""
    kept: list[tuple[float, float | None]] = []
    gap: list[tuple[float, float | None]] = []
    for point in points:
        if point[1] is None:
            gap.append(point)
            continue
        if len(gap) > longest:
            kept.extend(gap)
        gap = []
        kept.append(point)
    return kept + gap


def _target(target: float | None, axis: Axis, unit: str, height: int) -> SafeString | str:
    if target is None:
        return ""
    y = _TOP + height * (1 - axis.place(target))
    return format_html(
        '<line class="target" x1="0" x2="100%" y1="{0}" y2="{0}"/>'
        '<text class="axis axis-end" x="100%" y="{1}">target {2}</text>',
        f"{y:.1f}",
        f"{y - 4:.1f}",
        figure(target, unit),
    )


def time_twin(
    title: str,
    moments: Sequence[datetime],
    series: Sequence[Series],
    unit: str,
    places: Sequence[float],
) -> SafeString:
    return frame.twin(
        title,
        ["Time", *(one.label for one in series)],
        (
            (told, [figure(one.values[i], unit) for one in series])
            for i, told in enumerate(words.absolutes(moments))
        ),
        places=places,
    )
