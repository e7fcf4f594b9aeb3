import pytest
from django.test import Client, RequestFactory

from portal.api import server_error

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.access.urls")]


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        ("conflict", 409, "conflict", "It has ended."),
        ("upstream", 502, "upstream", "An outside service did not answer as it should."),
        ("database", 503, "database-unavailable", "Try again in 5 seconds."),
        ("missing", 404, "not-found", "Check the address"),
        ("denied", 403, "permission-missing", "Only on Sundays."),
        ("fields", 400, "invalid", "Correct the fields"),
        ("unsupported", 415, "unsupported-media-type", "text/html"),
    ],
)
def test_errors_have_one_shape(
    client: Client, fault: str, status: int, code: str, message: str
) -> None:
    response = client.get(f"/try/fault/{fault}/", headers={"x-request-id": "request-4711"})

    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert message in error["message"]
    assert error["request_id"] == "request-4711"


def test_fields_are_named(client: Client) -> None:
    error = client.get("/try/fault/fields/").json()["error"]
    assert error["fields"] == {"name": ["Give it a name."]}

    error = client.get("/try/fault/list/").json()["error"]
    assert error["fields"] == {"non_field_errors": ["Nothing to do."]}


def test_a_database_that_is_away_is_worth_a_retry(client: Client) -> None:
    assert client.get("/try/fault/database/")["Retry-After"] == "5"


def test_a_fault_of_our_own_is_left_to_django(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        client.get("/try/fault/fault/")


def test_programs_get_a_fault_as_json_and_people_as_a_page(rf: RequestFactory) -> None:
    for_programs = server_error(rf.get("/api/meetings/"))
    for_people = server_error(rf.get("/admin/"))

    assert for_programs.status_code == for_people.status_code == 500
    assert for_programs["Content-Type"] == "application/json"
    assert for_people["Content-Type"].startswith("text/html")
