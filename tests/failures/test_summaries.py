"""People and hours are counted while sightings come: what they say is what the rows say."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from portal.failures import evidence
from portal.failures.evidence import People
from portal.failures.hours import HOUR, Pieces, hour_of
from portal.failures.models import AffectedPerson, Failure, Occurrence, OccurrenceHour, TriageNote
from portal.failures.retention import OCCURRENCES
from portal.failures.services import Sighting, forget_person, report
from portal.timerange import TimeRange
from tests.failures.factories import NOON, make_failure, make_sighting, minutes

pytestmark = pytest.mark.django_db

DAYS = 3
END = NOON + timedelta(days=DAYS)


def between(start: datetime, end: datetime) -> TimeRange:
    return TimeRange.between(start.isoformat(), end.isoformat())


# --- Any reports, purges and forgetting ------------------------------------------------------

moments = st.integers(0, DAYS * 24 * 60 - 1).map(minutes)
reports = st.lists(
    st.builds(
        make_sighting,
        fingerprint=st.sampled_from([("a",), ("b",)]),
        happened_at=moments,
        person=st.sampled_from(["", "ann", "bob", "cho"]),
    ),
    min_size=1,
    max_size=12,
)
midnights = st.integers(1, DAYS).map(lambda days: NOON + timedelta(days=days, hours=-12))
happenings = st.lists(st.one_of(reports, midnights, st.sampled_from(["ann", "bob"])), max_size=8)


def let_happen(what: list[Sighting] | datetime | str) -> None:
    match what:
        case datetime():
            list(OCCURRENCES.purge(what))
        case str():
            forget_person(what)
        case _:
            report(what)


def by_the_hour() -> dict[tuple[int, datetime], int]:
    found = Occurrence.objects.values_list("failure_id", "happened_at")
    return dict(Counter((failure, hour_of(moment)) for failure, moment in found))


def rows_in(failure: Failure, period: TimeRange) -> list[tuple[datetime, str]]:
    found = evidence.occurrences(failure, period, {})
    return list(found.values_list("happened_at", "person"))


class SummariesOfAnything(HypothesisTestCase):
    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(happened=happenings, start=moments)
    def test_they_equal_a_recount(
        self, happened: list[list[Sighting] | datetime | str], start: datetime
    ) -> None:
        for model in (TriageNote, AffectedPerson, OccurrenceHour, Occurrence, Failure):
            model.objects.all().delete()
        for what in happened:
            let_happen(what)
        purged = max((what for what in happened if isinstance(what, datetime)), default=start)
        period = between(max(start, purged), END)

        hours = OccurrenceHour.objects.values_list("failure_id", "hour", "number")
        assert {(failure, hour): number for failure, hour, number in hours} == by_the_hour()
        for failure in Failure.objects.with_trend(period):
            rows = rows_in(failure, period)
            named = {person for _, person in rows if person}
            assert failure.in_period == len(rows)
            assert evidence.course(failure, period, {}).number == len(rows)
            assert evidence.people(failure, period, {}) == People(len(named))
            for known in failure.affected_people.filter(last_seen_at__gte=period.start):
                assert known.last_seen_at == max(
                    at for at, person in rows if person == known.person
                )

    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sightings=reports, first=moments, second=moments)
    def test_any_period_has_as_many_occurrences_in_each_bucket_and_the_people_it_hit(
        self, sightings: list[Sighting], first: datetime, second: datetime
    ) -> None:
        for model in (TriageNote, AffectedPerson, OccurrenceHour, Occurrence, Failure):
            model.objects.all().delete()
        report(sightings)
        period = between(min(first, second), max(first, second) + timedelta(seconds=1))
        starts = period.buckets(24)

        for failure in Failure.objects.with_trend(period):
            rows = rows_in(failure, period)
            buckets = Counter(max(one for one in starts if one <= at) for at, _ in rows)
            assert failure.trend == [buckets[one] for one in starts]
            named = {person for _, person in rows if person}
            assert evidence.people(failure, period, {}) == People(len(named))

    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sightings=reports, start=moments)
    def test_the_order_is_that_of_people_then_occurrences(
        self, sightings: list[Sighting], start: datetime
    ) -> None:
        for model in (TriageNote, AffectedPerson, OccurrenceHour, Occurrence, Failure):
            model.objects.all().delete()
        report(sightings)
        period = between(start, END)

        ordered = [rows_in(failure, period) for failure in Failure.objects.by_reach(period)]

        exact = period.span <= timedelta(days=1)
        reach = [
            (
                max(len({person for _, person in rows if person}), min(len(rows), 1)),
                len(rows) if exact else 0,
            )
            for rows in ordered
        ]
        assert reach == sorted(reach, reverse=True)


# --- A period in pieces ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "whole"),
    [(0, 180, 3), (1, 181, 2), (0, 59, 0), (30, 90, 0), (30, 119, 0), (30, 120, 1), (0, 60, 1)],
)
def test_only_whole_hours_are_taken_together(start: int, end: int, whole: int) -> None:
    pieces = Pieces.of(between(minutes(start), minutes(end)))

    assert (pieces.last - pieces.first) / HOUR == whole
    assert pieces.start <= pieces.first <= pieces.last <= pieces.end


def test_buckets_narrower_than_an_hour_are_counted_from_occurrences() -> None:
    period = between(minutes(0), minutes(180))

    pieces = Pieces.of(period, timedelta(minutes=10))

    assert (pieces.first, pieces.last) == (period.end, period.end)


# --- People of a time in the past ------------------------------------------------------------


def make_hit_around() -> tuple[Failure, TimeRange]:
    """Ann was hit before the period and after it, Bob in it too."""
    hits = [("ann", 0), ("ann", 600), ("bob", 0), ("bob", 300), ("bob", 600)]
    failure = make_failure(
        sightings=[make_sighting(person=who, happened_at=minutes(at)) for who, at in hits]
    )
    return failure, between(minutes(200), minutes(400))


def test_who_was_hit_only_around_a_period_is_not_of_it() -> None:
    failure, period = make_hit_around()

    assert evidence.people(failure, period, {}) == People(1)


def test_people_who_cannot_be_counted_soon_are_told_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(milliseconds: int, ask: Callable[[], Any]) -> None:
        return None

    monkeypatch.setattr(evidence, "within", never)
    failure, period = make_hit_around()

    assert evidence.people(failure, period, {}) == People(2, is_most=True)
