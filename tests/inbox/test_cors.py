"""Every answer of a door must be readable by a page of another origin, or the client loses data."""

import gzip
from datetime import timedelta

import pytest
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils import timezone

from portal.access.models import ApiKey
from portal.access.services import create_key, revoke_key
from tests.inbox.sending import (
    EVENT_DOORS,
    ORIGIN,
    STREAM_DOORS,
    array,
    assert_readable_by_browsers,
    event,
    post,
)


@login_not_required
def _broken(request: HttpRequest, key: str) -> HttpResponse:
    raise RuntimeError("a fault of our own")


urlpatterns = [
    path("ingest/<str:key>/broken", _broken),
    path("", include("portal.urls")),
]


def make_key(**kwargs: object) -> tuple[ApiKey, str]:
    return create_key(kind="ingest", name="Test app", scopes=["ingest"], **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("door", [*EVENT_DOORS, *STREAM_DOORS, "client-events?beacon=1"])
def test_a_preflight_is_allowed_without_looking_anything_up(
    door: str, django_assert_num_queries: object
) -> None:
    response = Client().options(
        f"/ingest/whatever/{door}",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-app",
        },
    )

    assert response.status_code == 204
    assert_readable_by_browsers(response)
    allowed = response["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert {"authorization", "content-type", "x-app"} <= set(allowed)
    assert int(response["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in response


def test_a_preflight_does_not_repeat_what_is_no_header_name() -> None:
    response = Client().options(
        "/ingest/k/client-events",
        headers={"Access-Control-Request-Headers": "a<script>, b"},
    )

    assert response.status_code == 204
    assert "<" not in response["Access-Control-Allow-Headers"]


def test_the_anonymous_doors_answer_preflights_as_well() -> None:
    for where in ("/meetingevents", "/prod/meetingevents", "/prod/meetingevents?ct=json"):
        response = Client().options(where, headers={"Origin": ORIGIN})

        assert response.status_code == 204
        assert_readable_by_browsers(response)


@pytest.mark.parametrize("door", EVENT_DOORS)
def test_200_can_be_read(ingest_key: str, door: str) -> None:
    response = post(ingest_key, door, b'{"logs":[]}' if door != "meetingevents" else b"[]")

    assert response.status_code == 200
    assert_readable_by_browsers(response)


def test_401_of_an_unknown_key_can_be_read(db: None) -> None:
    response = post("gri_" + "x" * 43, "client-events", b"{}")

    assert response.status_code == 401
    assert_readable_by_browsers(response)
    assert response.json()["error"]["code"] == "key-unknown"


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_401_of_a_key_that_has_ended_can_be_read(db: None, end: str) -> None:
    key, text = make_key()
    if end == "revoked":
        revoke_key(key, actor=None)
    else:
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    response = post(text, "client-events", b"{}")

    assert response.status_code == 401
    assert_readable_by_browsers(response)


def test_a_secret_key_in_the_url_is_refused(db: None) -> None:
    _, text = create_key(kind="secret", name="Program", scopes=["meetings:read"])

    response = post(text, "client-events", b"{}")

    assert response.status_code == 401
    assert_readable_by_browsers(response)
    assert "secret key" in response.json()["error"]["message"]


def test_403_of_an_origin_that_is_not_allowed_can_be_read(db: None) -> None:
    _, text = make_key(origins=["https://other.example"])

    response = post(text, "client-events", b"{}")

    assert response.status_code == 403
    assert_readable_by_browsers(response)
    assert response.json()["error"]["code"] == "origin-refused"


def test_an_allowed_origin_and_a_client_without_origin_may_send(db: None) -> None:
    _, text = make_key(origins=[ORIGIN])

    with_origin = post(text, "client-events", b"{}")
    without = Client().generic("POST", f"/ingest/{text}/client-events", b"{ }")

    assert (with_origin.status_code, without.status_code) == (200, 200)


@pytest.mark.parametrize("where", ["nothing", "client-events/", "client-events/x"])
def test_404_can_be_read_and_is_json(ingest_key: str, where: str) -> None:
    response = post(ingest_key, where, b"{}")

    assert response.status_code == 404
    assert_readable_by_browsers(response)
    assert "error" in response.json()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_405_can_be_read(ingest_key: str, method: str) -> None:
    response = Client().generic(method, f"/ingest/{ingest_key}/client-events", b"{}")

    assert response.status_code == 405
    assert_readable_by_browsers(response)
    assert "error" in response.json()


def test_411_of_a_body_without_length_can_be_read(ingest_key: str) -> None:
    response = post(ingest_key, "client-events", b"{}", CONTENT_LENGTH="")

    assert response.status_code == 411
    assert_readable_by_browsers(response)


def test_413_can_be_read_and_is_json(ingest_key: str) -> None:
    response = post(ingest_key, "client-events", b" " * (8 * 1024 * 1024 + 1))

    assert response.status_code == 413
    assert_readable_by_browsers(response)
    assert response.json()["error"]["code"] == "too-large"


def test_415_of_a_compressed_body_can_be_read(ingest_key: str) -> None:
    body = gzip.compress(array(event()))

    response = post(ingest_key, "meetingevents", body, headers={"Content-Encoding": "gzip"})

    assert response.status_code == 415
    assert_readable_by_browsers(response)


def test_422_can_be_read(ingest_key: str) -> None:
    response = post(ingest_key, "meetingevents", b"{}")

    assert response.status_code == 422
    assert_readable_by_browsers(response)


def test_429_can_be_read_and_says_when(db: None) -> None:
    _, text = make_key(quota_per_minute=2)

    answers = [post(text, "client-events", b"{}") for _ in range(5)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 1  # 3, unless a minute began meanwhile
    for answer in refused:
        assert_readable_by_browsers(answer)
        assert 1 <= int(answer["Retry-After"]) <= 60


@pytest.mark.urls("tests.inbox.test_cors")
def test_500_can_be_read_and_is_json(ingest_key: str) -> None:
    response = post(ingest_key, "broken", b"{}")

    assert response.status_code == 500
    assert_readable_by_browsers(response)
    assert "error" in response.json()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["meetingevents", "client-events", "log_meeting_event"])
def test_503_of_a_database_that_refuses_can_be_read_and_stores_nothing(door: str) -> None:
    _, text = make_key()
    body = array(event()) if door == "meetingevents" else b"{}"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER disk_full BEFORE INSERT ON inbox_delivery
            EXECUTE FUNCTION disk_full();
            """
        )
    try:
        refused = post(text, door, body)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER disk_full ON inbox_delivery; DROP FUNCTION disk_full()")
    accepted = post(text, door, body)

    assert refused.status_code == 503
    assert_readable_by_browsers(refused)
    assert int(refused["Retry-After"]) > 0
    assert accepted.status_code == 200


def test_other_pages_do_not_get_the_headers(db: None) -> None:
    response = Client().get("/admin/login/", headers={"Origin": ORIGIN})

    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("path", ["/ingest/whatever/client-events", "/ingest/KEY/meetingevents"])
def test_opening_a_door_in_a_browser_says_how_it_is_used(db: None, path: str) -> None:
    response = Client().get(path)

    assert response.status_code == 405
    assert response.json()["error"]["message"].startswith("This address takes POST only. Send")


def test_an_unknown_path_is_answered_with_the_known_doors(ingest_key: str) -> None:
    message = post(ingest_key, "events", b"{}").json()["error"]["message"]

    assert "/ingest/KEY/meetingevents" in message
    assert "/ingest/KEY/client-events" in message
    assert "/api/docs" not in message


def test_a_post_without_a_body_is_told_so(ingest_key: str) -> None:
    response = post(ingest_key, "client-events", b"{}", CONTENT_LENGTH="")

    assert response.json()["error"]["message"].startswith("The body is empty.")
