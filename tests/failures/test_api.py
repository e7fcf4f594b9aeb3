from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from portal.access.services import create_key
from portal.failures.models import Failure, TriageNote
from tests.failures.factories import make_failure, make_sighting, minutes

pytestmark = pytest.mark.django_db

URL = "/api/v1/failures/"


def make_api(*scopes: str) -> APIClient:
    _, text = create_key(kind="secret", name="pager", scopes=scopes)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return api


@pytest.fixture
def api() -> APIClient:
    return make_api("failures:read", "failures:triage")


def test_the_list_goes_on_by_cursor(api: APIClient) -> None:
    for number in range(5):
        make_failure(happened_at=minutes(number))

    first = api.get(f"{URL}?page_size=3").json()
    second = api.get(first["next"]).json()

    found = [one["last_seen_at"] for one in [*first["results"], *second["results"]]]
    assert found == sorted(found, reverse=True)
    assert len(found) == 5
    assert second["next"] is None


def test_the_list_can_be_narrowed(api: APIClient) -> None:
    failure = make_failure(version="3.20")
    make_failure(version="3.9")

    found = api.get(f"{URL}?version=3.20&state=open").json()["results"]

    assert [one["id"] for one in found] == [failure.pk]


@pytest.mark.parametrize("query", ["state=broken", "q=%00", "kind=" + "x" * 65])
def test_a_filter_that_makes_no_sense_is_named(api: APIClient, query: str) -> None:
    answer = api.get(f"{URL}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [query.partition("=")[0]]


def test_one_failure_with_its_advice_and_occurrences(api: APIClient) -> None:
    failure = make_failure(
        sightings=[
            make_sighting(tags={"browser": "Chrome"}, happened_at=minutes(n)) for n in (1, 2)
        ]
    )

    body = api.get(f"{URL}{failure.pk}/").json()
    rows = api.get(f"{URL}{failure.pk}/occurrences/").json()["results"]

    assert (body["title"], body["occurrences"], body["standing"]) == (failure.title, 2, "open")
    assert [row["tags"] for row in rows] == [{"browser": "Chrome"}] * 2
    assert rows[0]["happened_at"] > rows[1]["happened_at"]


def test_steps_answer_the_failure_as_it_is_then(api: APIClient) -> None:
    failure = make_failure()
    url = f"{URL}{failure.pk}/"
    until = (timezone.now() + timedelta(hours=1)).isoformat()

    steps: list[tuple[str, dict[str, Any], str]] = [
        ("acknowledge", {}, "acknowledged"),
        ("mute", {"until": until}, "muted"),
        ("resolve", {"in_version": "3.20"}, "resolved"),
        ("reopen", {"revision": 3}, "open"),
    ]
    for name, data, standing in steps:
        answer = api.post(f"{url}{name}/", data, format="json")
        assert (answer.status_code, answer.json()["standing"]) == (200, standing)

    assert TriageNote.objects.filter(failure=failure, author_name="Key pager").count() == 4


def test_a_step_upon_an_outdated_revision_is_a_conflict(api: APIClient) -> None:
    failure = make_failure()
    api.post(f"{URL}{failure.pk}/acknowledge/")

    answer = api.post(f"{URL}{failure.pk}/resolve/", {"revision": 0}, format="json")

    assert answer.status_code == 409
    assert "Key pager acknowledged just now" in answer.json()["error"]["message"]


def test_a_mute_needs_its_end(api: APIClient) -> None:
    answer = api.post(f"{URL}{make_failure().pk}/mute/", {}, format="json")

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["until"]


def test_reading_does_not_allow_triage() -> None:
    failure, api = make_failure(), make_api("failures:read")

    assert api.get(URL).status_code == 200
    assert api.post(f"{URL}{failure.pk}/acknowledge/").status_code == 403
    assert Failure.objects.get().state == "open"


def test_another_scope_opens_nothing() -> None:
    make_failure()

    assert make_api("meetings:read").get(URL).status_code == 403
    assert APIClient().get(URL).status_code == 401


@pytest.mark.parametrize("pk", ["999", "99999999999999999999"])
def test_an_unknown_failure_is_not_found(api: APIClient, pk: str) -> None:
    for path in ("", "occurrences/"):
        assert api.get(f"{URL}{pk}/{path}").status_code == 404
