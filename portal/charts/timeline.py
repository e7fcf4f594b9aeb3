"""Lanes over one shared ruler: who was there when, and what happened to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal import moments as words
from portal.charts import frame
from portal.charts.scale import Ruler, Tick
from portal.figures import duration, figure

Shape = Literal["dot", "ring", "triangle", "square", "diamond", "cross", "flag"]

# Around the origin, some 10 px across.
SHAPES: dict[str, str] = {
    "dot": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "ring": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z"
    "M-2.2 0a2.2 2.2 0 1 1 4.4 0a2.2 2.2 0 1 1-4.4 0z",
    "triangle": "M0-5.5L5.5 4.5H-5.5z",
    "square": "M-4.5-4.5h9v9h-9z",
    "diamond": "M0-6L6 0L0 6L-6 0z",
    "cross": "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0z",
    "flag": "M-1-7H7L4.5-4L7-1H1V7H-1z",
}
_WORST = ("bad", "warn", "unknown", "accent", "ok", "quiet", "")
_TOGETHER = 0.011  # marks nearer than this share of the width are drawn as one
_TOLD = 8  # marks named one by one where several share a place
_MOST_ROWS = 1000  # of the table beneath
_LANE = 30


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at one moment. `kind` is its plain name, `detail` what the hover adds."""

    at: datetime
    kind: str
    tone: str = "accent"
    shape: Shape = "dot"
    detail: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasts: presence, a recording, a quality band.

    `end` None: still going. `gap` draws an absence with its reason (`label`).
    """

    start: datetime
    end: datetime | None
    label: str = ""
    tone: str = "accent"
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Density:
    """How much in each bucket, drawn as small columns; None is no data."""

    moments: Sequence[datetime]
    values: Sequence[float | None]
    unit: str = ""
    tone: str = "quiet"


@dataclass(frozen=True, slots=True)
class Lane:
    """One row. `note` stands small under the label; `tone` marks it at the left."""

    label: str
    spans: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    density: Density | None = None
    note: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Marks which stand so near to each other that they share a place."""

    place: float
    marks: list[Mark] = field(default_factory=list)


def timeline(
    title: str, start: datetime, end: datetime, lanes: Sequence[Lane], *, into: str = ""
) -> SafeString:
    """Lanes in the order given. Marks are links where they have a URL.

    `into` is the id of the element that shows a mark's page beside the timeline (beside.js).
    """
    if not lanes or end <= start:
        return frame.no_data(title, "timeline", "Nothing has happened in this period.")
    ruler = Ruler(start, end)
    ticks = ruler.ticks(8)
    return format_html(
        '<figure class="chart chart-timeline" data-start="{}" data-end="{}" data-zone="{}"{}>'
        '<figcaption>{}</figcaption><div class="lanes">{}{}{}</div>{}</figure>',
        start.isoformat(),
        end.isoformat(),
        timezone.get_current_timezone_name(),
        format_html(' data-into="{}"', into) if into else "",
        title,
        _grid(ticks),
        _ruler(ticks),
        format_html_join("", "{}", ((_lane(lane, ruler),) for lane in lanes)),
        _twin(title, lanes),
    )


def _grid(ticks: Iterable[Tick]) -> SafeString:
    return format_html(
        '<svg class="lanes-grid" aria-hidden="true" width="100%" height="100%">{}</svg>',
        format_html_join(
            "",
            '<line class="grid" x1="{0}" x2="{0}" y1="0" y2="100%"/>',
            ((frame.at_percent(tick.place),) for tick in ticks),
        ),
    )


def _ruler(ticks: Iterable[Tick]) -> SafeString:
    return format_html(
        '<div class="lane lane-ruler"><span class="lane-label"></span>'
        '<svg class="lane-plot" width="100%" height="22" aria-hidden="true">{}</svg></div>',
        format_html_join(
            "",
            '<text class="axis axis-time" x="{}" y="14">{}</text>',
            (
                (frame.at_percent(tick.place), tick.label)
                for tick in ticks
                if 0.03 < tick.place < 0.97
            ),
        ),
    )


def _lane(lane: Lane, ruler: Ruler) -> SafeString:
    label = format_html('<span class="lane-name" dir="auto">{}</span>', lane.label)
    if lane.url:
        label = format_html(
            '<a class="lane-name" dir="auto" href="{}">{}</a>', lane.url, lane.label
        )
    return format_html(
        '<div class="lane{}"><span class="lane-label">{}{}</span>'
        '<svg class="lane-plot" role="group" aria-label="{}" width="100%" height="{}">{}{}{}</svg>'
        "</div>",
        f" lane-{lane.tone}" if lane.tone else "",
        label,
        format_html("<small>{}</small>", lane.note) if lane.note else "",
        f"{lane.label}: {len(lane.marks)} events",
        _LANE,
        _density(lane.density, ruler) if lane.density else "",
        format_html_join("", "{}", ((_span(span, ruler),) for span in lane.spans)),
        _marks(lane.marks, ruler),
    )


def _span(span: Span, ruler: Ruler) -> SafeString:
    first, last = ruler.place(span.start), ruler.place(span.end or ruler.end)
    lasted = duration((span.end or ruler.end) - span.start)
    return format_html(
        '<rect class="span {} {}" x="{}" width="{}" y="{}" height="{}" rx="2">'
        "<title>{}</title></rect>",
        f"ink-{span.tone}",
        "span-gap" if span.gap else "span-open" if span.end is None else "",
        frame.at_percent(first),
        frame.at_percent(max(last - first, 0.001)),
        _LANE // 2 - 1 if span.gap else _LANE // 2 - 5,
        2 if span.gap else 10,
        f"{span.label}: {lasted}" if span.label else lasted,
    )


def _density(density: Density, ruler: Ruler) -> SafeString:
    highest = max((value for value in density.values if value is not None), default=0) or 1
    places = [ruler.place(moment) for moment in density.moments]
    width = (places[1] - places[0]) if len(places) > 1 else 0.01
    tall = _LANE - 8
    return format_html_join(
        "",
        '<rect class="fill ink-{}" x="{}" width="{}" y="{}" height="{}"><title>{}</title></rect>',
        (
            (
                density.tone,
                frame.at_percent(place),
                frame.at_percent(width * 0.9),
                f"{_LANE - 4 - value / highest * tall:.1f}",
                f"{value / highest * tall:.1f}",
                f"{words.clock(moment)}: {figure(value, density.unit)}",
            )
            for place, moment, value in zip(places, density.moments, density.values, strict=True)
            if value
        ),
    )


def _marks(marks: Sequence[Mark], ruler: Ruler) -> SafeString:
    drawn = gather(sorted(marks, key=lambda mark: mark.at), ruler)
    return format_html_join("", "{}", ((_mark(one, first=i == 0),) for i, one in enumerate(drawn)))


def gather(marks: Sequence[Mark], ruler: Ruler) -> list[_Drawn]:
    """Marks in order of time, those that would cover each other together."""
    drawn: list[_Drawn] = []
    for mark in marks:
        if not ruler.holds(mark.at):
            continue
        place = ruler.place(mark.at)
        if drawn and place - drawn[-1].place < _TOGETHER:
            drawn[-1].marks.append(mark)
        else:
            drawn.append(_Drawn(place, [mark]))
    return drawn


def _mark(drawn: _Drawn, *, first: bool) -> SafeString:
    """The worst of the marks gives shape, colour and link; the title tells them all.

    One stop of the tab key a lane: the arrow keys step on from there (chart-hover.js).
    """
    worst = min(drawn.marks, key=_badness)
    shape = format_html(
        '<svg x="{}" y="{}" class="mark-at"><path class="event ink-{}" d="{}"/>{}</svg>',
        frame.at_percent(drawn.place),
        _LANE // 2,
        worst.tone,
        SHAPES[worst.shape],
        format_html('<text class="event-count" x="0" y="-7">{}</text>', len(drawn.marks))
        if len(drawn.marks) > 1
        else "",
    )
    told = [_told(mark) for mark in drawn.marks[:_TOLD]]
    if len(drawn.marks) > _TOLD:
        told.append(f"and {len(drawn.marks) - _TOLD} more")
    label = " · ".join(told)
    tab = "0" if first else "-1"
    if worst.url:
        return format_html(
            '<a class="event-link" href="{}" tabindex="{}"><title>{}</title>{}</a>',
            worst.url,
            tab,
            label,
            shape,
        )
    return format_html(
        '<g class="event-link" tabindex="{}" role="img"><title>{}</title>{}</g>',
        tab,
        label,
        shape,
    )


def _badness(mark: Mark) -> int:
    return _WORST.index(mark.tone) if mark.tone in _WORST else len(_WORST)


def _told(mark: Mark) -> str:
    detail = f" ({mark.detail})" if mark.detail else ""
    return f"{words.clock(mark.at)} {mark.kind}{detail}"


def _twin(title: str, lanes: Sequence[Lane]) -> SafeString:
    rows: list[tuple[datetime, str, SafeString | str, str]] = []
    for lane in lanes:
        for mark in lane.marks:
            what = (
                format_html('<a href="{}">{}</a>', mark.url, mark.kind) if mark.url else mark.kind
            )
            rows.append((mark.at, lane.label, what, mark.detail))
        for span in lane.spans:
            lasted = duration(span.end - span.start) if span.end else "still going"
            rows.append((span.start, lane.label, span.label or "Present", lasted))
    rows.sort(key=lambda row: row[0])
    caption = title
    if len(rows) > _MOST_ROWS:
        caption = f"{title}: the first {_MOST_ROWS:,} of {len(rows):,} entries"
    return frame.twin(
        caption,
        ["Time", "Who", "What", "Detail"],
        ((words.absolute(moment), rest) for moment, *rest in rows[:_MOST_ROWS]),
    )
