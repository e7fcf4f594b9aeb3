"""The quick readers come to what the full ones come to, or leave the body to them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meetings import vocabulary
from meetings.formats import Reading, event_array, ingestion, quick
from meetings.formats.gists import gist_of
from tests.fixtures.hostile import BODIES
from tests.inbox import hostile
from tests.meetings.make_bodies import AT, ATTENDEE, MEETING, make_array, make_item, make_record
from tests.meetings.test_formats_hostile import ANYTHING, GOOD, places
from tests.world import bodies
from tests.world.people import Company, Incident
from tests.world.visits import dice

CHIME = Path(__file__).parents[1] / "fixtures" / "chime"
FULL: dict[str, Callable[[bytes], Reading]] = {
    "meetingevents": event_array.read,
    "client-events": ingestion.read,
}
DOORS = sorted(FULL)


def agree(door: str, body: bytes) -> bool:
    """Whether the body was read quickly; then the full reader has to agree in everything."""
    gists = quick.READERS[door](body)
    if gists is None:
        return False
    reading = FULL[door](body)
    assert reading.rejected == []
    assert gists == [gist_of(event) for event in reading.events]
    return True


def captured() -> Iterator[tuple[str, bytes]]:
    doors = {"/v1/client-events": "client-events", "/prod/meetingevents": "meetingevents"}
    for name in ("lifecycle_new", "blog_array"):
        for request in json.loads((CHIME / "sdk-capture" / f"{name}.json").read_bytes())[
            "requests"
        ]:
            path = request["path"].partition("?")[0]
            if request["method"] == "POST" and path in doors:
                yield doors[path], request["body"].encode()
    yield "meetingevents", (CHIME / "sdk-capture/meetingevents-body-js-3.32.0.json").read_bytes()
    android = json.loads((CHIME / "mobile" / "android-ingestion-record-doc.json").read_bytes())
    yield "client-events", json.dumps(android["record"]).encode()


def made_up() -> Iterator[tuple[str, bytes]]:
    """What the simulated clients send."""
    company = Company(dice(3), Incident(AT))
    for number in range(6):
        for visit in company.meeting(AT + number * 60_000, minutes=10):
            payloads = [bodies.js_payload(one) for one in visit.happenings]
            mobile = [bodies.mobile_payload(visit, one, dice(1)) for one in visit.happenings]
            yield "meetingevents", bodies.event_array(visit)
            yield "client-events", bodies.js_record(visit, [payloads], token="a-token")
            yield "client-events", bodies.mobile_record(visit, mobile)


@pytest.mark.parametrize(("door", "body"), list(captured()))
def test_what_real_clients_sent_is_read_quickly_and_alike(door: str, body: bytes) -> None:
    assert agree(door, body)


def test_what_simulated_clients_send_is_read_quickly_and_alike() -> None:
    for door, body in made_up():
        assert agree(door, body)


def test_hostile_bodies_are_read_alike_or_left_to_the_full_reader() -> None:
    for body in [*(body for _, body in BODIES), *hostile.bodies()]:
        for door in DOORS:
            agree(door, body)


@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.sampled_from(DOORS))
def test_any_json_is_read_alike(document: Any, door: str) -> None:
    agree(door, json.dumps(document).encode())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(GOOD[:2]), st.data())
def test_a_good_body_with_something_replaced_is_read_alike(
    body: bytes, data: st.DataObject
) -> None:
    document = json.loads(body)
    spots = list(places(document))
    holder, key = spots[data.draw(st.integers(0, len(spots) - 1))]
    holder[key] = data.draw(ANYTHING)

    for door in DOORS:
        agree(
            door,
            json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode(errors="replace"),
        )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GOOD[:2]), st.integers(0, 400), st.integers(0, 400), st.binary(max_size=6))
def test_a_good_body_with_bytes_changed_is_read_alike(
    body: bytes, start: int, length: int, new: bytes
) -> None:
    for door in DOORS:
        agree(door, body[:start] + new + body[start + length :])


NAMES = st.sampled_from(
    sorted(
        vocabulary.KNOWN_ATTRIBUTES
        | {"audioInputError", "meetingError", "retryCountText", "mediaRegion", "MediaRegion"}
        | {
            "joinToken",
            "Authorization",
            "own",
            "ts",
            "ttl",
            "id",
            "meetingHistoryText",
            "cutValues",
        }
        | {"x" * 128, "x" * 129, "name", "signalingCloseWasCleanText"}
    )
)
STRANGE_VALUES: list[Any] = [
    *(None, "", " ", "0", 0, 0.0, -0.0, 1, True, False, "true", "Unavailable", "unknown"),
    *("Left", "left", "131.0.1", "131", 131, 131.5, "amazon-chime-sdk-ios", "amazon-chime-sdk-js"),
    *("eu-central-1", "EU-Central-1 ", "x" * 2000, "x" * 2001, "é" * 2000, "a\u202eb…", "\x07…"),
    *("aws:MediaPipeline", "12.5", "1e5", 1e300, 2**63, -(2**63), 2**64, 10**30, "9" * 25),
    *(10**400, -(10**400), 10**4200, "9" * 390),
    *([], [{}], [{"name": "a", "timestampMs": 1}], "[a: 1]", "x" * 8200),
]
VALUES = st.one_of(
    st.sampled_from(STRANGE_VALUES),
    st.text(max_size=12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
OWN = st.dictionaries(NAMES, VALUES, max_size=9)
IDS = st.sampled_from([MEETING, "", None, 7, 7.0, True, " m ", "m" * 200, "m" * 201, "m\x01"])
TIMES = st.sampled_from(
    [
        *(AT, float(AT), str(AT), "2026-11-20T12:00:00Z", None, "", 0, -1, True),
        *(2**63, -(2**63), 2**70, 10**400, -(10**400)),
    ]
)
EVENTS = st.sampled_from(
    [
        "meetingEnded",
        "meetingStartFailed",
        "audioInputFailed",
        "videoClientSignalingDropped",
        " ",
        7,
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(EVENTS, IDS | st.just(MEETING), TIMES | st.just(AT), OWN), max_size=4))
def test_arrays_of_strange_attributes_are_read_alike(items: list[Any]) -> None:
    body = make_array(
        *(
            {
                "name": name,
                "attributes": {
                    "attendeeId": ATTENDEE,
                    **own,
                    "meetingId": meeting,
                    "timestampMs": at,
                },
            }
            for name, meeting, at, own in items
        )
    )

    agree("meetingevents", body)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(EVENTS, TIMES | st.just(AT), OWN), max_size=4), OWN, OWN)
def test_records_of_strange_attributes_are_read_alike(
    items: list[Any], shared: dict[str, Any], of_group: dict[str, Any]
) -> None:
    document = json.loads(make_record(**{"name": "n", **shared}))
    document["events"] = [
        {
            "type": "Meet",
            "v": 1,
            "payloads": [{**own, "name": name, "ts": at}],
            "metadata": of_group,
        }
        for name, at, own in items
    ]

    agree("client-events", json.dumps(document).encode())


@pytest.mark.parametrize("digits", [20, 309, 400, 4299, 4301, 9000])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(
    "name", ["retryCount", "meetingDurationMs", "timestampMs", "ts", "deviceName", "attendeeId"]
)
def test_integers_of_any_length_are_read_alike(name: str, sign: str, digits: int) -> None:
    number = f"{sign}1{'0' * digits}".encode()
    for door, body in (
        ("meetingevents", make_array(make_item(**{name: "HERE"}))),
        ("client-events", make_record({"name": "a", "ts": AT, name: "HERE"})),
    ):
        agree(door, body.replace(b'"HERE"', number))


def test_groups_without_payloads_cost_nothing() -> None:
    document = json.loads(make_record({"name": "meetingEnded", "ts": AT}))
    document["metadata"] |= {f"own{number}": "x" for number in range(100)}
    document["events"][:0] = [{"payloads": [], "metadata": {"more": "x"}}] * 30

    assert agree("client-events", json.dumps(document).encode())


def test_large_metadata_and_many_groups_are_left_to_the_full_reader() -> None:
    """Which stays within bounds: quick is only what is short."""
    document = json.loads(make_record({"name": "meetingEnded", "ts": AT}))
    document["metadata"]["own"] = "x" * 2000
    document["events"][:0] = [{"payloads": []}] * 15_000

    assert not agree("client-events", json.dumps(document).encode())


def test_what_is_nested_too_deep_within_a_history_is_left_to_the_full_reader() -> None:
    for depth in range(60):
        deep: Any = 1
        for number in range(depth):
            deep = [deep] if number % 2 else {"a": deep}
        history = [{"name": "a", "timestampMs": AT, "more": deep}]
        agree("meetingevents", make_array(make_item(meetingHistory=history)))
        agree("client-events", make_record({"name": "a", "ts": AT, "meetingHistory": history}))


def test_one_and_true_are_not_taken_for_each_other() -> None:
    for value in (1, True, 1.0, "1", False, 0, 0.0):
        item = make_item(
            deviceName=value,
            externalUserId=value,
            meetingStatus=value,
            attendeeId=value or ATTENDEE,
        )
        agree("meetingevents", make_array(item))
