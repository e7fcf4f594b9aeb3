"""The CloudWatch sink against moto over HTTP."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from meetings.cloudwatch import watch
from meetings.cloudwatch.outbox import LEASE
from meetings.cloudwatch.shipper import run, ship_once
from meetings.models import ClientEvent, CloudWatchShipment
from portal import aws
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import Envelope, replay, store
from tests.inbox.sending import drain_everything, record
from tests.meetings.arrivals import arrive, make_event, now_ms

pytestmark = pytest.mark.django_db

GROUP = "/greenroom/events"
DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _sink(moto: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings.AWS_ENDPOINT_URL = moto
    settings.CLOUDWATCH_LOG_GROUP = GROUP
    aws.client("logs").create_log_group(logGroupName=GROUP)
    yield
    settings.AWS_ENDPOINT_URL = moto
    aws.client("logs").delete_log_group(logGroupName=GROUP)


def ship() -> tuple[int, int]:
    with ThreadPoolExecutor(2) as pool:
        return ship_once(pool)


def ship_again() -> tuple[int, int]:
    """As if the pause were over."""
    CloudWatchShipment.objects.update(not_before=timezone.now())
    return ship()


def streams() -> dict[str, list[dict[str, Any]]]:
    logs = aws.client("logs")
    found = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    return {
        name: [
            {"at": event["timestamp"], **json.loads(event["message"])}
            for event in logs.get_log_events(
                logGroupName=GROUP, logStreamName=name, startFromHead=True
            )["events"]
        ]
        for stream in found
        for name in [stream["logStreamName"]]
    }


def joins(sdk_name: str) -> list[float]:
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AmazonChimeSDKMeetingEvents",
        MetricName="meetingStartDurationMs",
        Dimensions=[{"Name": "sdkName", "Value": sdk_name}],
        StartTime=timezone.now() - timedelta(days=1),
        EndTime=timezone.now() + timedelta(hours=1),
        Period=86400,
        Statistics=["Sum", "SampleCount"],
    )
    return [point["Sum"] for point in answer["Datapoints"]]


def test_events_arrive_as_they_were_sent_in_the_order_of_their_time() -> None:
    at = now_ms() - 5000
    late = make_event("meetingEnded", timestampMs=at + 1000, unknown={"x": [1, "ü"]})
    early = make_event("meetingStartRequested", timestampMs=str(at))
    arrive(late, early)

    assert ship() == (1, 0)

    [(name, events)] = streams().items()
    assert name.startswith("/meeting-events/m-1/a-1/")
    assert events == [{"at": at, **early}, {"at": at + 1000, **late}]
    assert not CloudWatchShipment.objects.exists()


def test_each_attendee_has_a_stream_whose_name_aws_takes() -> None:
    arrive(make_event(meetingId="a:b*c"), make_event(meetingId="a:b*c", attendeeId="x" * 200))

    ship()

    assert {name.rsplit("/", 1)[0] for name in streams()} == {
        "/meeting-events/a-b-c/a-1",
        f"/meeting-events/a-b-c/{'x' * 200}",
    }


def test_events_of_unmodified_sdks_get_the_shape_that_observers_see() -> None:
    at = now_ms() - 1000
    store(record([{"name": "meetingStartRequested", "ts": at}]), Envelope(door="client-events"))
    drain_everything()

    ship()

    [[event]] = streams().values()
    assert event["name"] == "meetingStartRequested"
    assert event["attributes"] == {
        "meetingId": "m-1",
        "attendeeId": "a-1",
        "timestampMs": at,
        "sdkName": "amazon-chime-sdk-js",
    }


def test_a_successful_join_is_a_metric_by_sdk_name() -> None:
    arrive(
        make_event("meetingStartSucceeded", meetingStartDurationMs="861", sdkName="jöin"),
        make_event("meetingStartSucceeded", attendeeId="a-2", meetingStartDurationMs=0),
        make_event("meetingStartSucceeded", attendeeId="a-3", sdkName="jöin"),
        make_event("meetingEnded", meetingStartDurationMs=5, sdkName="jöin"),
    )

    ship()

    assert joins("j?in") == [861.0]


def test_nothing_is_noted_while_the_sink_is_off(settings: Settings) -> None:
    settings.CLOUDWATCH_LOG_GROUP = ""

    arrive(make_event())

    assert ClientEvent.objects.exists()
    assert not CloudWatchShipment.objects.exists()
    assert watch.check_cloudwatch().ok


def test_an_event_that_came_twice_is_sent_once() -> None:
    event = make_event()
    arrive(event)
    arrive(event, make_event("meetingEnded"))

    ship()

    assert sorted(one["name"] for events in streams().values() for one in events) == [
        "meetingEnded",
        "meetingStartRequested",
    ]


def test_events_beyond_the_limits_of_aws_are_quarantined_and_the_rest_sent() -> None:
    arrive(
        make_event("tooOld", timestampMs=now_ms() - 15 * DAY_MS),
        make_event("tooNew", timestampMs=now_ms() + 3 * 3600 * 1000),
        make_event("fits"),
    )

    ship()

    assert [event["name"] for events in streams().values() for event in events] == ["fits"]
    held = Quarantine.objects.held().order_by("reason")
    assert [item.reason for item in held] == ["cloudwatch-too-new", "cloudwatch-too-old"]
    assert json.loads(held[0].raw())["event"]["name"] == "tooNew"


def test_a_quarantined_event_can_be_replayed() -> None:
    arrive(make_event("tooNew", timestampMs=now_ms() + 3 * 3600 * 1000))
    ship()
    item = Quarantine.objects.get()

    replay([item], actor=None)
    drain_everything()
    ship()

    item.refresh_from_db()
    assert item.state == "held"
    assert item.count == 2


def test_a_missing_log_group_holds_everything_back_and_says_how_to_make_it(
    settings: Settings,
) -> None:
    settings.CLOUDWATCH_LOG_GROUP = "/not/there"
    arrive(make_event())

    assert ship() == (0, 1)
    CloudWatchShipment.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    behind = watch.check_cloudwatch()

    assert behind.ok is False
    assert not behind.essential
    assert "create-log-group --log-group-name /not/there" in behind.remedy
    settings.CLOUDWATCH_LOG_GROUP = GROUP
    assert ship_again() == (1, 0)
    assert len(streams()) == 1


def test_what_aws_did_not_answer_is_sent_later_to_the_same_stream(
    settings: Settings, moto: str
) -> None:
    arrive(make_event())
    stream = CloudWatchShipment.objects.get().stream
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"  # nobody listens there

    assert ship() == (0, 1)
    waiting = CloudWatchShipment.objects.get()
    assert waiting.not_before > timezone.now()
    assert waiting.error
    assert ship() == (0, 0)

    settings.AWS_ENDPOINT_URL = moto
    assert ship_again() == (1, 0)
    assert list(streams()) == [stream]


def test_two_drains_never_send_the_same_shipment(settings: Settings) -> None:
    arrive(make_event())
    CloudWatchShipment.objects.update(not_before=timezone.now() + LEASE)

    assert ship() == (0, 0)
    assert streams() == {}


def test_a_shipment_whose_delivery_is_gone_is_given_up() -> None:
    arrive(make_event())
    Delivery.objects.all().delete()

    ship()

    assert not CloudWatchShipment.objects.exists()


def test_the_figures_say_how_much_waits() -> None:
    arrive(make_event())

    figures = {figure.name: list(figure.values) for figure in watch.read_figures()}

    assert figures["greenroom_cloudwatch_waiting"] == [({}, 1)]


@pytest.mark.django_db(transaction=True)
def test_the_loop_beside_the_drain_sends_by_itself_and_stops_when_told() -> None:
    arrive(make_event())
    stop = threading.Event()
    loop = threading.Thread(target=run, args=[stop])

    loop.start()
    for _ in range(100):
        if not CloudWatchShipment.objects.exists():
            break
        stop.wait(0.1)
    stop.set()
    loop.join(timeout=10)

    assert not loop.is_alive()
    assert len(streams()) == 1
