"""A line the size of a word."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 100, 24


def sparkline(
    values: Sequence[float | None], *, label: str = "", tone: str = ""
) -> SafeString | str:
    """Nothing below two known values: a dot is no course."""
    if sum(value is not None for value in values) < 2:
        return ""
    return format_html(
        '<svg class="spark{}" role="img" aria-label="{}" viewBox="0 -2 {} {}" '
        'preserveAspectRatio="none"><path d="{}"/></svg>',
        f" ink-{tone}" if tone else "",
        label or "Course over time",
        _WIDTH,
        _HEIGHT + 4,
        path(values, _WIDTH, _HEIGHT),
    )


def path(
    values: Sequence[float | None], width: float, height: float, top: float | None = None
) -> str:
    """SVG path data through the values, spread evenly, broken at gaps; zero is at the bottom."""
    highest = top or max((value for value in values if value is not None), default=0) or 1
    step = width / max(1, len(values) - 1)
    return through(
        [
            (i * step, None if value is None else height * (1 - value / highest))
            for i, value in enumerate(values)
        ]
    )


def through(points: Sequence[tuple[float, float | None]]) -> str:
    """Path data; a point alone between two gaps becomes a dot (a line of no length)."""
    parts = []
    pen_down = False
    for i, (x, y) in enumerate(points):
        if y is None:
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        alone = not pen_down and (i + 1 == len(points) or points[i + 1][1] is None)
        if alone:
            parts.append("h0")
        pen_down = True
    return "".join(parts)
