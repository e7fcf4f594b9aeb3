import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.access import sign_in
from portal.access.forms import REFUSED
from portal.access.models import AuditEvent, SignInAttempt
from tests.access.factories import PASSWORD, make_request, make_user, signed_in

LOGIN = "/admin/login/"
WRONG = "wrong"


def attempt(client: Client, name: str, password: str = WRONG, address: str = "") -> str:
    """Try to sign in: "" if it worked, else the page."""
    extra: Any = {"REMOTE_ADDR": address} if address else {}
    response = client.post(LOGIN, {"username": name, "password": password}, **extra)
    return "" if response.status_code == 302 else response.content.decode()


@pytest.mark.django_db
def test_the_right_password_signs_in_and_is_audited(client: Client) -> None:
    person = make_user(password=PASSWORD)

    assert attempt(client, person.username, PASSWORD) == ""

    assert client.get("/admin/password_change/").status_code == 200
    event = AuditEvent.objects.get(action="sign_in.succeeded")
    assert (event.actor_id, event.address) == (person.pk, "127.0.0.1")
    assert not SignInAttempt.objects.exists()


@pytest.mark.django_db
def test_the_key_of_the_session_changes_at_sign_in(client: Client) -> None:
    person = make_user(password=PASSWORD)
    client.get("/admin/")
    session = client.session
    session["x"] = 1
    session.save()
    before = session.session_key

    attempt(client, person.username, PASSWORD)

    assert client.session.session_key != before


@pytest.mark.django_db
def test_after_five_failures_even_the_right_password_has_to_wait(client: Client) -> None:
    person = make_user(password=PASSWORD)
    for _ in range(5):
        assert "not right" in attempt(client, person.username)

    page = attempt(client, person.username, PASSWORD)

    assert "Try again in 15 minutes" in page
    assert "_auth_user_id" not in client.session
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["sign_in.failed"] * 5 + ["sign_in.locked"]


@pytest.mark.django_db
def test_the_wait_is_honest_and_ends(client: Client) -> None:
    person = make_user(password=PASSWORD)
    for _ in range(5):
        attempt(client, person.username)

    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=14, seconds=30))
    assert "Try again in 30 seconds" in attempt(client, person.username, PASSWORD)

    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))
    assert attempt(client, person.username, PASSWORD) == ""


@pytest.mark.django_db
def test_refused_attempts_neither_lengthen_the_wait_nor_fill_the_trail(client: Client) -> None:
    person = make_user(password=PASSWORD)
    for _ in range(12):
        attempt(client, person.username)

    assert SignInAttempt.objects.count() == 5
    assert AuditEvent.objects.count() == 6


@pytest.mark.django_db
def test_a_success_starts_the_count_anew(client: Client) -> None:
    person = make_user(password=PASSWORD)
    for _ in range(3):
        for _ in range(4):
            attempt(client, person.username)
        assert attempt(client, person.username, PASSWORD) == ""


@pytest.mark.django_db
def test_another_address_or_person_is_not_kept_waiting(client: Client) -> None:
    person, other = make_user(password=PASSWORD), make_user(password=PASSWORD)
    for _ in range(5):
        attempt(client, person.username, address="203.0.113.9")

    assert attempt(client, other.username, PASSWORD, address="203.0.113.9") == ""
    assert attempt(client, person.username, PASSWORD, address="203.0.113.10") == ""


@pytest.mark.django_db
def test_one_address_cannot_go_through_many_names(client: Client, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = 2
    person = make_user(password=PASSWORD)
    for number in range(20):
        attempt(client, f"guess{number}")

    assert "Try again in" in attempt(client, person.username, PASSWORD)


@pytest.mark.django_db
def test_spellings_of_one_name_count_together(client: Client) -> None:
    for name in ["admin", "ADMIN", " admin ", "\uff41dmin", "Admin"]:
        attempt(client, name)

    assert "Try again in" in attempt(client, "admin")


@pytest.mark.django_db
def test_a_forged_forwarded_address_does_not_escape_the_count(client: Client) -> None:
    for number in range(5):
        client.post(
            LOGIN,
            {"username": "admin", "password": "wrong"},
            headers={"x-forwarded-for": f"203.0.113.{number}"},
        )

    assert "Try again in" in attempt(client, "admin")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind", ["unknown", "wrong password", "inactive", "no staff", "no password"]
)
def test_the_answer_does_not_tell_what_was_wrong(client: Client, kind: str) -> None:
    changes = {"inactive": {"is_active": False}, "no staff": {"is_staff": False}}.get(kind, {})
    password = "" if kind == "no password" else PASSWORD
    person = make_user(password=password, **changes)
    name = "nobody" if kind == "unknown" else person.username

    page = attempt(client, name, "wrong" if kind == "wrong password" else PASSWORD)

    assert REFUSED in page.replace("&#x27;", "'")
    assert SignInAttempt.objects.count() == 1


@pytest.mark.django_db
def test_an_unknown_name_costs_one_hash_like_a_known_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return str(encode(self, password, salt))

    person = make_user(password=PASSWORD)
    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)

    attempt(client, person.username)
    known = len(hashed)
    attempt(client, "nobody")

    assert known == 1
    assert len(hashed) - known == 1


@pytest.mark.django_db
def test_an_empty_form_is_no_attempt(client: Client) -> None:
    attempt(client, "", "")

    assert not SignInAttempt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_attempts_at_the_same_moment_do_not_slip_past_the_count() -> None:
    admitted: list[int] = []
    start = threading.Barrier(12)

    def try_once() -> None:
        start.wait()
        admitted.append(sign_in.begin_attempt("ada", make_request()) == 0)
        connection.close()

    threads = [threading.Thread(target=try_once) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(admitted) == 5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (30, "30 seconds"), (91, "2 minutes"), (700, "12 minutes")],
)
def test_waits_are_told_in_words(seconds: int, words: str) -> None:
    assert sign_in.wait_in_words(seconds) == words


@pytest.mark.django_db
def test_signing_out_is_audited_and_needs_a_post() -> None:
    person = make_user()
    client = signed_in(person)

    assert client.get("/admin/logout/").status_code == 405
    assert client.post("/admin/logout/").status_code == 302

    assert "_auth_user_id" not in client.session
    assert AuditEvent.objects.get().action == "sign_out.succeeded"
