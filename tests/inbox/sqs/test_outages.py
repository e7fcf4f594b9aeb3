"""What doors and intakes do while AWS or the database is away."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.access import outage, quota, services
from portal.access.services import create_key
from portal.inbox.models import Delivery, Quarantine
from tests.inbox.sending import (
    assert_readable_by_browsers,
    post,
)
from tests.inbox.sqs.making import DOOR, noise, take
from tests.world.cloud import BUCKET, Cloud
from tests.world.portals import free_port

pytestmark = pytest.mark.django_db


def forget_age_of_keys() -> None:
    """As if the last look-up of each key were a minute ago."""
    for entry in services._cache.values():  # noqa: SLF001 - time passes
        entry.expires -= 60
        entry.read_at -= 60


def test_without_sqs_a_door_says_503_and_the_client_may_come_again(
    ingest_key: str, settings: Settings, cloud: Cloud
) -> None:
    settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"

    first, at_once = (post(ingest_key, DOOR, b"body") for _ in range(2))

    for response in (first, at_once):
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert_readable_by_browsers(response)
    assert not Delivery.objects.exists()


def test_without_the_bucket_only_large_bodies_are_refused(ingest_key: str, cloud: Cloud) -> None:
    cloud.s3.delete_bucket(Bucket=BUCKET)

    large, small = (post(ingest_key, DOOR, noise(size)) for size in (300_000, 300))

    assert (large.status_code, small.status_code) == (503, 200)
    assert cloud.on_queue() == 1


def test_a_queue_that_is_gone_costs_503s(ingest_key: str, cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.queue_url)

    assert post(ingest_key, DOOR, b"body").status_code == 503


def test_a_body_that_s3_does_not_hand_out_stays_for_later(ingest_key: str, cloud: Cloud) -> None:
    post(ingest_key, DOOR, noise(300_000))
    [name] = cloud.objects()
    body = cloud.s3.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    cloud.s3.delete_object(Bucket=BUCKET, Key=name)
    cloud.s3.delete_bucket(Bucket=BUCKET)

    assert take() == 0

    assert (cloud.on_queue(), cloud.messages()) == (1, [])  # hidden for a while
    assert not Quarantine.objects.exists()
    cloud.s3.create_bucket(Bucket=BUCKET)
    cloud.s3.put_object(Bucket=BUCKET, Key=name, Body=body)


@contextmanager
def no_database() -> Iterator[None]:
    """As a database that is away: every statement fails."""

    def fail(*_: Any) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(fail):
        yield


@pytest.mark.parametrize("quota", [None, 100])
def test_without_the_database_doors_go_on_with_the_keys_they_know(
    cloud: Cloud, quota: int | None
) -> None:
    _, known = create_key(kind="ingest", name="a", scopes=["ingest"], quota_per_minute=quota)
    _, other = create_key(kind="ingest", name="b", scopes=["ingest"])
    assert post(known, DOOR, b"first").status_code == 200
    forget_age_of_keys()

    with no_database():
        answers = [post(key, DOOR, b"second").status_code for key in (known, other)]

    assert answers == [200, 503]
    assert cloud.on_queue() == 2


def test_only_one_request_in_some_seconds_finds_out_that_the_database_is_still_away(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [
        create_key(kind="ingest", name=name, scopes=["ingest"], quota_per_minute=100)[1]
        for name in "abc"
    ]
    for key in keys:
        post(key, DOOR, b"first")
    now = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(outage, "time", clock)
    tries: list[int] = []

    def send_all() -> None:
        forget_age_of_keys()
        quota._leases.clear()  # noqa: SLF001 - a new minute
        services._noted.clear()  # noqa: SLF001 - time passes
        tries.append(0)
        assert {post(key, DOOR, b"second").status_code for key in keys} == {200}

    def fail(*_: Any) -> None:
        tries[-1] += 1
        raise OperationalError("away")

    with connection.execute_wrapper(fail):
        send_all()
        send_all()
        now += outage.AWAY_SECONDS
        send_all()
    send_all()
    asked_at_once = len(tries)
    now += outage.AWAY_SECONDS
    with CaptureQueriesContext(connection) as asked:
        send_all()

    assert (tries, asked_at_once) == ([1, 0, 1, 0, 0], 4)
    assert len(asked) >= 3 * 2  # each key and quota by the database again


def test_what_is_no_outage_does_not_keep_others_from_asking(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError), outage.asking():
        raise DataError("a value that is out of range")
    with outage.asking():
        asked = True

    assert asked


def test_with_the_inbox_in_the_database_an_outage_shuts_the_doors(
    ingest_key: str, settings: Settings
) -> None:
    settings.INBOX = "database"
    post(ingest_key, DOOR, b"first")
    forget_age_of_keys()

    with no_database():
        assert post(ingest_key, DOOR, b"second").status_code == 503
