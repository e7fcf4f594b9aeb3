"""Stays and gaps of an attendee, from events that may be missing, late or absurd."""

from datetime import timedelta

import pytest
from django.utils import timezone

from meetings.models import Attendee, ClientEvent
from meetings.presence import Presence, presence
from tests.meetings.factories import make_attendee, make_event, minutes_ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def attendee() -> Attendee:
    return make_attendee()


def happened(attendee: Attendee, *names: tuple[str, float]) -> Presence:
    for name, ago in names:
        make_event(name, attendee=attendee, happened_at=minutes_ago(ago))
    events = ClientEvent.objects.select_related("name", "status").in_order()
    return presence(events, timezone.now())


def endings(found: Presence) -> list[str]:
    return [stay.ending for stay in found.stays]


def test_a_stay_lasts_from_joining_to_leaving(attendee: Attendee) -> None:
    found = happened(attendee, ("meetingStartSucceeded", 30), ("meetingEnded", 10))

    assert endings(found) == ["left"]
    assert found.seconds == pytest.approx(1200, abs=1)
    assert found.gaps == []


def test_who_has_not_left_is_still_there(attendee: Attendee) -> None:
    found = happened(attendee, ("meetingStartSucceeded", 30))

    assert endings(found) == ["open"]
    assert found.stays[0].end is None
    assert found.is_going_on
    assert found.seconds == pytest.approx(1800, abs=1)


def test_who_is_silent_for_a_day_is_gone_unheard(attendee: Attendee) -> None:
    found = happened(attendee, ("meetingStartSucceeded", 30 * 60), ("audioInputSelected", 29 * 60))

    assert endings(found) == ["unheard"]
    assert found.stays[0].end is not None
    assert found.seconds == pytest.approx(3600, abs=1)


def test_a_drop_and_a_return_are_two_stays_with_a_gap_that_tells_why(attendee: Attendee) -> None:
    make_event(
        "meetingFailed",
        attendee=attendee,
        status="AudioDisconnected",
        happened_at=minutes_ago(20),
    )

    found = happened(
        attendee,
        ("meetingStartSucceeded", 30),
        ("meetingStartSucceeded", 18),
        ("meetingEnded", 5),
    )

    assert endings(found) == ["dropped", "left"]
    [gap] = found.gaps
    assert gap.reason == "Dropped out: the audio connection broke"
    assert gap.end - gap.start == pytest.approx(timedelta(minutes=2), abs=timedelta(seconds=1))


def test_leaving_and_coming_back_is_no_gap(attendee: Attendee) -> None:
    found = happened(
        attendee,
        ("meetingStartSucceeded", 30),
        ("meetingEnded", 20),
        ("meetingStartSucceeded", 10),
        ("meetingEnded", 5),
    )

    assert endings(found) == ["left", "left"]
    assert found.gaps == []


def test_a_reconnect_is_a_gap_inside_one_stay(attendee: Attendee) -> None:
    found = happened(
        attendee,
        ("meetingStartSucceeded", 30),
        ("signalingDropped", 20),
        ("meetingReconnected", 19),
        ("meetingEnded", 5),
    )

    assert endings(found) == ["left"]
    assert len(found.gaps) == 1


def test_a_leave_without_a_join_starts_where_the_client_says(attendee: Attendee) -> None:
    make_event(
        "meetingEnded",
        attendee=attendee,
        happened_at=minutes_ago(10),
        meeting_duration_ms=300_000,
    )

    found = happened(attendee)

    assert found.seconds == pytest.approx(300, abs=1)


@pytest.mark.parametrize("length", [None, -4.0, 0.0, 1e300])
def test_a_leave_without_a_join_and_a_length_that_cannot_be_is_no_stay(
    attendee: Attendee, length: float | None
) -> None:
    make_event("meetingEnded", attendee=attendee, meeting_duration_ms=length)

    assert happened(attendee).stays == []


def test_a_client_whose_clock_is_not_believed_stayed_as_long_as_it_says(
    attendee: Attendee,
) -> None:
    received = minutes_ago(10)
    for name in ("meetingStartSucceeded", "meetingEnded"):
        make_event(
            name,
            attendee=attendee,
            happened_at=received,
            skewed=True,
            meeting_duration_ms=600_000 if name == "meetingEnded" else None,
        )

    assert happened(attendee).seconds == pytest.approx(600, abs=1)


def test_nothing_is_nothing(attendee: Attendee) -> None:
    found = happened(attendee)

    assert (found.stays, found.gaps, found.seconds) == ([], [], 0)
