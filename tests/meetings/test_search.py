"""One box finds a meeting, an attendee or a person by any id they go by."""

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from meetings import search
from meetings.models import Attendee
from portal.access.models import User
from portal.search import Hit
from tests.meetings.factories import make_attendee, make_meeting

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> Attendee:
    meeting = make_meeting(external_id="3f2a-meeting", external_meeting_id="weekly-sync")
    make_attendee(meeting=meeting, external_id="0001-other", external_user_id="bob@example.com")
    return make_attendee(
        meeting=meeting, external_id="9d1c-attendee", external_user_id="ada@example.com"
    )


def find(text: str, staff: User) -> list[Hit]:
    return list(search.find(text, staff))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("3f2a-meeting", "Meetings"),
        ("weekly-sync", "Meetings"),
        ("9d1c-attendee", "Attendees"),
        ("ada@example.com", "People"),
    ],
)
def test_an_id_is_found_exactly(known: Attendee, staff: User, text: str, kind: str) -> None:
    exact = [hit for hit in find(text, staff) if hit.exact]

    assert [hit.kind for hit in exact] == [kind]


@pytest.mark.parametrize("text", ["3f2a", "weekly", "9d1c", "ada@"])
def test_the_beginning_of_an_id_is_enough_but_not_exact(
    known: Attendee, staff: User, text: str
) -> None:
    [hit] = find(text, staff)

    assert not hit.exact


@pytest.mark.parametrize("text", ["3f", "%", "_", "", "'; DROP TABLE meetings_meeting; --", "\\"])
def test_too_little_or_nothing_known_finds_nothing(known: Attendee, staff: User, text: str) -> None:
    assert find(text, staff) == []


def test_a_single_exact_hit_is_gone_to_at_once(known: Attendee, api: APIClient) -> None:
    response = api.get("/admin/search/", {"q": " 9d1c-attendee "})

    assert response.status_code == 302
    assert response["Location"] == known.get_absolute_url()


def test_a_person_of_one_meeting_is_their_attendee_page(known: Attendee, staff: User) -> None:
    [hit] = find("ada@example.com", staff)

    assert hit.url == known.get_absolute_url()


def test_a_person_of_several_meetings_is_the_list_of_them(
    known: Attendee, staff: User, api: APIClient
) -> None:
    make_attendee(external_user_id="ada@example.com", external_id="second")

    [hit] = find("ada@example.com", staff)

    assert hit.detail.startswith("in 2 meetings")
    page = api.get(hit.url).content.decode()
    assert "9d1c-attendee" in page
    assert "second" in page
    assert "0001-other" not in page


def test_a_name_that_several_meetings_share_is_a_choice(staff: User, api: APIClient) -> None:
    make_meeting(external_id="m-1", external_meeting_id="daily")
    make_meeting(external_id="m-2", external_meeting_id="daily")

    response = api.get("/admin/search/", {"q": "daily"})

    assert response.status_code == 200
    assert "m-1" in response.content.decode()
    assert "m-2" in response.content.decode()


def test_who_may_see_nothing_finds_nothing(known: Attendee) -> None:
    stranger = User.objects.create_user("stranger", is_staff=True)

    assert find("ada@example.com", stranger) == []


def test_a_search_takes_three_queries(
    known: Attendee, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        find("ada@example.com", staff)
