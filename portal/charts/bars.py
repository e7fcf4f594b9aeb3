"""A ranked list whose rows are bars, and links to what they count."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.charts import frame
from portal.figures import figure


@dataclass(frozen=True, slots=True)
class Bar:
    """`note` stands small beside the label: the raw name, the share of failures."""

    label: str
    value: float
    url: str = ""
    note: str = ""
    tone: str = ""


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
        '<rect class="fill ink-{}" width="{}" height="6" rx="3"/></svg>',
        row.label,
        format_html(" <small>{}</small>", row.note) if row.note else "",
        figure(row.value, unit),
        row.tone if row.tone in frame.TONES else "accent",
        frame.at_percent(share),
    )
    if row.url:
        return format_html('<a class="bar" href="{}">{}</a>', row.url, content)
    return format_html('<span class="bar">{}</span>', content)
