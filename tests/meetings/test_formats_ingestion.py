import json
from typing import Any

import pytest

from meetings.formats import UnreadableError, ingestion
from tests.meetings.make_bodies import AT, ATTENDEE, MEETING, make_record


def test_metadata_are_attributes_of_every_payload() -> None:
    body = make_record({"name": "x", "ts": 1, "id": "u"}, browserVersion="156.0.8078.79", note="")

    [event] = ingestion.read(body).events

    assert (event.meeting_id, event.attendee_id, event.client_ms) == (MEETING, ATTENDEE, 1)
    assert event.attributes == {
        "browserVersion": "156.0.8078.79",
        "browserMajorVersion": "156",
        "id": "u",
    }


def test_metadata_of_an_event_override_those_of_the_record() -> None:
    document = json.loads(make_record({"name": "x", "ts": 1}))
    document["events"][0]["metadata"] = {"meetingId": "old", "attendeeId": "old-me"}

    [event] = ingestion.read(json.dumps(document).encode()).events

    assert (event.meeting_id, event.attendee_id) == ("old", "old-me")


@pytest.mark.parametrize(
    "times",
    [
        '"ts":1678398554455',
        '"ts":1.678398554455E12',
        '"timestampMs":1678398554455.0',
        '"ts":"1678398554455"',
        '"ts":1678398554455,"timestampMs":1.7E12,"ttl":5',
    ],
)
def test_mobile_times_are_read_as_floats_and_exponents(times: str) -> None:
    body = make_record({"name": "x"}).replace(b'"name": "x"', b'"name":"x",' + times.encode())

    [event] = ingestion.read(body).events

    assert event.client_ms == 1678398554455
    assert event.attributes == {}


def test_doubles_of_the_mobile_database_become_whole_numbers_again() -> None:
    body = make_record({"name": "x", "ts": 1, "retryCount": 3.0, "batteryLevel": 0.75})

    [event] = ingestion.read(body).events

    assert repr(event.attributes) == "{'retryCount': 3, 'batteryLevel': 0.75}"


def test_other_types_of_events_are_kept_and_told() -> None:
    body = make_record({"name": "x", "ts": 1}).replace(b'"Meet"', b'"Message"')

    [event] = ingestion.read(body).events

    assert event.attributes == {"ingestionType": "Message"}


def test_ordinals_count_payloads_through_all_events_and_refused_ones_too() -> None:
    document: dict[str, Any] = json.loads(make_record({"name": "a", "ts": 1}, None))
    document["events"] += [5, {"payloads": {}}, {"payloads": [{"name": "b", "ts": 2}]}]

    reading = ingestion.read(json.dumps(document).encode())

    assert [(event.ordinal, event.name) for event in reading.events] == [(0, "a"), (4, "b")]
    assert [(item.ordinal, item.reason) for item in reading.rejected] == [
        (1, "not-an-object"),
        (2, "not-an-object"),
        (3, "no-payloads"),
    ]


@pytest.mark.parametrize(
    "payload", [None, "x", {}, {"name": "x"}, {"ts": 1}, {"name": [], "ts": 1}]
)
def test_a_rejected_payload_reads_alike_alone_and_carries_its_metadata(payload: Any) -> None:
    body = make_record({"name": "a", "ts": 1}, payload, sdkVersion="3.32.0")

    [rejected] = ingestion.read(body).rejected
    [again] = ingestion.read(rejected.raw).rejected

    assert (again.reason, again.detail, again.raw) == (
        rejected.reason,
        rejected.detail,
        rejected.raw,
    )
    assert json.loads(rejected.raw)["metadata"]["sdkVersion"] == "3.32.0"


def test_a_mended_payload_gives_the_event_it_would_have_been() -> None:
    document = json.loads(make_record({"name": "x", "retryCount": 1}, sdkName="js"))
    document["events"][0] |= {"type": "Other", "metadata": {"attendeeId": "older"}}
    [rejected] = ingestion.read(json.dumps(document).encode()).rejected
    document["events"][0]["payloads"][0]["ts"] = AT
    [expected] = ingestion.read(json.dumps(document).encode()).events

    mended = rejected.raw.replace(b'"name":"x"', f'"name":"x","ts":{AT}'.encode())

    assert ingestion.read(mended).events == [expected]


def test_large_metadata_do_not_multiply_with_refused_payloads() -> None:
    body = make_record(*[None] * 3_000, filler="x" * 500_000, sdkName="js" * 900)

    reading = ingestion.read(body)

    assert len(reading.rejected) == 21
    assert sum(len(item.raw) for item in reading.rejected) < len(body)
    assert {
        again.reason for item in reading.rejected for again in ingestion.read(item.raw).rejected[:1]
    } == {"not-an-object"}


def test_an_id_too_long_stays_too_long_in_its_rejection() -> None:
    body = make_record({"name": "x", "ts": 1}, meetingId="m" * 9_000)

    [rejected] = ingestion.read(body).rejected

    assert rejected.reason == "id-too-long"
    assert [item.reason for item in ingestion.read(rejected.raw).rejected] == ["id-too-long"]
    assert len(rejected.raw) < 1_000


def test_metadata_nested_too_deep_are_left_out() -> None:
    deep = b'"a":' + b"[" * 50 + b"]" * 50 + b',"meetingId"'
    body = make_record({"name": "x", "ts": 1}, osName="Linux").replace(b'"meetingId"', deep, 1)

    [event] = ingestion.read(body).events

    assert event.attributes == {"osName": "Linux"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"[]", "not-an-object"), (b"{}", "no-events"), (b'{"events":{}}', "no-events")],
)
def test_a_body_without_a_list_of_events_cannot_be_read(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        ingestion.read(body)

    assert caught.value.reason == reason


def test_a_body_without_a_token_is_stored_to_the_byte() -> None:
    body = make_record({"name": "x", "ts": 1, "note": "é"})

    assert ingestion.redact(body) is body


@pytest.mark.parametrize("key", ["authorization", "Authorization", "joinToken", "JoinToken"])
def test_a_token_is_taken_out_wherever_it_stands_and_the_rest_reads_as_before(key: str) -> None:
    document = json.loads(make_record({"name": "x", "ts": 1, key: "SECRET", "note": "é"}, {}))
    document |= {key: "SECRET"}
    document["metadata"][key] = {"deep": "SECRET"}
    body = json.dumps(document).encode()

    redacted = ingestion.redact(body)

    assert b"SECRET" not in redacted
    assert ingestion.read(redacted) == ingestion.read(body)
    assert all(b"SECRET" not in item.raw for item in ingestion.read(body).rejected)


@pytest.mark.parametrize(
    "body",
    [
        rb'{"\u0061uthorization":"SECRET","events":[]}',
        b'{"authorization":"SECRET","events":[',
        b"Authorization: Bearer SECRET",
        b"x bearer SECRET.SECRET-SECRET== y",
        b"joinToken=SECRET&x=1",
        b'{\\"joinToken\\":\\"SECRET\\"',
        b"\xff\xfe" + '{"authorization":"SECRET"}'.encode("utf-16-le"),
        b"junk " + b"SECRET+/" * 20 + b"==",
        b'{"authorization":"SECRET","a":'
        + b"[" * 50
        + b'{"joinToken":"SECRET"}'
        + b"]" * 50
        + b"}",
    ],
)
def test_a_token_is_blanked_in_a_body_that_cannot_be_read(body: bytes) -> None:
    redacted = ingestion.redact(body)

    assert b"SECRET" not in redacted.replace(b"\0", b"")


def test_a_broken_body_keeps_everything_but_its_token() -> None:
    body = b'{"metadata":{"meetingId":"m-1"},"authorization":"SECRET","events":[{'

    assert ingestion.redact(body) == body.replace(b"SECRET", b"(blanked)")
