"""Events, attendees, meetings and figures go when they are old, and nothing else does."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from meetings.models import Attendee, ClientEvent, Meeting
from meetings.retention import EVENTS, MEETING_DATA
from meetings.rollups.models import ClientKind, RollupCell, RollupDirty, RollupSum, RollupTrouble
from meetings.rollups.retention import COARSE, FINE
from portal import partitions
from portal.retention import DataClass, rows
from portal.retention.classes import midnight
from tests.meetings.factories import make_attendee, make_event, make_meeting

BEFORE = midnight(timezone.now() - timedelta(days=90))
OLD = BEFORE - timedelta(days=2)
YOUNG = BEFORE + timedelta(hours=1)


def purge(one: DataClass = MEETING_DATA) -> int:
    return sum(amount.rows for amount in one.purge(BEFORE))


def make_days(*moments: datetime) -> None:
    partitions.make_days(EVENTS, [moment.astimezone(UTC).date() for moment in moments])


def make_visit(*moments: datetime) -> Attendee:
    """An attendee with events at these moments, in a meeting of their own."""
    first, last = min(moments), max(moments)
    meeting = make_meeting(first_event_at=first, last_event_at=last)
    attendee = make_attendee(
        meeting=meeting,
        first_event_at=first,
        last_event_at=last,
        first_client_ms=_ms(first),
        last_client_ms=_ms(last) + 1000,
    )
    for moment in moments:
        make_event(attendee=attendee, happened_at=moment)
    return attendee


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.django_db
def test_old_days_go_with_the_attendees_and_meetings_of_which_nothing_is_left() -> None:
    make_days(OLD, YOUNG)
    make_visit(OLD)
    lasting, young = make_visit(OLD, YOUNG), make_visit(YOUNG)
    announced = MEETING_DATA.due(BEFORE)

    purge()

    assert set(Attendee.objects.all()) == {lasting, young}
    assert set(Meeting.objects.all()) == {lasting.meeting, young.meeting}
    assert set(ClientEvent.objects.values_list("attendee", flat=True)) == {lasting.pk, young.pk}
    assert ClientEvent.objects.count() == 2
    assert (announced.days, announced.rows) == ((OLD.date(),), 4)  # events, attendee, meeting
    assert not MEETING_DATA.due(BEFORE)


@pytest.mark.django_db
def test_events_with_absurd_clocks_go_by_when_they_came() -> None:
    old, young = make_visit(OLD), make_visit(YOUNG)
    make_event(attendee=old, happened_at=OLD, client_ms=0)
    kept = make_event(attendee=young, happened_at=YOUNG, client_ms=0)

    purge()

    assert kept in ClientEvent.objects.all()
    assert not ClientEvent.objects.filter(attendee=old).exists()
    assert list(Attendee.objects.all()) == [young]


@pytest.mark.django_db
def test_events_that_a_slow_clock_tells_of_an_old_day_go_by_when_they_came() -> None:
    """A fold starts from them when more comes of the attendee, and so does a count."""
    make_days(OLD)
    now = timezone.now()
    visit = make_visit(OLD)
    slow = make_attendee(
        first_event_at=now,
        last_event_at=now,
        first_client_ms=_ms(OLD),
        last_client_ms=_ms(OLD) + 1000,
        outcome="present",
    )
    kept = make_event(
        "meetingStartSucceeded",
        attendee=slow,
        client_ms=_ms(OLD) + 7,
        happened_at=now,
        skewed=True,
    )
    make_event(attendee=visit, client_ms=_ms(OLD) + 8, happened_at=OLD, skewed=True)

    purge()

    assert partitions.days(EVENTS) == []
    assert list(ClientEvent.objects.all()) == [kept]
    assert list(Attendee.objects.all()) == [slow]
    assert purge() == 0


@pytest.mark.django_db
def test_an_attendee_stays_while_an_event_of_theirs_does() -> None:
    ahead = timezone.now()
    make_days(ahead)
    attendee = make_visit(OLD)
    Attendee.objects.update(last_client_ms=_ms(ahead) + 1000)
    make_event(attendee=attendee, happened_at=ahead, received_at=OLD)

    purge()

    assert list(Attendee.objects.all()) == [attendee]
    assert list(Meeting.objects.all()) == [attendee.meeting]
    assert not MEETING_DATA.due(BEFORE)


@pytest.mark.django_db
def test_whom_something_failed_is_told_as_long_as_the_attendee_is() -> None:
    make_days(OLD, YOUNG)
    kind = ClientKind.objects.create()
    for moments in ([OLD], [OLD, YOUNG], [YOUNG]):
        attendee = make_visit(*moments)
        RollupTrouble.objects.create(
            attendee=attendee,
            meeting=attendee.meeting,
            kind=kind,
            metric="dropped",
            first_at=moments[0],
            last_at=moments[-1],
            is_simple=True,
        )

    purge()

    assert {one.last_at for one in RollupTrouble.objects.all()} == {YOUNG}
    assert RollupTrouble.objects.count() == 2
    assert not MEETING_DATA.due(BEFORE)


@pytest.mark.django_db
def test_rows_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH", 2)
    for _ in range(5):
        make_visit(OLD)

    amounts = [amount.rows for amount in MEETING_DATA.purge(BEFORE)]

    assert amounts[:3] == [2, 2, 1]
    assert not Meeting.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_a_drain_holds_is_left_for_the_next_turn() -> None:
    held, free = make_visit(OLD), make_visit(OLD)
    holding, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(Attendee.objects.select_for_update().filter(pk=held.pk))
            list(ClientEvent.objects.select_for_update(of=("self",)).filter(attendee=held))
            holding.set()
            finish.wait(30)
        connection.close()

    drain = threading.Thread(target=hold)
    drain.start()
    holding.wait(30)
    try:
        purge()
        left = set(Attendee.objects.all())
        events = ClientEvent.objects.count()
    finally:
        finish.set()
        drain.join()

    assert (left, events) == ({held}, 1)
    assert free.pk not in {one.pk for one in left}
    purge()
    assert not Attendee.objects.exists()


# --- Figures --------------------------------------------------------------------------------


def make_figures(*moments: datetime) -> None:
    kind = ClientKind.objects.create(sdk_name=f"sdk {moments[0]}")
    for moment in moments:
        RollupCell.objects.create(bucket=moment, kind=kind, is_new=False)
        for level in (300, 3600, 86_400):
            for family in ("all", "sdk"):
                RollupSum.objects.create(level=level, bucket=moment, family=family)


def levels(moment: datetime) -> Sequence[int]:
    found = RollupSum.objects.filter(bucket=moment).order_by("level")
    return list(found.values_list("level", flat=True).distinct())


@pytest.mark.django_db
def test_fine_figures_go_before_coarse_ones() -> None:
    make_figures(OLD, YOUNG)

    purge(FINE)
    fine = [levels(OLD), levels(YOUNG)]
    purge(COARSE)

    assert fine == [[3600, 86_400], [300, 3600, 86_400]]
    assert list(RollupCell.objects.values_list("bucket", flat=True)) == [YOUNG]
    assert [levels(OLD), levels(YOUNG)] == [[], [300, 3600, 86_400]]


@pytest.mark.django_db
def test_figures_that_are_still_to_be_counted_keep_what_they_are_made_from() -> None:
    make_figures(OLD)
    RollupDirty.objects.create(bucket=OLD)

    gone = purge(FINE)

    assert gone == 0
    assert "Figures stay until" in FINE.obstacles(BEFORE)[0]
    assert FINE.oldest() == OLD
