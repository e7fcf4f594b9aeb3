import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from portal.charts.bars import Bar, bars
from portal.charts.columns import columns
from portal.charts.frame import Series
from portal.charts.line import line
from portal.charts.pie import Slice, pie
from portal.charts.scale import Ruler, round_top
from portal.charts.sparkline import sparkline, through
from portal.charts.timeline import Density, Lane, Mark, Span, timeline

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
MOMENTS = [START + STEP * i for i in range(6)]
HOSTILE = "<script>alert(1)</script>\"'&"


class Tags(HTMLParser):
    """The elements a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def all_charts(text: str) -> list[str]:
    """One of each kind, with `text` in every place that takes text."""
    series = [Series(text, [1, None, 3, 4, 5, 6]), Series("Other", [0, 0, 0, 0, 0, 0])]
    lane = Lane(
        text,
        [Span(START, None, text), Span(START, MOMENTS[1], text, gap=True)],
        [Mark(MOMENTS[2], text, detail=text, url=f"?{text}"), Mark(MOMENTS[4], text)],
        Density(MOMENTS, [1, 2, None, 4, 5, 6], text),
        note=text,
        url=f"?{text}",
    )
    return [
        line(text, MOMENTS, series, unit=text, target=2),
        columns(text, MOMENTS, series, step=STEP, unit=text),
        bars(text, [Bar(text, 3, f"?{text}", text), Bar(text, 1)], unit=text),
        pie(text, [Slice(text, 3, f"?{text}"), Slice("Other", 1)], unit=text),
        sparkline([1, 2, 3], label=text),
        timeline(text, START, MOMENTS[-1], [lane], into=text),
    ]


@pytest.mark.parametrize("chart", all_charts(HOSTILE))
def test_hostile_text_stays_text(chart: str) -> None:
    tags = Tags()
    tags.feed(chart)

    assert "script" not in tags.seen
    assert tags.seen


@pytest.mark.parametrize("chart", all_charts("Joined"))
def test_charts_are_well_formed_and_carry_nothing_inline(chart: str) -> None:
    ET.fromstring(f"<div>{chart}</div>")  # noqa: S314 - our own markup

    assert not re.search(r"\sstyle=|\son\w+=|<script", chart)


@pytest.mark.parametrize("chart", all_charts("Joined"))
def test_charts_speak_for_themselves(chart: str) -> None:
    assert "<title" in chart or "aria-label" in chart or "<ol" in chart


def test_a_gap_breaks_the_line_and_stands_as_no_data_in_the_table() -> None:
    chart = line("Attendees", MOMENTS, [Series("Joined", [1, 2, None, 4, None, 6])])

    (path,) = re.findall(r'class="stroke [^"]*" d="([^"]+)"', chart)
    assert path.count("M") == 3
    assert path.count("h0") == 2  # a point alone between gaps is still seen
    assert chart.count("<td>\u2013</td>") == 2


def test_the_value_axis_starts_at_zero() -> None:
    chart = line("Attendees", MOMENTS, [Series("Joined", [90, 91, 92, 93, 94, 95])])

    assert re.findall(r'class="axis" x="0" y="[^"]+">([^<]+)<', chart) == ["0", "50", "100"]


@pytest.mark.parametrize(
    "chart",
    [
        line("Empty", [], []),
        line("Empty", MOMENTS, [Series("Nothing", [None] * 6)]),
        columns("Empty", [], [], step=STEP),
        columns("Empty", MOMENTS, [Series("Nothing", [None] * 6)], step=STEP),
        bars("Empty", []),
        pie("Empty", []),
        pie("Empty", [Slice("None", 0)]),
        timeline("Empty", START, START, [Lane("Ada")]),
        timeline("Empty", START, MOMENTS[-1], []),
    ],
)
def test_without_data_a_chart_says_so(chart: str) -> None:
    assert "is-empty" in chart
    assert "<svg" not in chart


def test_zero_is_drawn_and_is_not_the_same_as_no_data() -> None:
    chart = columns("Joins", MOMENTS, [Series("Joins", [0, 0, None, 0, 0, 0])], step=STEP)

    assert chart.count('class="gap"') == 1
    assert chart.count("<td>0</td>") == 5


def test_only_five_series_are_drawn() -> None:
    chart = line("Many", MOMENTS, [Series(f"S{i}", [1] * 6) for i in range(9)])

    assert chart.count('class="stroke') == 5


def test_a_pie_gathers_what_is_small() -> None:
    chart = pie("Browsers", [Slice(f"B{i}", 10 - i) for i in range(9)])

    assert "Other (4)" in chart


def test_bars_are_shares_of_the_largest_or_of_the_total() -> None:
    rows = [Bar("A", 50, "?a"), Bar("B", 25)]

    assert 'width="50.00%"' in bars("Reasons", rows)
    assert 'width="25.00%"' in bars("Reasons", rows, total=100)
    assert 'href="?a"' in bars("Reasons", rows)


def test_the_failed_share_of_a_bar_is_red_and_never_too_narrow_to_see() -> None:
    chart = bars("Browsers", [Bar("A", 100, bad_share=0.25), Bar("B", 50, bad_share=0.001)])

    assert 'ink-bad" width="25.00%"' in chart
    assert 'ink-bad" width="0.05%"' in chart
    assert chart.count('ink-bad" width="2"') == 2
    assert "ink-bad" not in bars("Browsers", [Bar("A", 100)])


def test_only_gaps_longer_than_the_bridge_break_a_line() -> None:
    values = [1, None, None, 1, None, 1]

    def breaks(bridge: int) -> int:
        return line("Time", MOMENTS, [Series("p50", values)], bridge=bridge).count("h0")

    assert (breaks(0), breaks(1), breaks(2)) == (3, 1, 0)


def test_the_key_gives_the_figure_of_the_whole_where_there_is_one() -> None:
    chart = line("Time", MOMENTS, [Series("p50", [1, 2, 3, 4, 5, 6], whole=3.5)], note="per hour")

    assert "p50 <b>3.5</b>" in chart
    assert "Time <small>per hour</small>" in chart


def test_a_sparkline_needs_two_values() -> None:
    assert sparkline([None, 3, None]) == ""
    assert through([(0, 1), (1, None), (2, 3), (3, 4)]) == "M0.0 1.0h0M2.0 3.0L3.0 4.0"


def test_marks_that_would_cover_each_other_are_drawn_as_one_and_the_worst_is_seen() -> None:
    marks = [Mark(START + timedelta(seconds=i), "Weak signal", "warn") for i in range(3)]
    marks.append(Mark(START + timedelta(seconds=3), "Dropped", "bad", "cross", url="?dropped"))

    chart = timeline("Who", START, START + timedelta(hours=1), [Lane("Ada", marks=marks)])

    assert chart.count('class="event ') == 1
    assert 'class="event ink-bad"' in chart
    assert ">4</text>" in chart
    assert chart.count("Weak signal</td>") == 3  # the table keeps them apart


def test_each_lane_is_one_stop_of_the_tab_key() -> None:
    marks = [Mark(START + timedelta(minutes=10 * i), "Joined", url="?") for i in range(5)]

    chart = timeline("Who", START, START + timedelta(hours=1), [Lane("A", marks=marks)] * 3)

    assert chart.count('tabindex="0"') == 3
    assert chart.count('tabindex="-1"') == 12


def test_the_same_chart_is_the_same_text() -> None:
    assert all_charts("Joined") == all_charts("Joined")


@pytest.mark.parametrize(
    ("values", "top"), [([0], 1), ([], 1), ([7], 8), ([100], 100), ([101], 150), ([0.013], 0.015)]
)
def test_the_top_of_the_axis_is_round(values: list[float], top: float) -> None:
    assert round_top(values) == pytest.approx(top)


@pytest.mark.parametrize("hours", [1 / 60, 0.25, 1, 24, 168, 720, 9600])
@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Europe/Berlin"])
def test_ticks_are_few_and_within_the_ruler(hours: float, zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        ticks = Ruler(START, START + timedelta(hours=hours)).ticks()

    assert 1 <= len(ticks) <= 8
    assert all(0 <= tick.place <= 1 for tick in ticks)


def test_days_begin_at_the_viewers_midnight() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        ticks = Ruler(START, START + timedelta(days=3)).ticks(4)

    assert [tick.label for tick in ticks] == ["2 Mar", "3 Mar", "4 Mar"]
    assert ticks[0].place == pytest.approx(3 / 72)
