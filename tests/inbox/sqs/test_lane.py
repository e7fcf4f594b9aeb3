"""The doors' quick way with the queue as the inbox, through the web server as it is run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from portal import web
from portal.inbox.lane import Lane
from portal.inbox.models import Delivery
from tests.inbox.sqs.making import take
from tests.inbox.test_lane import BODIES, Doors
from tests.world.cloud import Cloud
from tests.world.portals import free_port


@pytest.fixture
def doors(transactional_db: None, cloud: Cloud) -> Iterator[Doors]:
    doors = Doors()
    yield doors
    doors.server.end()


@pytest.mark.parametrize("inbox", ["database", "sqs"])
def test_the_web_server_has_the_quick_way_whatever_the_inbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, inbox: str
) -> None:
    settings.INBOX = inbox
    made: list[Callable[..., Any]] = []

    def serve(*_: Any, make_lane: Callable[..., Any], **__: Any) -> None:
        made.append(make_lane)

    monkeypatch.setattr(web, "serve", serve)
    monkeypatch.setattr("portal.management.commands.web.stop_on_signals", lambda: None)
    monkeypatch.setattr("portal.management.commands.web.gc.freeze", lambda: None)

    call_command("web", port=0, processes=1)

    assert made == [Lane]


def test_the_quick_way_sends_to_the_queue_what_the_archive_then_has(
    doors: Doors, cloud: Cloud
) -> None:
    for door in BODIES:
        doors.open_lane(door)
    before, sent_before = doors.taken, cloud.on_queue()

    answers = [doors.post(door, body("by-the-lane")) for door, body in BODIES.items()]

    assert doors.taken == before + len(BODIES)
    assert [(status, content) for status, _, content in answers] == [(200, {})] * len(BODIES)
    assert cloud.on_queue() == sent_before + len(BODIES)
    assert not Delivery.objects.exists()
    while take():
        pass
    archived = {delivery.raw() for delivery in Delivery.objects.filter(key=doors.key)}
    assert {body("by-the-lane") for body in BODIES.values()} <= archived


def test_the_quick_way_leaves_it_to_the_ordinary_one_to_tell_that_sqs_is_away(
    doors: Doors, settings: Settings
) -> None:
    doors.open_lane("client-events")
    settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"

    answers = [doors.post("client-events", b"{}") for _ in range(2)]

    assert [status for status, _, _ in answers] == [503, 503]
    assert all("Retry-After" in headers for _, headers, _ in answers)
