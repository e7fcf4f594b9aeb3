import random
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase
from pytest_django import DjangoAssertNumQueries, Settings

from portal.failures.models import (
    AffectedPerson,
    Failure,
    Occurrence,
    OccurrenceHour,
    State,
    TriageNote,
)
from portal.failures.services import Sighting, report
from tests.failures.factories import NOON, make_failure, make_sighting, minutes

pytestmark = pytest.mark.django_db


def resolve_at(failure: Failure, moment: datetime, version: str = "") -> None:
    Failure.objects.filter(pk=failure.pk).update(
        state=State.RESOLVED, resolved_at=moment, resolved_in_version=version
    )


def test_sightings_with_one_fingerprint_make_one_failure() -> None:
    new = report(
        [
            make_sighting(person="ann", happened_at=minutes(3)),
            make_sighting(person="bob", happened_at=minutes(1)),
            make_sighting(person="ann", happened_at=minutes(2)),
        ]
    )

    failure = Failure.objects.get()
    assert new == 3
    assert (failure.occurrences, failure.people) == (3, 2)
    assert (failure.first_seen_at, failure.last_seen_at) == (minutes(1), minutes(3))


def test_another_fingerprint_or_kind_is_another_failure() -> None:
    report(
        [
            make_sighting(fingerprint=("a", "b")),
            make_sighting(fingerprint=("a b",)),
            make_sighting(fingerprint=("a", "b"), kind="recordings.lost"),
        ]
    )

    assert Failure.objects.count() == 3


def test_reporting_again_changes_nothing() -> None:
    sightings = [make_sighting(), make_sighting()]
    report(sightings)

    new = report([*sightings, sightings[0]])

    failure = Failure.objects.get()
    assert new == 0
    assert (failure.occurrences, failure.people) == (2, 1)


def test_nothing_to_report_asks_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert report([]) == 0


@pytest.mark.parametrize("size", [1, 40, 400])
def test_a_batch_takes_eight_statements_whatever_its_size(
    django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    sightings = [
        make_sighting(fingerprint=(str(number % 25),), person=str(number % 50))
        for number in range(size)
    ]

    with django_assert_num_queries(8):
        report(sightings)


def test_regressions_cost_one_statement_more(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for name in ("a", "b"):
        resolve_at(make_failure(sightings=[make_sighting(fingerprint=(name,))]), minutes(1))
    again = [make_sighting(fingerprint=(name,), happened_at=minutes(2)) for name in ("a", "b")]

    with django_assert_num_queries(8):  # 7 for failures that are known
        report(again)


def test_a_batch_already_known_takes_one_statement_and_no_lock(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    sightings = [make_sighting() for _ in range(20)]
    report(sightings)

    with django_assert_num_queries(1):
        report(sightings)


# --- Too many to keep apart ------------------------------------------------------------------


def make_apart(number: int, **fields: Any) -> list[Sighting]:
    """So many sightings, each with a reason of its own."""
    return [make_sighting(fingerprint=(f"own {one}",), **fields) for one in range(number)]


@pytest.fixture
def room_for_five(settings: Settings) -> None:
    settings.FAILURES_MAX_GROUPS_PER_KIND = 5


@pytest.mark.parametrize("size", [1, 7, 40])
def test_beyond_the_limit_of_a_kind_all_else_is_one_failure(room_for_five: None, size: int) -> None:
    sightings = make_apart(40)

    new = sum(report(sightings[at : at + size]) for at in range(0, 40, size))

    various = Failure.objects.get(title__startswith="Various")
    assert new == Occurrence.objects.count() == 40
    assert Failure.objects.count() == 6
    assert (various.title, various.occurrences) == ("Various: Join failed", 35)
    assert various.reason == "Too many different reasons to keep apart"


def test_what_is_beyond_the_limit_counts_once_too(room_for_five: None) -> None:
    sightings = make_apart(8)
    report(sightings)

    assert report(sightings) == report(sightings[::-1]) == 0

    assert sum(Failure.objects.values_list("occurrences", flat=True)) == 8


def test_known_failures_and_other_kinds_are_kept_apart_beyond_the_limit(
    room_for_five: None,
) -> None:
    first = make_sighting(fingerprint=("known",))
    report([first])
    report(make_apart(20))

    report([make_sighting(fingerprint=("known",)), *make_apart(2, kind="meetings.dropped")])

    assert Failure.objects.get(fingerprint=first.group).occurrences == 2
    assert Failure.objects.filter(kind="meetings.dropped").count() == 2
    assert Failure.objects.filter(title__startswith="Various").count() == 1


def test_only_new_reasons_are_counted_against_the_limit(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    report(make_apart(30))

    with django_assert_num_queries(7):
        report(make_apart(30))


# --- What is stored --------------------------------------------------------------------------


def test_nobody_known_counts_as_no_person() -> None:
    failure = make_failure(person="")

    assert (failure.occurrences, failure.people) == (1, 0)


def test_title_reason_and_version_are_those_of_the_latest_occurrence() -> None:
    report([make_sighting(title="New words", version="3.2", happened_at=minutes(5))])

    report([make_sighting(title="Old words", version="3.1", happened_at=minutes(1))])

    failure = Failure.objects.get()
    assert (failure.title, failure.last_version) == ("New words", "3.2")


def test_what_postgresql_cannot_store_is_made_storable() -> None:
    report(
        [
            make_sighting(
                title="nul \x00 and half \ud83d a pair",
                reason="x" * 5000,
                key="key \ud800" * 4000,
                person="p" * 900,
                detail="d" * 90_000,
                tags={"browser\x00": "\udfff" * 500, "empty": ""},
                fingerprint=("\ud800", "\x00"),
            )
        ]
    )

    occurrence = Occurrence.objects.get()
    assert occurrence.failure.title == "nul \ufffd and half \ufffd a pair"
    assert len(occurrence.failure.reason) == 500
    assert list(occurrence.tags) == ["browser\ufffd"]


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "/\\evil", "javascript:alert(1)", "x" * 5000]
)
def test_only_paths_of_the_portal_are_kept_as_links(url: str) -> None:
    report([make_sighting(url=url)])

    assert Occurrence.objects.get().url == ""


def test_an_occurrence_after_the_resolution_reopens() -> None:
    failure = make_failure()
    resolve_at(failure, minutes(10))

    report([make_sighting(fingerprint=(failure.title,), happened_at=minutes(11), version="3.4")])

    failure.refresh_from_db()
    note = TriageNote.objects.get()
    assert failure.state == State.OPEN
    assert failure.regressed_at == minutes(11)
    assert failure.revision == 1
    assert (note.author_name, note.from_state, note.to_state) == ("Greenroom", "resolved", "open")
    assert note.text == "Happened again in version 3.4 after it was resolved."


def test_a_late_arrival_from_before_the_resolution_does_not_reopen() -> None:
    failure = make_failure()
    resolve_at(failure, minutes(10))

    report([make_sighting(fingerprint=(failure.title,), happened_at=minutes(9))])

    failure.refresh_from_db()
    assert (failure.state, failure.occurrences) == (State.RESOLVED, 2)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("3.9.1", State.RESOLVED),
        ("3.20", State.OPEN),
        ("3.20.0", State.OPEN),
        ("3.100", State.OPEN),
        ("", State.OPEN),
        ("unknown", State.OPEN),
    ],
)
def test_an_older_version_is_expected_to_fail_still(version: str, state: State) -> None:
    failure = make_failure()
    resolve_at(failure, minutes(10), version="3.20.0")

    report([make_sighting(fingerprint=(failure.title,), happened_at=minutes(11), version=version)])

    failure.refresh_from_db()
    assert failure.state == state


def test_an_earlier_return_that_arrives_later_dates_the_regression_back() -> None:
    failure = make_failure()
    resolve_at(failure, minutes(10))

    report([make_sighting(fingerprint=(failure.title,), happened_at=minutes(20))])
    report([make_sighting(fingerprint=(failure.title,), happened_at=minutes(12))])

    failure.refresh_from_db()
    assert failure.regressed_at == minutes(12)
    assert TriageNote.objects.count() == 1


def test_an_acknowledged_failure_stays_acknowledged() -> None:
    failure = make_failure()
    Failure.objects.filter(pk=failure.pk).update(state=State.ACKNOWLEDGED)

    report([make_sighting(fingerprint=(failure.title,), happened_at=timezone.now())])

    failure.refresh_from_db()
    assert failure.state == State.ACKNOWLEDGED


# --- Any order, any duplication, any split ---------------------------------------------------

any_sighting = st.builds(
    make_sighting,
    key=st.integers(0, 10_000).map(str),
    fingerprint=st.sampled_from([("a",), ("b",), ("c",)]),
    happened_at=st.integers(0, 30).map(minutes),
    person=st.sampled_from(["", "ann", "bob", "cho"]),
    version=st.sampled_from(["", "3.9", "3.20", "3.21"]),
    title=st.sampled_from(["One wording", "Another wording"]),
)


def picture() -> dict[str, Any]:
    """Everything that must not depend on the way the sightings came."""
    failures = Failure.objects.exclude(occurrences=0).values_list(
        "fingerprint", "state", "title", "occurrences", "people", "first_seen_at",
        "last_seen_at", "last_key", "last_version", "regressed_at",
    )  # fmt: skip
    return {
        "failures": sorted(failures),
        "keys": sorted(Occurrence.objects.values_list("key", "failure__fingerprint")),
        "people": sorted(
            AffectedPerson.objects.values_list(
                "failure__fingerprint", "person", "first_seen_at", "last_seen_at"
            )
        ),
        "hours": sorted(
            OccurrenceHour.objects.values_list("failure__fingerprint", "hour", "number")
        ),
        "notes": sorted(TriageNote.objects.values_list("failure__fingerprint", "action")),
    }


def clear_and_resolve(resolved: bool) -> None:
    for model in (TriageNote, AffectedPerson, Occurrence, Failure):
        model.objects.all().delete()
    if resolved:
        for name in "abc":
            key = f"before {name}"
            failure = make_failure(
                sightings=[make_sighting(fingerprint=(name,), key=key, happened_at=NOON)]
            )
            resolve_at(failure, minutes(15), version="3.20")


class ReportingInAnyOrder(HypothesisTestCase):
    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        sightings=st.lists(any_sighting, max_size=25, unique_by=lambda item: item.key),
        seed=st.integers(),
        resolved=st.booleans(),
    )
    def test_order_duplicates_and_batches_do_not_matter(
        self, sightings: list[Sighting], seed: int, resolved: bool
    ) -> None:
        clear_and_resolve(resolved)
        report(sightings)
        expected = picture()

        clear_and_resolve(resolved)
        chance = random.Random(seed)  # noqa: S311 - shuffles a test's input
        shuffled = [*sightings, *chance.choices(sightings, k=len(sightings))] if sightings else []
        chance.shuffle(shuffled)
        while shuffled:
            size = chance.randint(1, len(shuffled))
            report(shuffled[:size])
            del shuffled[:size]

        assert picture() == expected


def test_counts_agree_with_the_rows() -> None:
    report([make_sighting(person=str(number % 7)) for number in range(100)])

    failure = Failure.objects.get()
    assert failure.occurrences == failure.occurrence_set.count()
    assert failure.people == failure.affected_people.count()
    assert isinstance(failure.last_key, UUID)
