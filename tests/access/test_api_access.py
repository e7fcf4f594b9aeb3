from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.access.models import ApiKey
from portal.access.services import forget_cached_keys
from tests.access.factories import make_key, make_user, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.access.urls")]

READ = "/try/read/"


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def test_a_secret_key_with_the_scope_may_read(client: Client) -> None:
    key, text = make_key(kind="secret")

    response = client.get(READ, headers=bearer(text))

    assert response.status_code == 200
    key.refresh_from_db()
    assert key.last_used_at is not None


def test_nobody_is_told_how_to_get_in(client: Client) -> None:
    response = client.get(READ)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert "Bearer grs_" in response.json()["error"]["message"]


def test_a_secret_key_without_the_scope_may_not(client: Client) -> None:
    _, text = make_key(kind="secret", scopes=["failures:read"])

    response = client.get(READ, headers=bearer(text))

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "scope-missing"
    assert "meetings:read" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_a_key_that_has_ended_is_refused(client: Client, change: dict[str, object]) -> None:
    key, text = make_key(kind="secret")
    ApiKey.objects.filter(pk=key.pk).update(**change)
    forget_cached_keys()

    response = client.get(READ, headers=bearer(text))

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "key-unknown"


def test_an_ingest_key_never_reads(client: Client) -> None:
    _, text = make_key()

    response = client.get(READ, headers=bearer(text))

    assert response.status_code == 401
    assert "ingest key" in response.json()["error"]["message"]


def test_a_secret_key_is_never_taken_from_a_url(client: Client) -> None:
    _, text = make_key(kind="secret")

    assert client.get(READ, {"key": text}).status_code == 401
    response = client.post(f"/try/door/{text}/")
    assert response.status_code == 401
    assert "revoke it" in response.json()["error"]["message"]


@pytest.mark.parametrize("header", ["Bearer", "Bearer  ", "Bearer grs_short", "Bearer \xe4"])
def test_a_malformed_header_is_refused(client: Client, header: str) -> None:
    assert client.get(READ, headers={"authorization": header}).status_code == 401


def test_the_quota_of_a_secret_key_is_kept(client: Client) -> None:
    _, text = make_key(kind="secret", quota_per_minute=1)

    answers = [client.get(READ, headers=bearer(text)) for _ in range(3)]

    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["error"]["code"] == "throttled"


def test_a_view_that_declares_nothing_is_open_to_nobody(client: Client) -> None:
    _, text = make_key(kind="secret")

    assert client.get("/try/undeclared/", headers=bearer(text)).status_code == 403
    assert signed_in(make_user(is_superuser=True)).get("/try/undeclared/").status_code == 403


def test_staff_need_the_permission() -> None:
    person = make_user()
    client = signed_in(person)
    refused = client.get(READ)
    person.user_permissions.add(Permission.objects.get(codename="view_meeting"))

    allowed = client.get(READ)

    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission-missing"
    assert allowed.status_code == 200


def test_a_session_that_writes_must_carry_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_superuser=True))

    assert client.get(READ).status_code == 200
    assert client.post(READ).status_code == 403


@pytest.mark.parametrize("change", [{"is_staff": False}, {"must_change_password": True}])
def test_people_who_cannot_use_the_pages_cannot_use_the_api(change: dict[str, Any]) -> None:
    client = signed_in(make_user(is_superuser=True, **change))

    assert client.get(READ).status_code == 401


def test_the_api_asks_for_the_second_factor_where_the_pages_do(settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True

    response = signed_in(make_user(is_superuser=True)).get(READ)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "second-factor"


def test_an_ingest_key_opens_the_door(client: Client) -> None:
    key, text = make_key()

    assert client.post(f"/try/door/{text}/").status_code == 200
    key.refresh_from_db()
    assert key.last_used_at is not None


def test_an_unknown_ingest_key_is_told_what_to_do(client: Client) -> None:
    response = client.post(f"/try/door/gri_{'x' * 43}/")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "key-unknown"
    assert "apikey create" in response.json()["error"]["message"]


def test_the_door_ignores_sessions() -> None:
    client = signed_in(make_user(is_superuser=True))

    assert client.post("/try/door/gri_wrong/").status_code == 401


def test_the_door_keeps_the_list_of_origins(client: Client) -> None:
    _, text = make_key(origins=["https://app.example.com"])
    door = f"/try/door/{text}/"

    assert client.post(door, headers={"origin": "https://app.example.com"}).status_code == 200
    assert client.post(door).status_code == 200
    refused = client.post(door, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "origin-refused"


def test_the_door_keeps_the_quota(client: Client) -> None:
    _, text = make_key(quota_per_minute=1)
    door = f"/try/door/{text}/"

    statuses = {client.post(door).status_code for _ in range(3)}

    assert statuses == {200, 429}


@pytest.mark.parametrize(("anonymous", "status"), [(True, 200), (False, 401)])
def test_a_door_without_key_is_open_only_by_setting(
    client: Client, settings: Settings, anonymous: bool, status: int
) -> None:
    settings.INGEST_ANONYMOUS = anonymous

    assert client.post("/try/door/").status_code == status
    assert client.post(f"/try/door/gri_{'x' * 43}/").status_code == 401
