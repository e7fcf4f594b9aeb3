import time

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.access import people
from portal.access.models import AuditEvent, User
from tests.access.factories import PASSWORD, make_user, signed_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/second-factor/"


def rest(client: Client, seconds: int) -> None:
    """As if the last request had been so long ago."""
    session = client.session
    session["seen_at"] = int(time.time()) - seconds
    session.save()


def seen_at(client: Client) -> int:
    return int(client.session["seen_at"])


def test_an_idle_session_ends() -> None:
    client = signed_in(make_user())
    client.get(PAGE)
    rest(client, 30 * 60 + 1)

    response = client.get(PAGE)

    assert response["Location"] == f"/admin/login/?next={PAGE}"
    assert "_auth_user_id" not in client.session
    assert AuditEvent.objects.get().action == "sign_out.idle"


def test_a_session_in_use_goes_on_and_is_written_at_most_once_a_minute() -> None:
    client = signed_in(make_user())
    rest(client, 59)
    before = seen_at(client)
    client.get(PAGE)
    assert seen_at(client) == before

    rest(client, 29 * 60)
    assert client.get(PAGE).status_code == 200
    assert seen_at(client) >= int(time.time()) - 5


def test_a_page_that_refreshes_itself_does_not_keep_the_session_alive() -> None:
    client = signed_in(make_user())
    rest(client, 29 * 60)
    before = seen_at(client)

    assert client.get(PAGE, headers={"x-background": "1"}).status_code == 200

    assert seen_at(client) == before


def test_the_idle_time_is_a_setting(settings: Settings) -> None:
    settings.SESSION_IDLE_MINUTES = 1
    client = signed_in(make_user())
    rest(client, 61)

    assert client.get(PAGE).status_code == 302


def test_changing_the_password_ends_the_other_sessions() -> None:
    person = make_user(password=PASSWORD)
    here, elsewhere = signed_in(person), signed_in(person)
    new = "another-horse-42-battery"
    before = here.session.session_key

    response = here.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert response.status_code == 302
    assert here.get(PAGE).status_code == 200
    assert here.session.session_key != before
    assert elsewhere.get(PAGE).status_code == 302
    assert AuditEvent.objects.get().action == "password.change"


def test_the_old_password_is_guarded_like_a_sign_in() -> None:
    person = make_user(password=PASSWORD)
    client = signed_in(person)
    new = "another-horse-42-battery"
    fields = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    for _ in range(5):
        client.post("/admin/password_change/", fields)

    page = client.post("/admin/password_change/", fields | {"old_password": PASSWORD})

    assert "Try again in" in page.content.decode()
    assert User.objects.get(pk=person.pk).check_password(PASSWORD)


def test_a_password_that_others_have_seen_has_to_be_changed_first() -> None:
    person = make_user(is_superuser=True, password=PASSWORD, must_change_password=True)
    client = signed_in(person)
    new = "another-horse-42-battery"
    for path in ["/", "/admin/", "/admin/access/user/", PAGE]:
        assert client.get(path)["Location"] == "/admin/password_change/"
    assert client.get("/admin/password_change/").status_code == 200

    client.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert client.get("/admin/access/user/").status_code == 200


def test_a_reset_by_an_administrator_ends_all_sessions() -> None:
    person, administrator = make_user(), make_user("Administrator")
    client = signed_in(person)

    people.reset_password(person, actor=administrator)

    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_an_account_taken_away_is_out_at_once(change: dict[str, bool]) -> None:
    person = make_user()
    client = signed_in(person)

    User.objects.filter(pk=person.pk).update(**change)

    assert client.get(PAGE).status_code == 302


def test_a_door_does_not_touch_sessions(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = Client()

    with django_assert_num_queries(0):
        response = client.post("/ingest/gri_wrong/meetingevents", b"[]", "application/json")

    assert response.status_code == 401
    assert not response.cookies
