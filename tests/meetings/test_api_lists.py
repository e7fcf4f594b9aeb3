"""The REST API about meetings: who may read, what is listed, and how one leafs through it."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from portal.access.services import create_key
from tests.meetings.arrivals import arrive, make_event, now_ms

pytestmark = pytest.mark.django_db


def with_key(*scopes: str) -> APIClient:
    client = APIClient()
    _, text = create_key(kind="secret", name="Reader", scopes=scopes)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def names(response: Any) -> list[str]:
    return [row["name"] for row in response.json()["results"]]


def test_a_key_with_the_scope_reads_events() -> None:
    arrive(make_event("meetingStartFailed", meetingStatus="TaskFailed", meetingErrorMessage="x"))

    response = with_key("meetings:read").get("/api/v1/events/")

    row = response.json()["results"][0]
    assert response.status_code == 200
    assert row["name"] == "meetingStartFailed"
    assert row["meeting_id"] == "m-1"
    assert row["attendee_id"] == "a-1"
    assert row["external_user_id"] == "ada"
    assert row["status"] == "TaskFailed"
    assert row["browser_name"] == "Chrome"
    assert "attributes" not in row


@pytest.mark.parametrize("path", ["events/", "meetings/", "attendees/", "meetings/m-1/"])
def test_nobody_reads_without_a_key(path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code == 401


@pytest.mark.parametrize("query", ["", "?format=csv"])
def test_a_key_without_the_scope_is_told_which_one_it_lacks(query: str) -> None:
    scope = "events:export" if query else "meetings:read"

    response = with_key("failures:read").get(f"/api/v1/events/{query}")

    assert response.status_code == 403
    assert scope in response.json()["error"]["message"]


def test_attributes_are_what_the_client_sent_with_what_nobody_knows(api: APIClient) -> None:
    history = [{"name": "meetingStartRequested", "timestampMs": 1}]
    arrive(make_event(brandNew={"a": [1, None]}, meetingHistory=history))

    row = api.get("/api/v1/events/?include=attributes").json()["results"][0]

    assert row["attributes"]["brandNew"] == {"a": [1, None]}
    assert row["attributes"]["meetingHistory"] == history


def test_pages_lead_through_all_events_and_back_while_new_ones_come(api: APIClient) -> None:
    start = now_ms() - 60_000
    arrive(*(make_event(f"name{n}", timestampMs=start + n // 2) for n in range(7)))

    first = api.get("/api/v1/events/?page_size=3")
    arrive(make_event("newcomer"))
    second = api.get(first.json()["next"])
    third = api.get(second.json()["next"])
    back = api.get(third.json()["previous"])

    listed = names(first) + names(second) + names(third)
    assert sorted(listed) == [f"name{n}" for n in range(7)]
    assert listed[0] == "name6"
    assert third.json()["next"] is None
    assert first.json()["previous"] is None
    assert names(back) == names(second)
    assert back.json()["next"] == second.json()["next"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=x", "cursor"),
        ("cursor=WyJvbGRlciIsIDEsIDJd", "cursor"),
        ("page_size=0", "page_size"),
        ("page_size=501", "page_size"),
        ("page_size=²", "page_size"),
        ("from=yesterday", "from"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("range=2y", "range"),
        ("range=1h&from=2026-01-01", "range"),
        ("failed=maybe", "failed"),
        ("name=%00", "name"),
        ("q=%00", "q"),
        ("kind=nothing", "kind"),
        ("format=xml", "format"),
        ("include=secrets", "include"),
        ("nmae=x", "nmae"),
        (f"meeting={'m' * 201}", "meeting"),
    ],
)
def test_a_bad_parameter_is_named(api: APIClient, query: str, field: str) -> None:
    response = api.get(f"/api/v1/events/?{query}")

    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


def test_an_unknown_range_is_answered_with_the_choices(api: APIClient) -> None:
    error = api.get("/api/v1/events/?range=3y").json()["error"]

    assert error["fields"] == {"range": ["Choose one of 15m, 1h, 24h, 7d, 30d."]}


def test_an_id_may_hold_slashes_and_anything_else(api: APIClient) -> None:
    arrive(make_event(meetingId="daily/42 ü?#%", attendeeId="a/1"))

    meeting = api.get("/api/v1/meetings/daily%2F42%20%C3%BC%3F%23%25/")
    events = api.get("/api/v1/meetings/daily%2F42%20%C3%BC%3F%23%25/events/")
    attendee = api.get("/api/v1/attendees/a/1/")

    assert meeting.json()["meeting_id"] == "daily/42 ü?#%"
    assert len(events.json()["results"]) == 1
    assert attendee.json()["meeting_id"] == "daily/42 ü?#%"


def test_an_attendee_id_of_several_meetings_asks_which_one_is_meant(api: APIClient) -> None:
    arrive(make_event(meetingId="m-1"), make_event(meetingId="m-2"))

    unclear = api.get("/api/v1/attendees/a-1/")
    chosen = api.get("/api/v1/attendees/a-1/events/?meeting=m-2")
    by_number = api.get(f"/api/v1/attendees/{chosen.json()['results'][0]['attendee']}/")

    assert unclear.status_code == 409
    assert "?meeting=" in unclear.json()["error"]["message"]
    assert [row["meeting_id"] for row in chosen.json()["results"]] == ["m-2"]
    assert by_number.json()["meeting_id"] == "m-2"


@pytest.mark.parametrize(
    "path", ["meetings/none/", "meetings/none/events/", "attendees/none/", "attendees/99999999/"]
)
def test_what_is_not_there_is_not_found(api: APIClient, path: str) -> None:
    assert api.get(f"/api/v1/{path}").status_code == 404


def test_a_page_takes_few_queries_however_many_rows_it_has(
    api: APIClient, django_assert_max_num_queries: Any
) -> None:
    arrive(*(make_event(f"name{n}", attendeeId=f"a-{n}") for n in range(40)))

    with django_assert_max_num_queries(12):
        response = api.get("/api/v1/events/?include=attributes")

    assert len(response.json()["results"]) == 40
