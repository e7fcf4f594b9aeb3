"""Lists and pages ask the database as often for many rows as for few, and never wait for long."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from meetings.models import Attendee, ClientEvent, Meeting
from portal import keyset, listing, patience
from portal.keyset import Bounds, page_soon
from tests.meetings.factories import (
    make_attendee,
    make_client,
    make_event,
    make_meeting,
    minutes_ago,
    post,
    thrown_out,
)
from tests.meetings.test_pages import get

pytestmark = pytest.mark.django_db

# With all that a page asks for besides its rows: the session, the person, the header's figures.
PAGES = {
    "/admin/meetings/all/": 14,
    "/admin/meetings/attendees/": 13,
    "/admin/meetings/events/": 14,
    "/admin/meetings/events/?failed=1": 15,
    "/admin/meetings/events/?browser=Chrome": 15,
    "/admin/inbox/delivery/": 9,
    "/admin/inbox/quarantine/": 9,
    "/admin/failures/": 9,
    "/api/v1/meetings/": 8,
    "/api/v1/attendees/": 8,
    "/api/v1/events/": 8,
    "/api/v1/failures/": 5,
}


def arrive(first: int, last: int) -> None:
    for number in range(first, last):
        post(thrown_out(minutes_ago(60), meeting=f"m-{number}", attendee=f"a-{number}"))


def queries(api: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        response = api.get(url)
    assert response.status_code == 200
    return len(asked)


@pytest.mark.parametrize("url", PAGES)
def test_a_list_asks_no_more_for_many_rows_than_for_two(api: Any, url: str) -> None:
    arrive(0, 2)
    api.get(url)
    few = queries(api, url)
    arrive(2, 9)

    many = queries(api, url)

    assert many == few
    assert many <= PAGES[url]


@pytest.mark.parametrize("of", [Meeting, Attendee])
def test_a_page_of_one_asks_no_more_for_many_events_than_for_few(
    api: Any, of: type[Meeting | Attendee]
) -> None:
    post(thrown_out(minutes_ago(60)))
    url = of.objects.get().get_absolute_url()
    api.get(url)
    few = queries(api, url)
    for number in range(8):
        post(thrown_out(minutes_ago(50 - number), attendee="a-1"))
        post(thrown_out(minutes_ago(50 - number), attendee=f"a-{number + 2}"))

    assert queries(api, url) <= few


def test_a_filter_that_no_client_fits_reads_no_rows(api: Any) -> None:
    make_event(client=make_client(browser_name="Chrome"))

    with CaptureQueriesContext(connection) as asked:
        api.get("/api/v1/events/?browser=Nope")

    assert not [one for one in asked if 'FROM "meetings_clientevent"' in one["sql"]]


# --- What takes too long ----------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any search counts as too long; three rows are a stretch."""

    def never(milliseconds: int, ask: Callable[[], Any]) -> None:
        return None

    monkeypatch.setattr(keyset, "within", never)
    monkeypatch.setattr(listing, "within", never)
    monkeypatch.setattr(keyset, "STRETCH", 3)


def read_through(size: int, **bounds: Any) -> list[list[str]]:
    """All pages of those who failed, by their ids, along the cursors."""
    pages, cursor = [], ""
    failed = Attendee.objects.filter(outcome="failed")
    for _ in range(20):
        page = page_soon(failed, "last_event_at", cursor=cursor, size=size, bounds=Bounds(**bounds))
        pages.append([one.external_id for one in page.rows])
        cursor = page.older
        if not cursor:
            break
    return pages


def make_attendees(outcomes: str) -> None:
    """Newest first; f for failed, l for left."""
    names = {"f": "failed", "l": "left"}
    for number, outcome in enumerate(outcomes):
        make_attendee(
            external_id=f"a{number}", outcome=names[outcome], last_event_at=minutes_ago(number)
        )


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("outcomes", ["llllfllllfl", "ffffffff", "llllllll", "fllf", "lllf", ""])
@pytest.mark.parametrize("size", [1, 2, 10])
def test_stretch_by_stretch_every_row_comes_once_and_in_order(outcomes: str, size: int) -> None:
    make_attendees(outcomes)

    found = [one for page in read_through(size) for one in page]

    assert found == [f"a{number}" for number, one in enumerate(outcomes) if one == "f"]


@pytest.mark.usefixtures("impatient")
def test_no_stretch_lies_outside_the_period() -> None:
    make_attendees("lf" + "l" * 30)

    pages = read_through(5, start=minutes_ago(4.5))

    assert pages == [["a1"], []]


@pytest.mark.usefixtures("impatient")
def test_one_can_go_back_over_stretches() -> None:
    make_attendees("flllllllf")
    failed = Attendee.objects.filter(outcome="failed")
    none = Bounds()
    cursor = keyset.Cursor(keyset.NEWER, minutes_ago(7.5), 0).encode()

    found = []
    while cursor:
        page = page_soon(failed, "last_event_at", cursor=cursor, size=5, bounds=none)
        found += [one.external_id for one in page.rows]
        cursor = page.newer

    assert found == ["a0"]


@pytest.mark.usefixtures("impatient")
def test_a_page_says_how_far_back_was_looked(api: Any) -> None:
    make_attendees("l" * 9)

    page = get(api, "/admin/meetings/attendees/?outcome=failed")

    assert "Nothing found so far" in page
    assert 'rel="next"' in page


@pytest.mark.usefixtures("impatient")
def test_a_count_that_takes_too_long_is_that_of_the_newest(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_STRETCH", 4)
    make_attendees("l" * 9)

    number = listing.counted_soon(Attendee.objects.all(), "last_event_at", Bounds())

    assert number == listing.Number(5, capped=True)


def test_a_question_is_given_up_and_the_next_one_is_not() -> None:
    def ask(seconds: float) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)::text || 'slept'", [seconds])
            return cursor.fetchone()[0]

    assert patience.within(20, lambda: ask(30)) is None
    assert patience.within(20_000, lambda: ask(0)) == "slept"
    assert ask(0.1) == "slept"


def test_other_errors_are_not_taken_for_impatience() -> None:
    with pytest.raises(ZeroDivisionError):
        patience.within(1000, lambda: 1 / 0)


# --- Partitions -------------------------------------------------------------------------------


def test_events_of_an_attendee_are_looked_for_only_in_their_days() -> None:
    post(thrown_out(minutes_ago(30)))
    attendee = Attendee.objects.get()

    mine = ClientEvent.objects.of([attendee])

    assert mine.count() == attendee.fact_count
    assert "client_ms" in str(mine.query)


def test_an_attendee_of_whom_no_days_are_known_is_looked_for_everywhere() -> None:
    meeting = make_meeting()
    event = make_event(attendee=make_attendee(meeting=meeting))
    make_attendee(meeting=meeting, first_client_ms=1, last_client_ms=2)
    events = ClientEvent.objects

    assert list(events.of(meeting.attendees.all())) == [event]
    assert list(events.of_meeting(meeting)) == [event]
    assert timezone.now() - event.happened_at < timedelta(hours=1)
