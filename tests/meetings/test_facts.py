"""Facts and folds, straight on the database: each event once, any order, one state."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from meetings import facts, folds
from meetings.clocks import moment
from meetings.facts import Arrival, Written
from meetings.formats import Event
from meetings.formats.gists import gist_of
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.sightings import sightings
from portal.inbox.models import Delivery, compress, digest_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JS = {"sdkName": "amazon-chime-sdk-js", "sdkVersion": "3.32.0", "browserName": "Chrome"}


def make_delivery(*, received_at: datetime = NOON + timedelta(minutes=5)) -> Delivery:
    body = str(random.random()).encode()  # noqa: S311 - only has to differ
    return Delivery.objects.create(
        door="client-events",
        received_at=received_at,
        body=compress(body),
        size_bytes=len(body),
        digest=digest_of(body),
    )


def make_event(
    name: str, *, second: float = 0, attendee: str = "att-1", **attributes: Any
) -> Event:
    return Event(
        ordinal=0,
        name=name,
        meeting_id="meeting-1",
        attendee_id=attendee,
        client_ms=int((NOON.timestamp() + second) * 1000),
        attributes={**JS, **attributes},
    )


def write(*events: Event, received_at: datetime = NOON + timedelta(minutes=5)) -> Written:
    delivery = make_delivery(received_at=received_at)
    with transaction.atomic():
        written = facts.write([Arrival(delivery, [gist_of(event) for event in events])])
        folds.fold(written)
    return written


def test_an_event_is_stored_once_however_often_it_comes() -> None:
    event = make_event("meetingStartSucceeded", meetingStartDurationMs=861)

    first = write(event, event)
    second = write(event)

    assert len(first.new) == 1
    assert second.new == []
    assert ClientEvent.objects.get().start_duration_ms == 861


def test_the_fuller_delivery_of_an_event_counts_whatever_came_first() -> None:
    sparse = make_event("audioInputFailed")
    full = make_event("audioInputFailed", audioInputErrorMessage="NotAllowedError")

    write(full)
    write(sparse)
    reason_when_full_came_first = ClientEvent.objects.get().reason
    ClientEvent.objects.all().delete()
    write(sparse)
    write(full)

    assert reason_when_full_came_first == ClientEvent.objects.get().reason == "NotAllowedError"


def test_a_wrong_clock_is_flagged_and_still_makes_no_doubles() -> None:
    event = make_event("meetingStartRequested", second=3 * 3600)

    write(event)
    write(event, received_at=NOON + timedelta(minutes=6))

    fact = ClientEvent.objects.get()
    assert fact.skewed
    assert fact.happened_at == NOON + timedelta(minutes=5)
    offset = Attendee.objects.get().clock_offset_ms
    assert offset is not None
    assert offset == (3 * 3600 - 5 * 60) * 1000


def make_log_line(number: int, *, second: float = 0) -> Event:
    return Event(
        ordinal=number,
        name="logLine",
        meeting_id="meeting-1",
        attendee_id="att-1",
        client_ms=int((NOON.timestamp() + second) * 1000),
        sequence=number + 1,
    )


def test_log_lines_of_one_millisecond_stay_apart() -> None:
    write(*(make_log_line(number) for number in range(3)))

    assert ClientEvent.objects.count() == 3


def test_log_lines_count_once_and_tell_when_a_client_was_heard_of() -> None:
    lines = [make_log_line(number, second=10 * number) for number in range(4)]

    write(lines[2], lines[1])
    write(make_event("meetingStartRequested", second=15))
    write(*lines)

    attendee = Attendee.objects.get()
    assert (attendee.event_count, attendee.log_line_count) == (1, 4)
    assert attendee.first_event_at == NOON
    assert attendee.last_event_at == NOON + timedelta(seconds=30)


def test_a_log_line_that_turns_out_to_be_of_another_time_moves_what_it_told() -> None:
    line = make_log_line(1, second=-400_000)  # an impossible clock: our time counts
    fuller = replace(line, attributes={**line.attributes, "logLevel": "INFO"})
    write(line, make_event("meetingStartRequested", second=360))

    write(fuller, received_at=NOON + timedelta(minutes=9))

    attendee = Attendee.objects.get()
    assert attendee.log_line_count == 1
    assert attendee.first_log_at == attendee.last_log_at == NOON + timedelta(minutes=9)
    assert attendee.first_event_at == NOON + timedelta(minutes=6)
    assert attendee.last_event_at == NOON + timedelta(minutes=9)


LIFE = [
    make_event("meetingStartRequested", second=0, mediaRegion="eu-central-1"),
    make_event("meetingStartSucceeded", second=2, meetingStartDurationMs=1900),
    make_event("meetingFailed", second=60, meetingStatus="ConnectionHealthReconnect"),
    make_event("meetingStartSucceeded", second=70),
    make_event("meetingEnded", second=600, meetingStatus="Left", externalUserId="ada"),
    make_event("meetingStartRequested", second=5, attendee="att-2"),
    make_event("meetingStartFailed", second=9, attendee="att-2", meetingStatus="TaskFailed"),
    make_event(
        "meetingStartSucceeded", second=10, attendee="bot", externalUserId="aws:MediaPipeline-1"
    ),
    make_event("meetingStartSucceeded", second=20, attendee="att-3", externalMeetingId="room-7"),
]


def state() -> list[Any]:
    return [
        list(
            Attendee.objects.order_by("external_id").values_list(
                "external_id",
                "external_user_id",
                "is_bot",
                "outcome",
                "joined_at",
                "left_at",
                "event_count",
                "drop_count",
                "join_failure_count",
            )
        ),
        list(
            Meeting.objects.values_list(
                "external_meeting_id",
                "media_region",
                "attendee_count",
                "bot_count",
                "joined_count",
                "present_count",
                "failed_count",
                "dropped_count",
                "started_at",
                "ended_at",
            )
        ),
    ]


def test_a_meeting_is_folded_from_its_events() -> None:
    write(*LIFE)

    outcomes = dict(Attendee.objects.values_list("external_id", "outcome"))
    assert outcomes == {"att-1": "left", "att-2": "failed", "att-3": "present", "bot": "present"}
    meeting = Meeting.objects.get()
    assert str(meeting) == "room-7"
    assert meeting.media_region == "eu-central-1"
    assert (meeting.attendee_count, meeting.bot_count) == (3, 1)
    assert (meeting.joined_count, meeting.present_count, meeting.failed_count) == (2, 1, 1)
    assert meeting.dropped_count == 1
    assert meeting.ended_at is None


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_split_of_the_same_events_gives_the_same_state(seed: int) -> None:
    write(*LIFE)
    expected = state()
    Meeting.objects.all().delete()
    shuffled = LIFE + LIFE[::2]
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    chance.shuffle(shuffled)

    while shuffled:
        size = chance.randint(1, 4)
        write(*shuffled[:size])
        shuffled = shuffled[size:]

    assert state() == expected


def test_a_batch_of_any_size_takes_the_same_number_of_statements(
    django_assert_max_num_queries: Any,
) -> None:
    events = [
        make_event("meetingStartRequested", attendee=f"att-{number}") for number in range(300)
    ]
    delivery = make_delivery(received_at=timezone.now())

    with django_assert_max_num_queries(24), transaction.atomic():
        folds.fold(facts.write([Arrival(delivery, [gist_of(event) for event in events])]))

    assert Attendee.objects.count() == 300


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_equally_full_copies_the_one_received_first_counts(first: int) -> None:
    event = make_event("meetingEnded", second=-400_000)  # an impossible clock: our time counts
    early, late = NOON, NOON + timedelta(hours=1)
    for received_at in [early, late] if first == 0 else [late, early]:
        write(event, received_at=received_at)

    stored = ClientEvent.objects.get()

    assert stored.skewed
    assert stored.received_at == stored.happened_at == early
    assert Attendee.objects.get().left_at == early


@pytest.mark.parametrize("order", [("a", "B"), ("B", "a")])
def test_of_several_ids_one_wins_whatever_the_databases_language(order: tuple[str, str]) -> None:
    for value in order:
        write(make_event("meetingEnded", externalUserId=value, externalMeetingId=value))

    assert Attendee.objects.get().external_user_id == "a"
    assert Meeting.objects.get().external_meeting_id == "a"


def test_a_fact_knows_what_earlier_deliveries_told_of_the_attendee() -> None:
    write(make_event("meetingStartRequested", externalUserId="ada"))
    write(make_event("meetingStartRequested", attendee="bot", externalUserId="aws:MediaPipeline-1"))

    written = write(
        make_event("meetingFailed", second=9),
        make_event("meetingFailed", second=9, attendee="bot"),
        make_event("meetingFailed", second=9, attendee="att-9"),
    )

    known = {fact.gist.attendee_id: (fact.person, fact.is_bot) for fact in written.new}
    assert known == {
        "att-1": ("ada", False),
        "bot": ("aws:MediaPipeline-1", True),
        "att-9": ("att-9", False),
    }


def test_failures_name_the_person_and_leave_bots_out_whichever_delivery_told() -> None:
    write(make_event("meetingStartRequested", externalUserId="ada"))
    write(make_event("meetingStartRequested", attendee="bot", externalUserId="aws:MediaPipeline-1"))
    written = write(
        make_event("meetingFailed", second=9), make_event("meetingFailed", attendee="bot")
    )

    [failure] = sightings(written.new)

    assert (failure.kind, failure.person) == ("meetings.dropped", "ada")


LONG_REGION = "abcdefgh-abcdefghijkl-abcdefghijkl"  # of the right form, and too long by two


@pytest.mark.parametrize(
    "region", ["<script>", "EU central", "x" * 40, "eu", 7, LONG_REGION, f"{LONG_REGION}-abc"]
)
def test_what_is_no_region_is_not_taken_for_one(region: Any) -> None:
    write(make_event("meetingStartRequested", mediaRegion=region))

    assert Meeting.objects.get().media_region == ""


def test_a_replaced_fact_tells_from_which_moment_to_which_it_has_moved() -> None:
    sparse = make_event("meetingFailed", second=-400_000)  # an impossible clock: our time counts
    full = make_event("meetingFailed", second=-400_000, meetingStatus="TaskFailed")
    write(sparse, make_event("meetingEnded"))

    written = write(full, received_at=NOON + timedelta(minutes=9))

    assert written.new == []
    [replaced] = written.replaced
    assert moment(replaced.old_happened_us) == NOON + timedelta(minutes=5)
    assert moment(replaced.new_happened_us) == NOON + timedelta(minutes=9)
    assert write(sparse).replaced == []


def test_only_attendees_with_facts_from_before_become_bots() -> None:
    write(make_event("meetingStartRequested"))
    bot = "aws:MediaPipeline-1"

    written = write(
        make_event("meetingEnded", second=5, externalUserId=bot),
        make_event("meetingEnded", second=6, externalUserId="zed"),
        make_event("meetingEnded", attendee="new", externalUserId=bot),
    )

    known = Attendee.objects.get(external_id="att-1")
    assert written.new_bots == [known.pk]
    assert all(fact.is_bot for fact in written.new)
    assert known.is_bot
    assert Meeting.objects.get().bot_count == 2
    assert write(make_event("meetingEnded", second=9, externalUserId=bot)).new_bots == []


def test_a_meeting_whose_region_becomes_known_is_told_once() -> None:
    event = make_event("meetingStartRequested", mediaRegion="eu-central-1")

    first = write(event)
    second = write(event, make_event("meetingEnded", externalMeetingId="room"))

    assert first.new_regions == [Meeting.objects.get().pk]
    assert second.new_regions == []


def test_an_attendee_knows_between_which_of_their_own_times_the_facts_lie() -> None:
    write(make_event("meetingStartRequested"), make_log_line(1, second=-7))
    write(make_event("meetingEnded", second=10**9), make_event("meetingEnded", second=3))

    attendee = Attendee.objects.get()
    noon = int(NOON.timestamp() * 1000)
    assert attendee.first_client_ms == noon - 7000
    assert attendee.last_client_ms == noon + 10**12
    assert attendee.event_count == 3
