"""Shares of a whole, as a ring with its list."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.charts import frame
from portal.charts.frame import Series
from portal.figures import figure, percent

_MOST = 5
_RADIUS, _WIDTH = 40, 16
_ROUND = 2 * math.pi * _RADIUS


@dataclass(frozen=True, slots=True)
class Slice:
    label: str
    value: float
    url: str = ""
    tone: str = ""


def pie(title: str, slices: Sequence[Slice], *, unit: str = "", height: int = 140) -> SafeString:
    """The largest five and "Other". The total stands in the middle."""
    slices = _largest([one for one in slices if one.value > 0])
    whole = sum(one.value for one in slices)
    if not whole:
        return frame.no_data(title, "pie")
    summary = ", ".join(f"{one.label} {percent(one.value / whole)}" for one in slices)
    name = frame.chart_id(title, summary)
    return format_html(
        '<figure class="chart chart-pie"><figcaption>{}</figcaption><div class="pie">'
        '<svg class="ring" role="img" aria-labelledby="{}-t {}-d" viewBox="0 0 100 100" '
        'width="{}" height="{}"><title id="{}-t">{}</title><desc id="{}-d">{}</desc>'
        '<g transform="rotate(-90 50 50)">{}</g><text class="ring-total" x="50" y="50">{}</text>'
        '</svg><ul class="pie-list">{}</ul></div></figure>',
        title,
        name,
        name,
        height,
        height,
        name,
        title,
        name,
        summary,
        _arcs(slices, whole),
        figure(whole, unit),
        format_html_join(
            "", "{}", ((_entry(one, i, whole, unit),) for i, one in enumerate(slices))
        ),
    )


def _largest(slices: list[Slice]) -> list[Slice]:
    ranked = sorted(slices, key=lambda one: -one.value)
    if len(ranked) <= _MOST + 1:
        return ranked
    rest = sum(one.value for one in ranked[_MOST:])
    return [*ranked[:_MOST], Slice(f"Other ({len(ranked) - _MOST})", rest, tone="quiet")]


def _arcs(slices: Sequence[Slice], whole: float) -> SafeString:
    """Circles drawn with one dash each; a hair's gap keeps neighbours apart."""
    rows = []
    turned = 0.0
    for i, one in enumerate(slices):
        length = one.value / whole * _ROUND
        dash = max(length - (0.8 if len(slices) > 1 else 0), 0.4)
        rows.append((_ink(one, i), _RADIUS, _WIDTH, f"{dash:.2f} {_ROUND:.2f}", f"{-turned:.2f}"))
        turned += length
    return format_html_join(
        "",
        '<circle class="arc {}" cx="50" cy="50" r="{}" fill="none" stroke-width="{}" '
        'stroke-dasharray="{}" stroke-dashoffset="{}"/>',
        rows,
    )


def _ink(one: Slice, position: int) -> str:
    return frame.ink(Series(one.label, (), one.tone), position)


def _entry(one: Slice, position: int, whole: float, unit: str) -> SafeString:
    label = format_html('<a href="{}">{}</a>', one.url, one.label) if one.url else one.label
    return format_html(
        '<li><span class="swatch {}"></span><span class="pie-label" dir="auto">{}</span>'
        "<b>{}</b><span>{}</span></li>",
        _ink(one, position),
        label,
        figure(one.value, unit),
        percent(one.value / whole),
    )
