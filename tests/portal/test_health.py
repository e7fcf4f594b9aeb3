import pytest
from django.db import DatabaseError
from django.test import Client

from portal import health, metrics
from portal.access.services import create_key
from portal.health import Health
from portal.metrics import Figure
from portal.polling.models import WORKER, Heartbeat

pytestmark = pytest.mark.django_db

PROXIED = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture(autouse=True)
def _no_checks_or_figures_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_checks", {})
    monkeypatch.setattr(metrics, "_readers", [])


def passing() -> Health:
    return Health("passing", ok=True, detail="Fine.")


def failing() -> Health:
    return Health("failing", ok=False, detail="Broken.", remedy="Mend it.")


def unknown() -> Health:
    return Health("unknown", ok=None, detail="Nobody knows.")


def check_that_raises() -> Health:
    raise DatabaseError("no such table")


def test_livez_answers_without_sign_in_and_for_any_host(client: Client) -> None:
    response = client.get("/livez", headers={"Host": "10.0.0.7"})

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


def test_readyz_is_200_when_every_check_passes(client: Client) -> None:
    health.register(passing)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["ready"] is True
    names = [check["name"] for check in response.json()["checks"]]
    assert names == ["database", "migrations", "passing"]


@pytest.mark.parametrize("check", [failing, unknown, check_that_raises])
def test_readyz_is_503_and_says_what_to_do(client: Client, check: health.Check) -> None:
    health.register(check)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["ready"] is False
    found = response.json()["checks"][-1]
    assert found["detail"]
    assert not found["ok"]


def test_problems_are_what_does_not_pass() -> None:
    health.register(passing)
    health.register(failing)

    assert [problem.name for problem in health.problems()] == ["failing"]


def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post("/readyz").status_code == 405


def test_metrics_are_open_to_this_machine(client: Client) -> None:
    metrics.register(
        lambda: [Figure("greenroom_things", "Things.", [({"kind": "a"}, 2), ({"kind": "b"}, 3)])]
    )

    response = client.get("/metrics")

    text = response.content.decode()
    assert response.status_code == 200
    assert 'greenroom_things{kind="a"} 2.0' in text
    assert 'greenroom_check_ok{check="database"} 1.0' in text


@pytest.mark.parametrize(
    ("address", "headers"), [("203.0.113.9", {}), ("127.0.0.1", PROXIED), ("", {})]
)
def test_metrics_are_closed_to_others(
    client: Client, address: str, headers: dict[str, str]
) -> None:
    response = client.get("/metrics", REMOTE_ADDR=address, headers=headers)

    assert response.status_code == 401
    assert b"greenroom" not in response.content


@pytest.mark.parametrize(("scopes", "status"), [(["metrics:read"], 200), (["meetings:read"], 401)])
def test_a_secret_key_with_the_scope_opens_metrics(
    client: Client, scopes: list[str], status: int
) -> None:
    _, text = create_key(kind="secret", name="Prometheus", scopes=scopes)

    response = client.get("/metrics", headers={**PROXIED, "Authorization": f"Bearer {text}"})

    assert response.status_code == status


def test_figures_that_cannot_be_read_do_not_hide_the_others(client: Client) -> None:
    def broken() -> list[Figure]:
        raise DatabaseError("no such table")

    metrics.register(broken)
    metrics.register(lambda: [Figure("greenroom_things", "Things.", [({}, 1)])])

    assert b"greenroom_things 1.0" in client.get("/metrics").content


def test_the_worker_counts_only_while_it_works() -> None:
    from portal.polling.checks import check_worker

    before = check_worker()
    Heartbeat.objects.beat(WORKER, host="here", pid=1, version="1")
    lately = check_worker()
    Heartbeat.objects.update(at="2026-01-01T00:00:00Z")
    long_ago = check_worker()

    assert (before.ok, lately.ok, long_ago.ok) == (False, True, False)
