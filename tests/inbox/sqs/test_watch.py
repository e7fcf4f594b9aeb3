"""What readiness, figures and the doctor tell of the queue."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from portal.inbox import checks
from portal.inbox.models import Delivery
from portal.inbox.sqs import access, watch
from portal.inbox.sqs import cloud as aws
from tests.inbox.sending import (
    post,
)
from tests.inbox.sqs.making import DOOR, take
from tests.world.cloud import BUCKET, Cloud
from tests.world.portals import free_port

pytestmark = pytest.mark.django_db


def test_readiness_and_figures_tell_what_lies_on_the_queue(
    ingest_key: str, settings: Settings, cloud: Cloud
) -> None:
    post(ingest_key, DOOR, b"first")
    take()
    Delivery.objects.update(received_at=timezone.now() - timedelta(minutes=10))
    assert watch.check_queue().ok
    post(ingest_key, DOOR, b"second")
    watch.forget()

    late = watch.check_queue()

    assert not late.ok
    assert "1 deliveries lie on the queue" in late.detail
    assert checks.all_behind(timezone.now()) >= timedelta(minutes=10)
    values = {figure.name: list(figure.values) for figure in watch.figures()}
    assert ({"state": "waiting"}, 1) in values["greenroom_queue_messages"]
    settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"
    watch.forget()
    away = watch.check_queue()
    assert (away.ok, away.essential) == (False, True)
    settings.INBOX_SQS_URL = ""
    assert watch.check_queue().ok


def test_an_answer_that_nobody_expects_is_told_and_the_queue_is_asked_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: str) -> dict[str, str]:
        raise TimeoutError("of another kind than that of waiting for the answer")

    with monkeypatch.context() as patch:
        patch.setattr(aws, "attributes", answer)
        torn = watch.check_queue()
        watch.forget()
        patch.setattr(aws, "attributes", lambda _: {"ApproximateNumberOfMessages": "some"})
        odd = watch.check_queue()
    monkeypatch.setattr(watch, "_FRESH_SECONDS", 0)
    good = watch.check_queue()

    assert [health.ok for health in (torn, odd, good)] == [False, False, True]
    assert "TimeoutError" in torn.detail
    assert "ValueError" in odd.detail


def test_the_doctor_tries_each_access_and_prints_the_policy(
    cloud: Cloud, settings: Settings
) -> None:
    good = list(access.examine())
    assert cloud.objects() == []
    cloud.s3.delete_bucket(Bucket=BUCKET)
    settings.INBOX_SQS_URL += "-elsewhere"
    bad = {finding.name: finding for finding in access.examine()}

    assert [(finding.name, finding.verdict) for finding in good] == [
        ("inbox queue", "ok"),
        ("dead-letter queue", "ok"),
        ("inbox bucket", "ok"),
    ]
    assert [bad[name].verdict for name in ("inbox queue", "inbox bucket")] == ["failure"] * 2
    policy = json.loads(bad["inbox queue"].remedy.partition("{")[2].join(["{", ""]))
    assert "sqs:SendMessage" in policy["Statement"][0]["Action"]
    assert policy["Statement"][1]["Resource"] == f"arn:aws:s3:::{BUCKET}/greenroom/inbox/*"


def test_the_doctor_warns_of_dead_letters_that_nobody_looks_at(
    cloud: Cloud, settings: Settings
) -> None:
    settings.INBOX_SQS_DEAD_LETTER_URL = ""
    forgotten = next(access.examine())
    settings.INBOX_SQS_DEAD_LETTER_URL = cloud.dead_url
    settings.INBOX_MAX_ATTEMPTS = 20
    hasty = next(access.examine())

    assert (forgotten.verdict, hasty.verdict) == ("warning", "warning")
    assert "INBOX_SQS_DEAD_LETTER_URL" in forgotten.remedy
    assert "maxReceiveCount" in hasty.remedy
