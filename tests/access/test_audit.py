import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection, transaction

from portal.access import audit
from portal.access.models import AuditEvent
from portal.logs import request_id
from tests.access.factories import make_key, make_request, make_user, signed_in

pytestmark = pytest.mark.django_db

LIST = "/admin/access/auditevent/"


def test_a_line_says_who_what_when_and_from_where() -> None:
    actor, (key, _) = make_user(username="ada"), make_key()
    request = make_request(REMOTE_ADDR="203.0.113.9")
    request.user = actor
    token = request_id.set("request-4711")

    event = audit.record("quarantine.replay", request=request, target=key, count=3)

    request_id.reset(token)
    event.refresh_from_db()
    assert (event.actor_id, event.actor_name) == (actor.pk, "ada")
    assert event.address == "203.0.113.9"
    assert event.request_id == "request-4711"
    assert (event.target_type, event.target_id) == ("access.apikey", str(key.pk))
    assert event.target_label == str(key)
    assert event.detail == {"count": 3}
    assert str(event) == "quarantine.replay by ada"


def test_nobody_signed_in_is_recorded_as_nobody() -> None:
    request = make_request()
    request.user = AnonymousUser()

    event = audit.record("sign_in.failed", request=request, target_label="eve")

    assert event.actor_id is None
    assert event.actor_name == ""


def test_text_that_the_database_refuses_is_cleaned() -> None:
    event = audit.record(
        "export.events", target_label="a\0b\ud800", filter={"k\0": ["x\udfff", 1, None, True]}
    )

    event.refresh_from_db()
    assert event.target_label == "a\ufffdb?"
    assert event.detail == {"filter": {"k\ufffd": ["x?", 1, None, True]}}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_auditevent SET action = 'nothing'",
        "DELETE FROM access_auditevent",
        "DELETE FROM access_auditevent WHERE false",
    ],
)
def test_the_database_refuses_to_change_the_trail(statement: str) -> None:
    audit.record("key.create")

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert AuditEvent.objects.get().action == "key.create"


def test_the_trail_can_be_read_filtered_and_searched() -> None:
    ada = make_user(is_superuser=True, username="ada")
    event = audit.record("key.revoke", actor=ada, target_label="web app")
    audit.record("sign_in.failed", target_label="mallory")
    client = signed_in(ada)

    filters = {"q": "web app", "actor": str(ada.pk), "when": "hour"}
    found = client.get(LIST, filters).content.decode()
    detail = client.get(f"{LIST}{event.pk}/change/").content.decode()

    assert "key.revoke" in found
    assert "mallory" not in found
    assert "web app" in detail


@pytest.mark.parametrize("junk", [{"actor": "x"}, {"when": "x"}, {"action": "x"}])
def test_junk_in_the_filters_does_no_harm(junk: dict[str, str]) -> None:
    assert signed_in(make_user(is_superuser=True)).get(LIST, junk).status_code == 200


def test_not_even_superusers_change_the_trail() -> None:
    event = audit.record("key.create")
    client = signed_in(make_user(is_superuser=True))

    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{event.pk}/change/", {"action": "x"}).status_code == 403
    assert client.post(f"{LIST}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    AuditEvent.objects.get(pk=event.pk, action="key.create")


def test_the_trail_tells_the_command_line_from_a_request_of_nobody() -> None:
    audit.record("user.create", target_label="made at the machine")
    request = make_request(REMOTE_ADDR="203.0.113.9")
    request.user = AnonymousUser()
    audit.record("sign_in.failed", request=request, target_label="eve")

    page = signed_in(make_user(is_superuser=True)).get(LIST).content.decode()

    assert page.count("command line") == 1
