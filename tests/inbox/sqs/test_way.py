"""From the door by the queue to the archive."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from meetings.models import ClientEvent
from portal.access.models import ApiKey
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import Envelope
from portal.inbox.sqs import courier, sender
from portal.inbox.sqs.courier import Courier
from portal.inbox.sqs.messages import pack
from portal.inbox.writer import Item
from tests.inbox.sending import (
    ORIGIN,
    array,
    drain_everything,
    event,
    post,
)
from tests.inbox.sqs.making import DOOR, make_message, noise, take, text_of
from tests.world.cloud import Cloud
from tests.world.portals import free_port

pytestmark = pytest.mark.django_db


def test_what_a_door_is_sent_lies_on_the_queue_and_then_in_the_archive(
    ingest_key: str, cloud: Cloud
) -> None:
    body = array(event("audioInputSelected"))
    before = timezone.now()

    response = post(
        ingest_key, "meetingevents", body, headers={"User-Agent": "Ünï/1"}, REMOTE_ADDR="192.0.2.9"
    )

    assert (response.status_code, response.json()) == (200, {})
    assert (cloud.on_queue(), Delivery.objects.count()) == (1, 0)
    answered = timezone.now()
    assert take() == 1
    delivery = Delivery.objects.get()
    assert delivery.raw() == body
    assert before <= delivery.received_at <= answered <= delivery.queued_at
    assert delivery.stored_on == delivery.received_at.date()
    assert (delivery.door, delivery.key) == ("meetingevents", ApiKey.objects.get())
    assert (delivery.address, delivery.origin) == ("192.0.2.9", ORIGIN)
    assert (delivery.user_agent, delivery.content_type) == ("Ünï/1", "text/plain;charset=UTF-8")
    assert (delivery.size_bytes, delivery.copies) == (len(body), 1)
    assert cloud.on_queue() == 0
    drain_everything()
    assert [one.name.value for one in ClientEvent.objects.all()] == ["audioInputSelected"]


@pytest.mark.parametrize("size", [1, 150_000, 186_500, 188_000, 250_000, 8 * 1024 * 1024])
def test_bodies_of_any_size_arrive_whole_and_leave_nothing_behind(
    ingest_key: str, cloud: Cloud, size: int
) -> None:
    body = noise(size)

    response = post(ingest_key, DOOR, body)
    lies_in_bucket = len(cloud.objects())
    take()

    assert response.status_code == 200
    assert lies_in_bucket == (size > 187_000)  # base64 and the envelope make it 250,000
    assert Delivery.objects.get().raw() == body
    assert (cloud.on_queue(), cloud.objects()) == (0, [])


def test_messages_keep_to_the_size_that_is_set(settings: Settings) -> None:
    settings.INBOX_SQS_MAX_BYTES = 20_000
    envelope = Envelope(door="log-lines")

    sizes = [len(pack(noise(size), envelope, received_us=0).text) for size in range(14_700, 15_000)]

    inside = [size for size in sizes if size > 1000]
    assert max(sizes) <= 20_000
    assert max(inside) > 19_990
    assert len(inside) < len(sizes)


def test_the_same_body_twice_is_one_delivery(ingest_key: str) -> None:
    for _ in range(3):
        post(ingest_key, DOOR, b"same")
    post(ingest_key, "client-events", b"same")

    take()

    assert set(Delivery.objects.values_list("door", "copies")) == {
        ("log-lines", 3),
        ("client-events", 1),
    }


def test_a_message_that_comes_again_on_another_day_is_known(cloud: Cloud) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    text = text_of(make_message(received_us=int(yesterday.timestamp() * 1_000_000)))

    for _ in range(2):
        cloud.put_message(text)
        take()

    delivery = Delivery.objects.get()
    assert delivery.stored_on == yesterday.astimezone(UTC).date()
    assert delivery.copies == 2


@pytest.mark.parametrize("year", [1970, 2020, 2200])
def test_a_door_with_a_wrong_clock_makes_no_days_of_its_own(cloud: Cloud, year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    cloud.put_message(text_of(make_message(received_us=int(moment.timestamp() * 1_000_000))))

    take()

    delivery = Delivery.objects.get()
    assert delivery.received_at == moment
    assert delivery.stored_on == timezone.now().astimezone(UTC).date()


def test_a_body_that_its_door_refuses_is_held_with_its_sender(ingest_key: str) -> None:
    response = post(ingest_key, "meetingevents", b'{"not": "an array"}')
    take()
    drain_everything()

    assert response.status_code == 422
    item = Quarantine.objects.get()
    assert (item.door, item.reason) == ("meetingevents", "not-meeting-events")
    assert item.raw() == b'{"not": "an array"}'
    assert item.delivery
    assert item.delivery.origin == ORIGIN
    assert item.delivery.state == Delivery.State.QUARANTINED


def test_requests_of_the_same_moment_each_get_their_own_answer(cloud: Cloud) -> None:
    with ThreadPoolExecutor(16) as pool:
        bodies = [noise(1 + number * 400) for number in range(100)]
        list(pool.map(lambda body: sender.send(body, Envelope(door="log-lines")), bodies))

    while take():
        pass

    assert sorted(one.raw() for one in Delivery.objects.all()) == sorted(bodies)
    assert cloud.on_queue() == 0


def test_the_doors_quick_way_sends_too_and_leaves_large_bodies_to_the_ordinary_one(
    cloud: Cloud,
) -> None:
    bodies = [noise(size) for size in (1, 5000, 300_000, 20_000)]

    assert through_courier(bodies) == [True, True, False, True]
    while take():
        pass
    assert sorted(one.size_bytes for one in Delivery.objects.all()) == [1, 5000, 20_000]


def test_the_doors_quick_way_rests_while_sqs_is_away(settings: Settings) -> None:
    settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"

    assert through_courier([b"a", b"b"]) == [False, False]
    assert sender.sender().is_paused()


def test_the_doors_quick_way_takes_no_more_than_fits_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(courier, "_MOST_WAITING_BYTES", 10_000)
    room = []

    async def send() -> None:
        loop = asyncio.get_running_loop()
        quick = Courier(loop)
        fates: list[asyncio.Future[bool]] = []
        for _ in range(2):
            fates.append(loop.create_future())
            quick.add(Item(noise(5000), Envelope(door="log-lines"), 1, fates[-1].set_result))
            room.append(quick.has_room())
        assert all(await asyncio.gather(*fates))
        room.append(quick.has_room())
        quick.stop(1.0)

    asyncio.run(send())

    assert room == [True, False, True]


def through_courier(bodies: list[bytes]) -> list[bool]:
    """Whether each body was sent, as the event loop is told."""

    async def send() -> list[bool]:
        loop = asyncio.get_running_loop()
        quick = Courier(loop)
        fates: list[asyncio.Future[bool]] = []
        for body in bodies:
            assert quick.has_room()
            fates.append(loop.create_future())
            quick.add(Item(body, Envelope(door="log-lines"), 1, fates[-1].set_result))
        sent = await asyncio.gather(*fates)
        quick.stop(1.0)
        return sent

    return asyncio.run(send())
