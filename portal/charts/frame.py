"""What all charts share: the figure around them, the key, the axes and the table twin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from zlib import crc32

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from portal.charts.scale import Axis, Tick
from portal.figures import NOTHING, figure

MOST_SERIES = 5
TONES = ("ok", "warn", "bad", "unknown", "accent", "quiet")


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one layer of columns. None is a gap: no data, which is not zero.

    `tone` gives it a meaning's colour (ok, warn, bad, unknown, accent, quiet); without one it
    takes the next of five neutral colours. `whole` is the figure of the whole range, which the key
    then gives instead of the newest value.
    """

    label: str
    values: Sequence[float | None]
    tone: str = ""
    whole: float | None = None

    @property
    def last(self) -> float | None:
        return next((value for value in reversed(self.values) if value is not None), None)


def chart_id(*texts: str) -> str:
    """For title and description: the same chart has the same id, so that pages compare equal."""
    joined = "\0".join(texts)
    return f"chart-{crc32(joined.encode()):08x}"


def ink(series: Series, position: int) -> str:
    return f"ink-{series.tone}" if series.tone in TONES else f"ink-{position % MOST_SERIES + 1}"


def at_percent(place: float) -> str:
    return f"{place * 100:.2f}%"


def figure_element(
    title: str,
    body: SafeString,
    *,
    kind: str,
    key: SafeString | str = "",
    twin: SafeString | str,
    note: str = "",
) -> SafeString:
    return format_html(
        '<figure class="chart chart-{}"><figcaption>{}{}</figcaption>{}{}{}</figure>',
        kind,
        title,
        format_html(" <small>{}</small>", note) if note else "",
        key,
        body,
        twin,
    )


def svg(title: str, summary: str, height: int, content: SafeString, extra: str = "") -> SafeString:
    name = chart_id(title, summary)
    return format_html(
        '<svg class="chart-svg {}" role="img" aria-labelledby="{}-t {}-d" width="100%" height="{}">'
        '<title id="{}-t">{}</title><desc id="{}-d">{}</desc>{}</svg>',
        extra,
        name,
        name,
        height,
        name,
        title,
        name,
        summary,
        content,
    )


def key(series: Sequence[Series], unit: str) -> SafeString | str:
    """The lines by name with their newest figure, or that of the whole range.

    A single line needs no key, unless it has something to say of the whole.
    """
    if len(series) < 2 and all(one.whole is None for one in series):
        return ""
    return format_html(
        '<ul class="chart-key">{}</ul>',
        format_html_join(
            "",
            '<li><span class="swatch {}"></span>{} <b>{}</b></li>',
            (
                (ink(one, i), one.label, figure(one.last if one.whole is None else one.whole, unit))
                for i, one in enumerate(series)
            ),
        ),
    )


def gridlines(axis: Axis, plot_top: int, plot_height: int) -> SafeString:
    """Faint lines; their figures come last, on top of the plot."""
    return format_html_join(
        "",
        '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>',
        ((f"{y:.1f}",) for y, _ in _levels(axis, plot_top, plot_height)),
    )


def level_labels(axis: Axis, unit: str, plot_top: int, plot_height: int) -> SafeString:
    """At the left edge, inside the plot and above their line."""
    return format_html_join(
        "",
        '<text class="axis" x="0" y="{}">{}</text>',
        (
            (f"{y - 4:.1f}", figure(level, unit))
            for y, level in _levels(axis, plot_top, plot_height)
        ),
    )


def _levels(axis: Axis, plot_top: int, plot_height: int) -> list[tuple[float, float]]:
    return [(plot_top + plot_height * (1 - axis.place(level)), level) for level in axis.levels()]


def time_axis(ticks: Iterable[Tick], y: int, plot_top: int) -> SafeString:
    """Labels under the plot; those too near to an edge to stand whole are left out."""
    return format_html_join(
        "",
        '<line class="grid-time" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
        '<text class="axis axis-time" x="{0}" y="{3}">{4}</text>',
        (
            (at_percent(tick.place), plot_top, y - 14, y, tick.label)
            for tick in ticks
            if 0.04 < tick.place < 0.96
        ),
    )


def twin(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[tuple[Any, Sequence[Any]]],
    *,
    places: Sequence[float] | None = None,
) -> SafeString:
    """The same figures as a table. Each row's place along the axis serves the hover script."""
    # Some hundred rows: put together by hand, as format_html would be most of a page's time.
    body = []
    for i, (head, cells) in enumerate(rows):
        place = f' data-place="{places[i]:.4f}"' if places is not None else ""
        told = "".join([f"<td>{_escaped(cell)}</td>" for cell in cells])
        body.append(f'<tr{place}><th scope="row">{_escaped(head)}</th>{told}</tr>')
    return format_html(
        '<details class="chart-data"><summary>Figures as a table</summary>'
        '<div class="table-scroll"><table class="table table-figures">'
        '<caption class="visually-hidden">{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>",
        caption,
        format_html_join("", '<th scope="col">{}</th>', ((head,) for head in heads)),
        mark_safe("".join(body)),  # noqa: S308 - every cell is escaped
    )


def _escaped(value: Any) -> str:
    """As conditional_escape, which is slow on thousands of cells."""
    if type(value) is str:
        return escape(value)
    return str(conditional_escape(value))


def no_data(title: str, kind: str, reason: str = "No data in this period.") -> SafeString:
    return format_html(
        '<figure class="chart chart-{} is-empty"><figcaption>{}</figcaption>'
        '<p class="chart-empty">{}</p></figure>',
        kind,
        title,
        reason,
    )


def spoken(series: Sequence[Series], unit: str) -> str:
    """One sentence a line for those who cannot see it."""
    return " ".join(_spoken(one, unit) for one in series)


def _spoken(series: Series, unit: str) -> str:
    known = [value for value in series.values if value is not None]
    if not known:
        return f"{series.label}: no data."
    missing = len(series.values) - len(known)
    gap = f", {missing} of {len(series.values)} points without data" if missing else ""
    return (
        f"{series.label}: from {figure(min(known), unit)} to {figure(max(known), unit)}, "
        f"last {figure(series.last, unit) if series.last is not None else NOTHING}{gap}."
    )
