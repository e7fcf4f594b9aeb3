"""The lanes of a meeting's time axis, its own and those of other apps."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from meetings import timeline
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.timeline import Window
from portal.charts.timeline import Lane
from tests.meetings.factories import (
    joined,
    make_meeting,
    minutes_ago,
    post,
    shut_out,
    stayed,
    thrown_out,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_other_lanes() -> Iterator[None]:
    kept = list(timeline._places)  # noqa: SLF001 - the registry has no other way back
    timeline._places.clear()  # noqa: SLF001
    yield
    timeline._places[:] = kept  # noqa: SLF001


def lanes() -> list[Lane]:
    attendees = list(Attendee.objects.order_by("external_id"))
    return timeline.attendee_lanes(attendees, url_of=lambda event: f"?event={event.pk}")


def test_each_attendee_is_a_lane_with_bars_and_marks() -> None:
    post(stayed(minutes_ago(30), attendee="a-1"))

    [lane] = lanes()

    assert lane.label == "a-1@example.com"
    assert [span.label for span in lane.spans] == ["In the meeting, then left"]
    assert [mark.kind for mark in lane.marks] == ["Asked to join", "Joined", "Left"]
    assert lane.tone == ""


def test_marks_lead_to_their_events_and_failures_tell_why() -> None:
    post(shut_out(minutes_ago(30)))

    [lane] = lanes()

    failed = lane.marks[-1]
    event = ClientEvent.objects.get(name__value="meetingStartFailed")
    assert failed.url == f"?event={event.pk}"
    assert failed.detail == "Could not join: the meeting was full"
    assert (failed.tone, failed.shape) == ("bad", "cross")
    assert lane.tone == "bad"
    assert lane.spans == []


def test_a_return_after_a_drop_is_two_bars_and_a_gap_with_its_reason() -> None:
    post(thrown_out(minutes_ago(30)) + stayed(minutes_ago(20)))

    [lane] = lanes()

    assert [span.gap for span in lane.spans] == [False, False, True]
    assert lane.spans[-1].label == "Dropped out: the audio connection broke"


def test_who_is_still_there_has_an_open_bar_and_the_window_ends_now() -> None:
    post(joined(minutes_ago(30)))

    [lane] = lanes()
    window = Window.of(Meeting.objects.get())

    assert lane.spans[0].end is None
    assert window.end >= timezone.now()


def test_the_window_of_a_meeting_without_events_is_not_empty() -> None:
    window = Window.of(make_meeting(first_event_at=None, last_event_at=None))

    assert window.end > window.start


def test_other_apps_add_lanes_above_or_below_the_attendees() -> None:
    window = Window(minutes_ago(10), timezone.now())
    timeline.register(lambda meeting, window: [Lane("Recording")], order=10)
    timeline.register(lambda meeting, window: [Lane("Chat")])

    found = timeline.lanes(make_meeting(), window, [Lane("Ada")], may=lambda permission: True)

    assert [lane.label for lane in found] == ["Recording", "Ada", "Chat"]


def test_lanes_stay_hidden_from_those_who_may_not_see_them() -> None:
    window = Window(minutes_ago(10), minutes_ago(10) + timedelta(minutes=1))
    timeline.register(lambda meeting, window: [Lane("Chat")], permission="chat.view_message")

    found = timeline.lanes(make_meeting(), window, [], may=lambda permission: False)

    assert found == []
