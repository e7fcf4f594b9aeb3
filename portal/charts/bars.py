"""A ranked list whose rows are bars, and links to what they count."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.charts import frame
from portal.figures import figure


@dataclass(frozen=True, slots=True)
class Bar:
    """`note` stands small beside the label: the raw name, the share of failures.

    `bad_share`, 0 to 1, is drawn as a red part of the bar, as narrow as can still be seen.
    """

    label: str
    value: float
    url: str = ""
    note: str = ""
    tone: str = ""
    bad_share: float = 0


def bars(
    title: str, rows: Sequence[Bar], *, unit: str = "", total: float | None = None
) -> SafeString:
    """Longest first as given. `total` makes the bars shares of it instead of the largest."""
    if not rows:
        return frame.no_data(title, "bars")
    whole = total or max(row.value for row in rows) or 1
    return format_html(
        '<figure class="chart chart-bars"><figcaption>{}</figcaption><ol class="bars">{}</ol>'
        "</figure>",
        title,
        format_html_join("", "<li>{}</li>", ((_bar(row, whole, unit),) for row in rows)),
    )


def _bar(row: Bar, whole: float, unit: str) -> SafeString:
    """The list itself is readable text, so it needs no table twin."""
    share = min(1.0, max(0.0, row.value / whole))
    content = format_html(
        '<span class="bar-label"><bdi>{}</bdi>{}</span><span class="bar-figure">{}</span>'
        '<svg class="bar-line" width="100%" height="6" aria-hidden="true">'
        '<rect class="bar-rail" width="100%" height="6" rx="3"/>'
        '<rect class="fill ink-{}" width="{}" height="6" rx="3"/>{}</svg>',
        row.label,
        format_html(" <small>{}</small>", row.note) if row.note else "",
        figure(row.value, unit),
        row.tone if row.tone in frame.TONES else "accent",
        frame.at_percent(share),
        _bad_part(share * min(1.0, row.bad_share)) if row.bad_share > 0 else "",
    )
    if row.url:
        return format_html('<a class="bar" href="{}">{}</a>', row.url, content)
    return format_html('<span class="bar">{}</span>', content)


def _bad_part(share: float) -> SafeString:
    """At the bar's start, where parts of several bars compare; the second makes it two pixels."""
    return format_html(
        '<rect class="fill ink-bad" width="{}" height="6"/>'
        '<rect class="fill ink-bad" width="2" height="6"/>',
        frame.at_percent(share),
    )
