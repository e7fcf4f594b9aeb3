"""What goes from the queue to the quarantine, and back."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import InternalError, OperationalError, connection
from pytest_django import Settings

from portal.inbox.models import Delivery, Quarantine, compress
from portal.inbox.services import replay
from portal.inbox.sqs import archive, held, intake
from portal.inbox.sqs.archive import Letter
from portal.inbox.sqs.messages import VERSION
from tests.inbox.sending import (
    drain_everything,
    post,
)
from tests.inbox.sqs.making import DOOR, make_message, noise, reasons, take, text_of
from tests.world.cloud import BUCKET, Cloud

pytestmark = pytest.mark.django_db


HOSTILE = [
    "x",
    "null",
    "[]",
    "{}",
    '{"v": 1}',
    '{"v": "1"}',
    '{"v": 1, "door": "log-lines"}',
    '{"Type": "Notification", "Message": "of somebody else"}',
    "[" * 100_000,
    "\U0001f600" * 1000,
]


def test_messages_of_somebody_else_are_held_as_they_came(cloud: Cloud) -> None:
    for text in HOSTILE:
        cloud.put_message(text)
    cloud.put_message(text_of(make_message()))

    while take():
        pass

    assert {item.raw().decode() for item in Quarantine.objects.held()} == set(HOSTILE)
    assert set(reasons()) == {("sqs", "sqs-unreadable")}
    assert Delivery.objects.count() == 1
    assert cloud.on_queue() == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"v": VERSION + 1}, "sqs-version"),
        ({"address": "somewhere"}, "sqs-unreadable"),
        ({"origin": "a\0b"}, "sqs-unreadable"),
        ({"door": "d" * 65}, "sqs-unreadable"),
        ({"key": -1}, "sqs-unreadable"),
        ({"received_us": 2**62}, "sqs-unreadable"),
        ({"body": b""}, "sqs-unreadable"),
        ({"object": "and a body"}, "sqs-unreadable"),
        ({"sha256": b"short"}, "sqs-unreadable"),
        ({"sha256": bytes(32)}, "sqs-body-damaged"),
        ({"size": 3}, "sqs-body-damaged"),
        ({"body": b"not zstd"}, "sqs-body-damaged"),
        ({"body": compress(b"12345678901234567890")[:-4], "size": 20}, "sqs-body-damaged"),
        ({"body": b"", "object": "nowhere"}, "sqs-body-gone"),
    ],
)
def test_a_wrong_message_is_held_with_its_reason(
    cloud: Cloud, wrong: dict[str, Any], reason: str
) -> None:
    cloud.put_message(text_of(make_message(**wrong)))

    take()

    assert reasons() == [("sqs", reason)]
    assert not Delivery.objects.exists()
    assert cloud.on_queue() == 0


def test_a_body_that_grows_out_of_bounds_is_not_unpacked(cloud: Cloud) -> None:
    bomb = bytes(300 * 1024 * 1024)
    small = compress(bomb)
    cloud.put_message(text_of(make_message(body=small, size=1000)))

    take()

    assert len(small) < 100_000
    assert reasons() == [("sqs", "sqs-body-damaged")]


def test_a_lost_body_that_comes_back_is_replayed(ingest_key: str, cloud: Cloud) -> None:
    body = noise(300_000)
    post(ingest_key, DOOR, body)
    [name] = cloud.objects()
    stored = cloud.s3.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    cloud.s3.delete_object(Bucket=BUCKET, Key=name)
    take()
    assert reasons() == [("sqs", "sqs-body-gone")]

    replay(Quarantine.objects.all(), actor=None)
    drain_everything()
    still_held = reasons()
    cloud.s3.put_object(Bucket=BUCKET, Key=name, Body=stored)
    replay(Quarantine.objects.held(), actor=None)
    drain_everything()

    assert still_held == [("sqs", "sqs-body-gone")]
    assert Delivery.objects.get(door="log-lines").raw() == body
    assert Quarantine.objects.get(door="sqs").state == Quarantine.State.REPLAYED


def test_a_message_that_comes_again_after_its_body_was_cleared_is_known(
    ingest_key: str, cloud: Cloud
) -> None:
    post(ingest_key, DOOR, noise(300_000))
    [text] = cloud.messages()
    take()
    cloud.put_message(text)

    take()

    assert (cloud.on_queue(), cloud.objects(), reasons()) == (0, [], [])
    assert Delivery.objects.count() == 1


def test_a_message_that_is_taken_too_often_is_held_and_can_be_replayed(
    ingest_key: str, cloud: Cloud, settings: Settings
) -> None:
    post(ingest_key, DOOR, b"deadly")
    for _ in range(settings.INBOX_MAX_ATTEMPTS):
        cloud.messages()  # and dies

    take()
    held_for = reasons()
    replay(Quarantine.objects.all(), actor=None)
    drain_everything()

    assert held_for == [("sqs", "sqs-too-often")]
    assert Delivery.objects.get(door="log-lines").raw() == b"deadly"
    assert cloud.on_queue() == 0


def test_dead_letters_come_to_the_quarantine_and_from_there_to_the_archive(
    ingest_key: str, cloud: Cloud
) -> None:
    cloud.make_anew(most_receives=2)
    post(ingest_key, DOOR, noise(300_000))
    for _ in range(3):
        cloud.messages()
    assert (cloud.on_queue(), cloud.dead()) == (0, 1)

    assert held.take_dead_letters() == 1
    held_for = reasons()
    replay(Quarantine.objects.all(), actor=None)
    drain_everything()

    assert held_for == [("sqs", "sqs-dead-letter")]
    assert Delivery.objects.get(door="log-lines").raw() == noise(300_000)
    assert cloud.dead() == 0


def test_a_dead_letter_that_was_stored_all_the_same_needs_no_decision(cloud: Cloud) -> None:
    text = text_of(make_message())
    cloud.put_message(text)
    take()
    cloud.put_message(text, url=cloud.dead_url)

    held.take_dead_letters()

    assert (reasons(), cloud.dead()) == ([], 0)


@pytest.mark.parametrize("error", [InternalError("no"), RuntimeError("no"), MemoryError()])
def test_what_cannot_be_stored_for_whatever_reason_takes_no_other_with_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    keep = archive.keep

    def keep_unless_bad(letters: Sequence[Letter]) -> None:
        if any(letter.message.size == 3 for letter in letters):
            raise error
        keep(letters)

    monkeypatch.setattr(archive, "keep", keep_unless_bad)
    for raw in (b"a", b"bad", b"c"):
        cloud.put_message(text_of(make_message(raw=raw)))
    cloud.put_message("of somebody else")

    while take():
        pass

    assert sorted(one.raw() for one in Delivery.objects.all()) == [b"a", b"c"]
    assert sorted(reasons()) == [("sqs", "handling-failed"), ("sqs", "sqs-unreadable")]
    assert cloud.on_queue() == 0


def test_what_is_the_databases_fault_is_nobodys_but_waited_for(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = archive.keep
    tries = []

    def keep_in_the_end(letters: Sequence[Letter]) -> None:
        tries.append(len(letters))
        if len(tries) == 1:
            raise OperationalError("away")
        keep(letters)

    monkeypatch.setattr(archive, "keep", keep_in_the_end)
    monkeypatch.setattr(intake, "_pause", lambda _: 0.0)
    monkeypatch.setattr(connection, "close", lambda: None)
    for raw in (b"a", b"b"):
        cloud.put_message(text_of(make_message(raw=raw)))

    while take():
        pass

    assert tries[0] == tries[1]  # together once more
    assert Delivery.objects.count() == 2
    assert reasons() == []
