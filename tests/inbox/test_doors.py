"""What each door answers, and that nothing it has acknowledged is lost."""

import json
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from meetings.models import Attendee, ClientEvent, Meeting
from portal.inbox.models import Delivery, Quarantine
from tests.inbox import hostile
from tests.inbox.sending import (
    EVENT_DOORS,
    STREAM_DOORS,
    array,
    assert_readable_by_browsers,
    captured,
    captured_array,
    drain_everything,
    event,
    log_batch,
    post,
    record,
)

INVALID_INPUT = {"error": "Invalid input: Ensure that you pass a JSON array of meeting events"}

pytestmark = pytest.mark.django_db


def names_of_events() -> list[str]:
    return sorted(ClientEvent.objects.values_list("name__value", flat=True))


# --- Format A -------------------------------------------------------------------------------


def test_the_array_of_the_real_sdk_is_stored_event_by_event(ingest_key: str) -> None:
    body = captured_array()

    response = post(ingest_key, "meetingevents", body)
    drain_everything()

    assert (response.status_code, response.json()) == (200, {})
    assert names_of_events() == sorted(item["name"] for item in json.loads(body))
    assert Attendee.objects.get().external_user_id == "user-1#Ada"
    assert Meeting.objects.get().external_meeting_id == "capture-room-é"
    assert not Quarantine.objects.exists()


@pytest.mark.parametrize("where", ["meetingevents", "prod/meetingevents"])
def test_the_originals_path_is_open_only_when_asked_for(settings: Settings, where: str) -> None:
    shut = post("", where, array(event()))
    settings.INGEST_ANONYMOUS = True
    opened = post("", where, array(event()))

    assert shut.status_code == 401
    assert_readable_by_browsers(shut)
    assert (opened.status_code, opened.json()) == (200, {})
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_array_is_fine(ingest_key: str, body: bytes) -> None:
    response = post(ingest_key, "meetingevents", body)

    assert (response.status_code, response.json()) == (200, {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{}",
        b"null",
        b'"x"',
        b"1",
        b"[null]",
        b"[1]",
        b'[{"name":"meetingEnded"}]',
        array(event(meetingId="")),
        array(event(attendeeId=None)),
        array({"name": "a", "attributes": {"meetingId": "m"}}),
    ],
)
def test_what_the_original_refuses_is_refused_in_its_words_and_kept(
    ingest_key: str, body: bytes
) -> None:
    response = post(ingest_key, "meetingevents", body)

    assert (response.status_code, response.json()) == (422, INVALID_INPUT)
    item = Quarantine.objects.get()
    assert item.raw() == body
    assert item.delivery is not None
    assert item.delivery.state == Delivery.State.QUARANTINED
    assert item.delivery.key is not None


def _broken_later() -> bytes:
    return array(event(), None, {"name": "x"}, event("meetingEnded", timestampMs="soon"))


@pytest.mark.parametrize(
    ("body", "stored", "held"),
    [
        (array(event("b", timestampMs=1_795_252_700_000), event("a")), 2, 0),
        (array(event("meetingStartSucceeded", sdkName=None)), 1, 0),
        (array(event(timestampMs=None)), 0, 1),
        (_broken_later(), 1, 3),
        (array(event(meetingId="m-1"), event(meetingId="m-2"), event(meetingId="m:3*")), 3, 0),
        (array(event(timestampMs="1795252656926", retryCount="3")), 1, 0),
        (array(event(timestampMs=1_795_252_656_926.75)), 1, 0),
        (array(event(), event("b", timestampMs=1_795_252_656_926 + 90_000_000)), 2, 0),
        (array(event(meetingId=12345)), 1, 0),
        (array(event("nobodyKnowsThis", extra={"deep": [1, 2]})), 1, 0),
    ],
    ids=[
        "unsorted",
        "no sdkName",
        "no timestamp",
        "later items broken",
        "several meetings",
        "strings",
        "float timestamp",
        "more than a day",
        "numeric meeting",
        "unknown name",
    ],
)
def test_what_crashes_the_original_is_stored_as_far_as_it_is_good(
    ingest_key: str, body: bytes, stored: int, held: int
) -> None:
    response = post(ingest_key, "meetingevents", body)
    drain_everything()

    assert (response.status_code, response.json()) == (200, {})
    assert ClientEvent.objects.count() == stored
    assert Quarantine.objects.held().count() == held


def test_twelve_thousand_events_in_one_body_of_megabytes_are_stored(ingest_key: str) -> None:
    items = [
        event(f"n{number % 7}", timestampMs=1_795_252_000_000 + number) for number in range(12_000)
    ]
    body = array(*items)

    response = post(ingest_key, "meetingevents", body)
    drain_everything()

    assert len(body) > 1_048_576
    assert response.status_code == 200
    assert ClientEvent.objects.count() == 12_000


def test_a_body_of_exactly_the_limit_is_taken(ingest_key: str) -> None:
    body = array(event())
    body += b" " * (8 * 1024 * 1024 - len(body))

    assert post(ingest_key, "meetingevents", body).status_code == 200


# --- Format B -------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", ["lifecycle_new", "blog_array"])
def test_the_requests_of_the_real_sdk_become_events(ingest_key: str, capture: str) -> None:
    expected: set[tuple[str, int]] = set()
    for request in captured(capture):
        if "client-events" not in request["path"]:
            continue
        door = request["path"].rpartition("/")[2]
        response = post(
            ingest_key,
            door,
            request["body"].encode(),
            content_type=request["headers"]["content-type"],
        )
        assert (response.status_code, response.json()) == (200, {})
        for group in json.loads(request["body"])["events"]:
            expected |= {(payload["name"], payload["ts"]) for payload in group["payloads"]}
    drain_everything()

    assert set(ClientEvent.objects.values_list("name__value", "client_ms")) == expected
    assert ClientEvent.objects.count() == len(expected)
    assert not Quarantine.objects.exists()


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "a/b; c=d", ""])
def test_the_content_type_does_not_matter(ingest_key: str, content_type: str) -> None:
    body = record([{"name": "meetingEnded", "ts": 1_795_252_656_926}])

    response = post(ingest_key, "client-events", body, content_type=content_type)
    drain_everything()

    assert response.status_code == 200
    assert names_of_events() == ["meetingEnded"]


def test_the_android_sample_of_the_sdk_is_read(ingest_key: str) -> None:
    body = record(
        [
            {"ts": 1.795252656926e12, "name": "meetingStartSucceeded", "retryCount": 0.0},
            {"ts": 1.795252657926e12, "name": "meetingEnded", "ttl": 1.7954e12},
        ]
    ).replace(b"1795252656926.0", b"1.795252656926E12")

    post(ingest_key, "client-events", body, content_type="application/json")
    drain_everything()

    assert names_of_events() == ["meetingEnded", "meetingStartSucceeded"]
    assert ClientEvent.objects.earliest("client_ms").client_ms == 1_795_252_656_926


def test_join_tokens_are_kept_nowhere(ingest_key: str) -> None:
    token = "very-secret-join-token"
    body = record([{"name": "meetingEnded", "ts": 1}, {"broken": 1}], authorization=token)
    headers = {"Authorization": f"Bearer {token}"}

    post(ingest_key, "client-events?beacon=1", body, headers=headers)
    post(ingest_key, "client-events", body[:-9], headers=headers)  # cut off: not even JSON
    post(ingest_key, "client-events", record([], authorization={"deep": token}), headers=headers)
    drain_everything()

    assert places_of(token) == []


def places_of(text: str) -> list[str]:
    """The tables in which the text stands, in a column or in an archived body."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f"SELECT count(*) FROM {connection.ops.quote_name(table)} t "  # noqa: S608
                "WHERE t::text LIKE %s",
                [f"%{text}%"],
            )
            if cursor.fetchone()[0]:
                found.append(table)
    raws = {
        "delivery bodies": [row.raw() for row in Delivery.objects.all()],
        "quarantined items": [row.raw() for row in Quarantine.objects.all()],
    }
    return found + [place for place, held in raws.items() if text.encode() in b"\0".join(held)]


# --- Formats C and D ------------------------------------------------------------------------


def test_the_log_lines_of_the_real_logger_become_events(ingest_key: str) -> None:
    lines = 0
    for request in captured("postlogger_new"):
        response = post(ingest_key, "log_meeting_event", request["body"].encode())
        assert response.status_code == 200
        lines += len(json.loads(request["body"])["logs"])
    drain_everything()

    assert ClientEvent.objects.count() == lines
    assert "meetingStartRequested" in names_of_events()


@pytest.mark.parametrize("door", ["log_meeting_event", *STREAM_DOORS])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b'{"meetingId":"m","attendeeId":"a"}'])
def test_a_logger_is_always_answered_200_because_it_resends_on_anything_else(
    ingest_key: str, door: str, body: bytes
) -> None:
    assert post(ingest_key, door, body).status_code == 200


# --- What all doors have in common ----------------------------------------------------------


def answer_of(key: str, door: str, body: bytes) -> int:
    response = post(key, door, body)
    assert_readable_by_browsers(response)
    return response.status_code


@pytest.mark.parametrize("door", [*EVENT_DOORS, "create_log_stream"])
def test_no_hostile_body_breaks_a_door_or_is_lost(ingest_key: str, door: str) -> None:
    bodies = list(dict.fromkeys(hostile.bodies()))
    assert len(bodies) >= 150

    answers = {body: answer_of(ingest_key, door, body) for body in bodies}
    drain_everything()

    assert set(answers.values()) <= ({200, 422} if door == "meetingevents" else {200})
    lost = [body[:200] for body, status in answers.items() if not is_known(body, status)]
    assert lost == []


def is_known(body: bytes, status: int) -> bool:
    """A refused body is held; an acknowledged one is archived, and is facts or held items."""
    if status == 422:
        return any(item.raw() == body for item in Quarantine.objects.filter(size_bytes=len(body)))
    archived = [row for row in Delivery.objects.filter(size_bytes=len(body)) if row.raw() == body]
    if len(archived) != 1 or archived[0].state == Delivery.State.WAITING:
        return False
    pk = archived[0].pk
    held = Quarantine.objects.filter(delivery_id=pk).exists()
    return held or archived[0].state == Delivery.State.HANDLED


def test_a_body_that_says_something_becomes_facts_or_is_held(ingest_key: str) -> None:
    """Without the possibility that another body brought the same event or item before."""
    silent = []
    for number, door in enumerate(EVENT_DOORS):
        for body in list(dict.fromkeys(hostile.bodies()))[number::4]:
            if body in hostile.EMPTY or len(body) > 100_000:
                continue
            with transaction.atomic():
                post(ingest_key, door, body)
                drain_everything()
                if not ClientEvent.objects.exists() and not Quarantine.objects.exists():
                    silent.append((door, body[:200]))
                transaction.set_rollback(True)

    assert silent == []


@pytest.mark.parametrize(
    "header", ["User-Agent", "Content-Type", "Origin", "X-Forwarded-For", "Authorization"]
)
@pytest.mark.parametrize("value", ["\0", "é" * 400, "x" * 4000, "\ud800", "<script>", ""])
def test_no_hostile_header_breaks_a_door(ingest_key: str, header: str, value: str) -> None:
    environ: dict[str, Any] = {f"HTTP_{header.upper().replace('-', '_')}": value}
    if header == "Content-Type":
        environ = {"CONTENT_TYPE": value}
    if value == "\ud800":  # as a server hands over bytes that are no UTF-8
        environ = dict.fromkeys(environ, "\xed\xa0\x80")

    response = post(ingest_key, "client-events", log_batch("x"), **environ)

    assert response.status_code == 200


def test_the_same_bytes_again_are_one_delivery_with_a_count(ingest_key: str) -> None:
    for _ in range(3):
        assert post(ingest_key, "meetingevents", array(event())).status_code == 200

    assert Delivery.objects.get().copies == 3


def test_the_delivery_says_who_sent_what(ingest_key: str) -> None:
    post(ingest_key, "client-events", b"{}", headers={"User-Agent": "Browser/1"})

    delivery = Delivery.objects.get()
    assert delivery.door == "client-events"
    assert delivery.key is not None
    assert delivery.key.name == "Test app"
    assert delivery.user_agent == "Browser/1"
    assert delivery.origin == "https://app.example"
    assert delivery.address == "127.0.0.1"
    assert delivery.size_bytes == 2
