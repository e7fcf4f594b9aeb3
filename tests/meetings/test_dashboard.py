"""The figures of the dashboard, and that each leads to exactly the rows it counts."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from meetings import dashboard
from meetings.dashboard import ClientChoice, figures
from meetings.models import Meeting
from meetings.pages.tiles import tiles
from portal.inbox.models import Delivery, compress, digest_of
from portal.timerange import TimeRange
from tests.meetings.factories import (
    FIREFOX,
    IPHONE,
    joined,
    minutes_ago,
    post,
    shut_out,
    stayed,
    thrown_out,
    told,
)

pytestmark = pytest.mark.django_db

EVERYONE = ClientChoice()


def last_day() -> TimeRange:
    return TimeRange.preset("24h")


def rows_behind(api: APIClient, url: str) -> int:
    """How many rows the list at that URL has, as its pager says."""
    response = api.get(url)
    assert response.status_code == 200
    counted = re.search(r'pager-count">\s*\d+ of ([\d,]+)', response.content.decode())
    return int(counted[1]) if counted else 0


def tile(label: str, clients: ClientChoice = EVERYONE) -> dict[str, object]:
    board = dashboard.read(last_day(), clients)
    [found] = [one for one in tiles(board) if one.label == label]
    return {"value": found.value, "href": found.href, "state": found.state, "stale": found.stale}


def test_join_success_is_the_share_of_decided_attempts_that_got_in() -> None:
    post(stayed(minutes_ago(60), attendee="a-1"))
    post(stayed(minutes_ago(60), attendee="a-2"))
    post(joined(minutes_ago(30), attendee="a-3"))
    post(shut_out(minutes_ago(30), attendee="a-4"))
    post([told("meetingStartRequested", minutes_ago(20), attendee="a-5")])

    board = dashboard.read(last_day(), EVERYONE)

    assert board.now.requested.times == 5
    assert board.now.decided == 4
    assert board.now.join_success == 0.75
    assert board.now.shut_out == 1


def test_attempts_are_counted_each_and_people_once() -> None:
    post(shut_out(minutes_ago(60)) + shut_out(minutes_ago(50)) + shut_out(minutes_ago(40)))
    post(thrown_out(minutes_ago(50), attendee="b") + thrown_out(minutes_ago(30), attendee="b"))

    now = dashboard.read(last_day(), EVERYONE).now

    assert now.failed.times == 3
    assert now.shut_out == 1
    assert (now.dropped.times, now.dropped.people) == (2, 1)


def test_who_got_in_at_last_was_not_shut_out() -> None:
    post(shut_out(minutes_ago(60)) + stayed(minutes_ago(50)))

    now = dashboard.read(last_day(), EVERYONE).now

    assert now.failed.times == 1
    assert now.shut_out == 0


def test_bots_never_count() -> None:
    post(thrown_out(minutes_ago(60), person="aws:MediaPipeline-1"))
    post(shut_out(minutes_ago(60), attendee="a-2", person="aws:MediaPipeline-2"))

    board = dashboard.read(last_day(), EVERYONE)

    assert board.now.is_empty
    assert board.now.shut_out == 0
    assert board.drops == []
    assert board.join_failures == []


def test_percentiles_are_of_joins_that_told_a_duration() -> None:
    for number, milliseconds in enumerate([100, 200, 300, 400, 500]):
        post(joined(minutes_ago(60), attendee=f"a-{number}", start_ms=milliseconds))
    post(joined(minutes_ago(60), attendee="zero", start_ms=0))

    now = dashboard.read(last_day(), EVERYONE).now

    assert now.start_p50_ms == pytest.approx(300, rel=0.01)
    assert now.start_p95_ms == pytest.approx(480, rel=0.01)


def test_the_period_before_has_its_own_totals() -> None:
    long_ago = timezone.now() - timedelta(hours=30)
    post(thrown_out(long_ago), received_at=long_ago + timedelta(minutes=5))
    post(stayed(minutes_ago(60), attendee="a-2"))

    board = dashboard.read(last_day(), EVERYONE)

    assert board.before.dropped.times == 1
    assert board.before.join_success == 1
    assert board.now.dropped.times == 0


@pytest.mark.parametrize(
    ("hours_ago", "attempts", "is_compared"),
    [(47, 20, True), (47, 19, False), (30, 20, False)],
    ids=["a whole day", "too few attempts", "a day that began late"],
)
def test_the_period_before_is_compared_with_only_if_it_says_enough(
    hours_ago: int, attempts: int, is_compared: bool
) -> None:
    long_ago = timezone.now() - timedelta(hours=hours_ago)
    items = [one for n in range(attempts) for one in shut_out(long_ago, attendee=f"a-{n}")]
    post(items, received_at=long_ago + timedelta(minutes=5))
    post(stayed(minutes_ago(60), attendee="b-1"))

    board = dashboard.read(last_day(), EVERYONE)

    assert (board.compared is not None) is is_compared
    assert {one.before is not None for one in tiles(board)[:3]} == {is_compared}


def test_a_far_smaller_period_before_is_not_compared_with() -> None:
    long_ago = timezone.now() - timedelta(hours=47)
    before = [one for n in range(20) for one in shut_out(long_ago, attendee=f"a-{n}")]
    now = [one for n in range(101) for one in shut_out(minutes_ago(60), attendee=f"b-{n}")]
    post(before, received_at=long_ago + timedelta(minutes=5))
    post(now)

    assert dashboard.read(last_day(), EVERYONE).compared is None


def test_a_period_without_events_is_unknown_and_not_zero() -> None:
    found = tile("Dropped out")

    assert found["value"] is None
    assert found["state"] == "unknown"
    assert "No client event has ever come in" in str(found["stale"])


def test_a_stretch_without_events_is_a_gap() -> None:
    post(stayed(minutes_ago(60), minutes=1))

    trend = dashboard.read(last_day(), EVERYONE).trend

    assert len(trend.buckets) == len(trend.moments)
    assert sum(bucket is not None for bucket in trend.buckets) in {1, 2}


def test_a_drain_that_lags_is_told_on_each_tile() -> None:
    post(stayed(minutes_ago(60)))
    Delivery.objects.create(
        door="meetingevents",
        queued_at=minutes_ago(5),
        body=compress(b"[]"),
        size_bytes=2,
        digest=digest_of(b"[]"),
    )

    board = dashboard.read(last_day(), EVERYONE)

    assert board.freshness.behind >= timedelta(minutes=5)
    assert all("not counted yet" in one.stale for one in tiles(board))


@pytest.mark.parametrize(
    ("name", "step"),
    [("15m", 300), ("1h", 300), ("24h", 300), ("7d", 3600), ("30d", 3 * 3600)],
)
def test_buckets_of_durations_grow_with_the_range_and_never_fall_below_300_s(
    name: str, step: int
) -> None:
    found = dashboard.read(TimeRange.preset(name), EVERYONE).start_durations

    assert found.step == timedelta(seconds=step)
    assert len(found.moments) <= figures.MOST_POINTS + 1


def test_buckets_of_up_to_eight_hours_are_those_of_the_original() -> None:
    end = timezone.now()
    period = TimeRange.between((end - timedelta(hours=8)).isoformat(), end.isoformat())

    assert dashboard.read(period, EVERYONE).start_durations.step == timedelta(seconds=300)


def test_the_key_of_durations_is_of_the_whole_period(api: APIClient) -> None:
    for number, milliseconds in enumerate([1000, 2000, 9000]):
        post(joined(minutes_ago(60 * number + 5), attendee=f"a-{number}", start_ms=milliseconds))

    [found] = dashboard.read(last_day(), EVERYONE).start_durations.by_sdk
    page = unescape(api.get("/admin/meetings/").content.decode()).replace("\u00a0", " ")

    assert found.whole_p50_ms == pytest.approx(2000, rel=0.01)
    assert found.whole_p95_ms == pytest.approx(8300, rel=0.01)
    assert "JavaScript <b>2 s</b>" in page
    assert "JavaScript <b>8.3 s</b>" in page
    assert "per 5 min" in page


def test_durations_stand_apart_for_each_sdk() -> None:
    post(joined(minutes_ago(60), attendee="a-1", start_ms=1000))
    post(joined(minutes_ago(60), attendee="a-2", start_ms=3000, client=IPHONE))

    found = dashboard.read(last_day(), EVERYONE).start_durations

    points = {one.sdk: [value for value in one.p50_ms if value] for one in found.by_sdk}
    assert points == {
        "amazon-chime-sdk-js": [pytest.approx(1000, rel=0.01)],
        "amazon-chime-sdk-ios": [pytest.approx(3000, rel=0.01)],
    }


def test_shares_are_attempts_by_sdk_version_browser_and_system() -> None:
    post(stayed(minutes_ago(60), attendee="a-1"))
    post(stayed(minutes_ago(60), attendee="a-2"))
    post(shut_out(minutes_ago(60), attendee="a-3", client=FIREFOX))
    post(stayed(minutes_ago(60), attendee="a-4", client=IPHONE))

    shares = dashboard.read(last_day(), EVERYONE).shares

    assert [(one.name, one.requested) for one in shares.sdks] == [
        ("amazon-chime-sdk-js", 3),
        ("amazon-chime-sdk-ios", 1),
    ]
    assert [(one.name, one.version, one.failed) for one in shares.browsers] == [
        ("Chrome", "131", 0),
        ("Firefox", "133", 1),
    ]
    assert {one.name: one.requested for one in shares.systems} == {
        "Windows": 2,
        "Linux": 1,
        "iOS": 1,
    }


def test_filters_choose_clients_for_every_figure() -> None:
    post(shut_out(minutes_ago(60), attendee="a-1"))
    post(stayed(minutes_ago(60), attendee="a-2", client=FIREFOX))

    board = dashboard.read(last_day(), ClientChoice(browser="Firefox", browser_major="133"))

    assert board.now.join_success == 1
    assert board.now.shut_out == 0
    assert board.join_failures == []
    assert [one.name for one in board.shares.systems] == ["Linux"]


def test_clients_that_tell_nothing_can_be_chosen_too() -> None:
    post(stayed(minutes_ago(60), attendee="a-1", client={}))
    post(stayed(minutes_ago(60), attendee="a-2"))

    board = dashboard.read(last_day(), ClientChoice(sdk="-"))

    assert board.now.requested.times == 1


@pytest.mark.parametrize(
    "label", ["Join success", "Could not join", "Dropped out", "Microphone failed", "Camera failed"]
)
@pytest.mark.parametrize("clients", [EVERYONE, ClientChoice(browser="Firefox")])
def test_each_figure_leads_to_as_many_rows_as_it_counts(
    api: APIClient, label: str, clients: ClientChoice
) -> None:
    post(stayed(minutes_ago(60), attendee="a-1"))
    post(shut_out(minutes_ago(60), attendee="a-2", client=FIREFOX))
    post(shut_out(minutes_ago(50), attendee="a-3"))
    post(thrown_out(minutes_ago(60), attendee="a-4"))
    post(thrown_out(minutes_ago(60), attendee="a-5", client=FIREFOX))
    post(thrown_out(minutes_ago(60), attendee="bot", person="aws:MediaPipeline"))
    blocked = "NotAllowedError: Permission denied"
    post([told("audioInputFailed", minutes_ago(9), attendee="a-6", audioInputErrorMessage=blocked)])
    post([told("videoInputFailed", minutes_ago(9), attendee="a-7", client=FIREFOX)])
    board = dashboard.read(last_day(), clients)

    [found] = [one for one in tiles(board) if one.label == label]

    counted = board.now.decided if label == "Join success" else found.value
    assert rows_behind(api, found.href) == counted


def test_each_slice_and_bar_leads_to_its_attempts(api: APIClient) -> None:
    post(stayed(minutes_ago(60), attendee="a-1"))
    post(stayed(minutes_ago(60), attendee="a-2", client=FIREFOX))
    post(stayed(minutes_ago(60), attendee="a-3", client=FIREFOX))
    post(stayed(minutes_ago(60), attendee="a-4", client={}))
    page = api.get("/admin/meetings/").content.decode()

    bars = re.findall(
        r'<a class="bar" href="([^"]+)">.*?<bdi>([^<]*)</bdi>.*?bar-figure">([\d,]+)<', page, re.S
    )

    assert len(bars) >= 6
    for url, label, count in bars:
        assert rows_behind(api, unescape(url)) == int(count), label


def test_device_failures_stand_by_browser_with_the_people_they_hit(api: APIClient) -> None:
    for attendee in ("a-1", "a-1", "a-2"):
        post([told("audioInputFailed", minutes_ago(9), attendee=attendee)])
        post([told("videoInputFailed", minutes_ago(8), attendee=attendee)])
    post([told("videoInputFailed", minutes_ago(9), attendee="a-3", client=FIREFOX)])
    post([told("videoInputFailed", minutes_ago(9), attendee="a-4", client=IPHONE)])

    found = dashboard.read(last_day(), EVERYONE).device_trouble
    page = api.get("/admin/meetings/").content.decode()

    assert [(one.browser, one.major, one.people) for one in found] == [
        ("Chrome", "131", 2),
        ("Firefox", "133", 1),
    ]
    part = page[page.index("failures by browser</figcaption>") :]
    [url] = re.findall(r'<a class="bar" href="([^"]+Firefox[^"]+)"', part)
    assert rows_behind(api, unescape(url)) == 1


def test_a_bar_shows_the_share_that_failed_and_a_sign_where_it_stands_out(api: APIClient) -> None:
    for number in range(20):
        post(stayed(minutes_ago(60), attendee=f"a-{number}"))
    for number in range(3):
        post(shut_out(minutes_ago(60), attendee=f"b-{number}", client=FIREFOX))
    post(shut_out(minutes_ago(60), attendee="c"))

    page = api.get("/admin/meetings/").content.decode()

    assert "▲ 3 of 3 could not join" in page
    assert "▲ 1 of 21 could not join" not in page
    assert "1 of 21 could not join" in page


def test_live_meetings_are_those_with_somebody_heard_of_within_a_day(api: APIClient) -> None:
    post(joined(minutes_ago(10), meeting="now", attendee="a-1"))
    post(stayed(minutes_ago(60), meeting="over", attendee="a-2"))
    Meeting.objects.create(
        external_id="silent", present_count=1, last_event_at=timezone.now() - timedelta(hours=25)
    )

    live = dashboard.read(last_day(), EVERYONE).live

    assert (live.meetings, live.people) == (1, 1)
    assert "now" in api.get(str(tile("Meetings now")["href"])).content.decode()


def test_the_dashboard_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        post(stayed(minutes_ago(60), meeting=f"m-{number}", attendee=f"a-{number}"))
        post(shut_out(minutes_ago(60), meeting=f"m-{number}", attendee=f"b-{number}"))

    with django_assert_num_queries(9):
        dashboard.read(last_day(), EVERYONE)


def test_the_page_takes_few_queries_whatever_there_is(
    api: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        post(shut_out(minutes_ago(60), meeting=f"m-{number}", attendee=f"b-{number}"))
    api.get("/admin/meetings/")

    with django_assert_max_num_queries(29):
        response = api.get("/admin/meetings/")

    assert response.status_code == 200


def test_every_widget_of_the_original_is_there(api: APIClient) -> None:
    post(stayed(minutes_ago(60)))

    page = api.get("/admin/meetings/").content.decode()

    for title in (
        "SDK platforms",
        "SDK versions",
        "Top 10 browsers (JavaScript)",
        "Top 10 operating systems",
        "Meeting start duration, p50",
        "Meeting start duration, p95",
        "Meeting join failures",
        "Dropped attendees",
        "Audio and video input failures",
    ):
        assert title in page


def test_reasons_of_phones_are_told_in_plain_words(api: APIClient) -> None:
    failure = told(
        "audioInputFailed", minutes_ago(5), client=IPHONE, audioInputError="audioPermissionError"
    )
    post([failure])

    page = api.get("/admin/meetings/").content.decode()

    assert "Microphone blocked by the browser or system" in page
    assert "audioPermissionError" in page


def test_before_the_first_event_the_page_says_how_to_send_one(api: APIClient) -> None:
    page = api.get("/admin/meetings/").content.decode()

    assert "No client event has come in yet" in page
    assert "curl -d" in page


def test_the_overview_shows_the_first_figures_and_meetings_in_trouble(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    post(joined(minutes_ago(10), meeting="m-1", attendee="a-1", externalMeetingId="standup"))
    post(shut_out(minutes_ago(10), meeting="m-1", attendee="a-2", externalMeetingId="standup"))

    page = api.get("/admin/").content.decode()

    assert "Join success" in page
    assert "standup" in page
    with django_assert_num_queries(10):
        dashboard.overview(last_day())


def test_after_a_single_first_event_the_overview_says_what_was_heard_of(api: APIClient) -> None:
    post([told("meetingStartRequested", minutes_ago(1))])

    page = api.get("/admin/").content.decode()

    assert ">1 meeting</a>" in page
    assert ">1 attendee</a>" in page
