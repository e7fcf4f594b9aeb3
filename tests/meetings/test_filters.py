"""What each parameter of a list means."""

import pytest
from django.http import QueryDict

from meetings.filters import AttendeeFilter, EventFilter, MeetingFilter
from meetings.models import Attendee, ClientEvent, Meeting
from portal.timerange import TimeRange
from tests.meetings.arrivals import arrive, make_event, now_ms

pytestmark = pytest.mark.django_db


def events(query: str) -> set[str]:
    found = EventFilter(QueryDict(query), ClientEvent.objects.all()).qs
    return set(found.values_list("name__value", flat=True))


@pytest.fixture
def _two_people() -> None:
    arrive(
        make_event("meetingStartSucceeded", externalMeetingId="standup"),
        make_event("meetingEnded", meetingStatus="Left"),
        make_event("audioInputFailed", audioInputErrorMessage="NotAllowedError: denied"),
        make_event(
            "meetingStartFailed",
            meetingId="m-2",
            attendeeId="b-1",
            externalUserId="bob",
            sdkName="amazon-chime-sdk-ios",
            sdkVersion="0.27.2",
            browserName=None,
            browserMajorVersion=None,
            osName="iOS",
            meetingStatus="audioAuthenticationRejected",
        ),
        make_event(
            "appMemoryLow",
            meetingId="m-2",
            attendeeId="b-1",
            timestampMs=1000,
            sdkName="amazon-chime-sdk-ios",
        ),
    )


ALICE = {"meetingStartSucceeded", "meetingEnded", "audioInputFailed"}
FAILED = {"audioInputFailed", "meetingStartFailed"}


@pytest.mark.usefixtures("_two_people")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=meetingEnded&name=meetingStartFailed", {"meetingEnded", "meetingStartFailed"}),
        ("name=never", set()),
        ("failed=1", FAILED),
        ("failed=0", {"meetingStartSucceeded", "meetingEnded", "appMemoryLow"}),
        ("kind=meetings.join_failed", {"meetingStartFailed"}),
        ("status=Left", {"meetingEnded"}),
        ("status=-&failed=1", {"audioInputFailed"}),
        ("meeting=m-1", ALICE),
        ("meeting=standup", ALICE),
        ("attendee=b-1&skewed=0", {"meetingStartFailed"}),
        ("user=ada&user=bob&failed=1", FAILED),
        ("platform=iOS&skewed=0", {"meetingStartFailed"}),
        ("sdk=amazon-chime-sdk-ios&sdk_version=0.27.2", {"meetingStartFailed"}),
        ("browser=Chrome&browser_major=131&meeting=m-1", ALICE),
        ("browser=-", {"meetingStartFailed"}),
        ("os=Windows&os_version=11&meeting=m-1", ALICE),
        ("skewed=1", {"appMemoryLow"}),
        ("q=notallowed", {"audioInputFailed"}),
        ("q=BOB&failed=1", {"meetingStartFailed"}),
        ("q=%25", set()),
        ("range=15m&meeting=m-1", ALICE),
        ("to=2026-01-01T00:00:00Z&from=2025-01-01T00:00:00Z", set()),
        ("name=", ALICE | FAILED | {"appMemoryLow"}),
    ],
)
def test_a_parameter_narrows_the_events(query: str, expected: set[str]) -> None:
    assert events(query) == expected


@pytest.mark.usefixtures("_two_people")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("failed=1", {"m-1", "m-2"}),
        ("live=1", set()),
        ("platform=iOS", {"m-2"}),
        ("user=ada&browser=Chrome", {"m-1"}),
        ("meeting=standup", {"m-1"}),
        ("q=stand", {"m-1"}),
        ("range=1h", {"m-1", "m-2"}),
        ("to=2020-01-01", set()),
    ],
)
def test_a_parameter_narrows_the_meetings(query: str, expected: set[str]) -> None:
    found = MeetingFilter(QueryDict(query), Meeting.objects.all()).qs

    assert set(found.values_list("external_id", flat=True)) == expected


@pytest.mark.usefixtures("_two_people")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=failed&outcome=unknown", {"b-1"}),
        ("failed=1&sdk=amazon-chime-sdk-js", {"a-1"}),
        ("bot=0&meeting=m-1", {"a-1"}),
        ("bot=1", set()),
        ("attendee=b-1", {"b-1"}),
        ("q=ob", {"b-1"}),
    ],
)
def test_a_parameter_narrows_the_attendees(query: str, expected: set[str]) -> None:
    found = AttendeeFilter(QueryDict(query), Attendee.objects.all()).qs

    assert set(found.values_list("external_id", flat=True)) == expected


@pytest.mark.usefixtures("_two_people")
def test_a_page_leaves_out_what_makes_no_sense_and_says_so() -> None:
    period = TimeRange.preset("24h")
    query = QueryDict("kind=nonsense&failed=1&range=bogus")

    filtered = EventFilter(query, ClientEvent.objects.all(), period=period)

    assert set(filtered.qs.values_list("name__value", flat=True)) == FAILED
    assert len(filtered.notices()) == 1
    assert "“kind” was left out" in filtered.notices()[0]
    assert filtered.in_force() == {"failed": ["1"]}


def test_the_period_of_a_page_counts_rather_than_its_url() -> None:
    hour_ms = 3_600_000
    arrive(
        make_event("recent", timestampMs=now_ms() - 5000),
        make_event("older", timestampMs=now_ms() - 2 * hour_ms),
    )

    filtered = EventFilter(
        QueryDict("range=24h"), ClientEvent.objects.all(), period=TimeRange.preset("1h")
    )

    assert [event.name.value for event in filtered.qs] == ["recent"]
