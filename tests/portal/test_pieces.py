from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, RequestFactory

from portal import figures, moments
from portal.access.models import User
from portal.charts.sparkline import sparkline
from portal.listing import Chip
from portal.pieces import Column, Pager, Row, Step, Table
from portal.style_guide import context as style_guide
from portal.templatetags import pieces

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
NBSP = "\u00a0"


def render(source: str, **context: Any) -> str:
    context["request"] = RequestFactory().get("/admin/?range=7d&status=open")
    return Template("{% load pieces timetags charts %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "\u2013"),
        (float("nan"), "", "\u2013"),
        (0, "", "0"),
        (1234567, "", "1,234,567"),
        (12.34, "", "12.3"),
        (0.123, "", "0.12"),
        (1830, "ms", "1,830 ms"),
        (0.5, "%", "50 %"),
        (1, "%", "100 %"),
        (0.99999, "%", "99.9 %"),
        (0.00001, "%", "< 0.1 %"),
        (0, "%", "0 %"),
        (1536, "bytes", "1.5 KiB"),
        (75, "s", "1 min 15 s"),
    ],
)
def test_figures_carry_their_unit(value: float | None, unit: str, text: str) -> None:
    assert figures.figure(value, unit).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (2.44, "2.4 s"),
        (59.6, "1 min"),
        (3600, "1 h"),
        (11_405, "3 h 10 min"),
        (188_000, "2 d 4 h"),
        (-75, "\u22121 min 15 s"),
    ],
)
def test_durations_are_told_in_two_units(seconds: float, text: str) -> None:
    assert figures.duration(seconds).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=42), "42 s ago"),
        (timedelta(minutes=5, seconds=40), "5 min ago"),
        (timedelta(hours=3, minutes=59), "3 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=9), "20 Feb"),
        (timedelta(days=400), "25 Jan 2025"),
        (timedelta(hours=-2), "in 2 h"),
    ],
)
def test_moments_are_told_from_now(before: timedelta, text: str) -> None:
    assert moments.relative(NOW - before, NOW).replace(NBSP, " ") == text


def test_a_small_whole_is_told_as_a_count() -> None:
    assert figures.share(5, 212) == "5 of 212"
    assert figures.share(24, 1000).replace(NBSP, " ") == "2.4 %"
    assert figures.share(0, 0) == "\u2013"


def test_a_tile_links_to_its_rows_and_compares() -> None:
    tile = render('{% tile "Joins" 90 before=100 better="up" href="/rows/" %}')

    assert 'href="/rows/"' in tile
    assert "10\u00a0% (was 100)" in tile
    assert "tone-bad" in tile


def test_a_stale_tile_says_why_and_shows_no_verdict() -> None:
    tile = render('{% tile "Loss" 0.2 "%" state="ok" stale="The poller waits." %}')

    assert "is-stale" in tile
    assert "The poller waits." in tile
    assert "tile-unknown" in tile
    assert "tile-ok" not in tile


@pytest.mark.parametrize("before", [None, 0, 90, 100])
def test_a_tile_bears_any_figure_before(before: float | None) -> None:
    assert "100" in render('{% tile "Joins" 100 before=before %}', before=before)


def test_an_unknown_state_is_grey_and_never_green() -> None:
    assert "state-unknown" in pieces.state("splendid")
    assert "state-ok" not in pieces.severity("no such level")


def test_an_id_is_shortened_in_the_middle_and_copied_whole() -> None:
    name = "5f0ac2f1-4b1a-4b1e-9f57-8d5f2ad90706"

    shown = pieces.identifier(name)

    assert f'data-copy="{name}"' in shown
    assert ">5f0ac2f1-4\u2026d90706<" in shown
    assert pieces.identifier(None) == pieces.identifier("") == "\u2013"


def test_a_table_shows_each_kind_of_value_and_labels_it_for_small_screens() -> None:
    columns = [
        Column("Meeting"),
        Column("Attendees", "number"),
        Column("Lasted", "duration"),
        Column("State", "state"),
        Column("At", "time"),
        Column("Id", "id"),
    ]
    rows = [
        Row([HOSTILE, 12_345, 75, ("bad", "Failed"), NOW, "m-1"], "/rows/1/", "bad"),
        Row(["Empty", None, None, None, None, None]),
    ]

    shown = render("{% table table %}", table=Table("Meetings", columns, rows))

    assert "12,345" in shown
    assert 'data-label="Attendees"' in shown
    assert 'class="row-bad"' in shown
    assert "<script>" not in shown
    assert shown.count("\u2013") == 5


def test_every_piece_keeps_hostile_text_as_text() -> None:
    shown = render(
        "{% tile text text note=text stale=text href=text %}{% chips chips text %}"
        "{% state_line steps text %}{% empty text text curl=text url=text button=text %}"
        "{% pager pager %}{% identifier text %}{% state text text %}{% severity text %}"
        "{% explain text %}{{ text }}{% endexplain %}{% query status=text %}{% icon text text %}",
        text=HOSTILE,
        chips=[Chip(HOSTILE, HOSTILE, HOSTILE)] * 2,
        steps=[Step(HOSTILE, NOW, "now")],
        pager=Pager(1, 2, older_url=HOSTILE, noun=HOSTILE),
    )

    assert "<script>" not in shown


def test_the_query_string_is_changed_in_place() -> None:
    assert render("{% query status=None page=2 %}") == "?range=7d&amp;page=2"


def test_a_pager_tells_a_capped_count() -> None:
    shown = render("{% pager pager %}", pager=Pager(50, 10_000, capped=True, older_url="?a"))

    assert "10,000+" in shown
    assert 'rel="next"' in shown
    assert 'rel="prev"' not in shown


def test_a_step_is_told_by_word_too() -> None:
    shown = render("{% state_line steps %}", steps=[Step("Upload", NOW, "failed")])

    assert ": failed</span>" in shown


@pytest.mark.django_db
def test_the_style_guide_shows_every_piece(client: Client, staff: User) -> None:
    template = "{% include 'admin/style_guide.html' %}"

    shown = render(template, has_permission=False, **style_guide(NOW))

    assert shown.count("<figure") >= 9
    assert "tile-bad" in shown


def test_a_sparkline_speaks() -> None:
    assert 'aria-label="Joins over time"' in sparkline([1, 2], label="Joins over time")
