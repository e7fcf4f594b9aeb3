"""One box finds a meeting, an attendee or a person by any id they go by."""

from datetime import timedelta

import pytest
from django.utils import timezone
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
    return search.find(text, staff)


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


@pytest.mark.parametrize("text", ["Ines Gupta", "gupta", "GUPTA ines", "#Ines G"])
def test_a_person_is_found_by_any_part_of_their_name(staff: User, text: str) -> None:
    make_attendee(external_user_id="u-0136#Ines Gupta")
    make_attendee(external_user_id="u-0137#Ines Moreau")

    found = [hit.label for hit in find(text, staff)]

    assert found == ["u-0136#Ines Gupta"]


def test_a_meeting_is_found_by_any_part_of_its_name(staff: User) -> None:
    make_meeting(external_meeting_id="Support handover 742")
    make_meeting(external_meeting_id="Support desk 3")

    assert [hit.label for hit in find("support handover", staff)] == ["Support handover 742"]


def test_what_begins_so_stands_before_what_has_it_in_the_middle_and_once(staff: User) -> None:
    make_meeting(external_meeting_id="Old daily", last_event_at=timezone.now())
    make_meeting(external_meeting_id="daily sync")

    assert [hit.label for hit in find("daily", staff)] == ["daily sync", "Old daily"]


def test_a_name_counts_all_meetings_of_the_person_but_is_looked_for_in_the_last_month(
    staff: User,
) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    make_attendee(external_user_id="u-1#Ines Gupta")
    make_attendee(external_user_id="u-1#Ines Gupta", last_event_at=long_ago)
    make_attendee(external_user_id="u-2#Otto Gupta", last_event_at=long_ago)

    [hit] = find("gupta", staff)

    assert hit.label == "u-1#Ines Gupta"
    assert hit.detail.startswith("in 2 meetings")


def test_who_finds_nothing_is_told_where_was_looked(api: APIClient) -> None:
    page = api.get("/admin/search/", {"q": "nobody at all"}).content.decode()

    assert "last 30 days" in page


def test_names_are_not_looked_into_where_ids_give_enough(
    staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        make_meeting(external_meeting_id=f"daily {number}")
    staff.has_perm("meetings.view_meeting")

    with django_assert_num_queries(3):
        find("daily", staff)


def test_a_search_takes_three_queries(
    known: Attendee, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        find("ada@example.com", staff)
