from datetime import datetime

import pytest

from portal.failures.models import AffectedPerson, Failure, Occurrence
from portal.failures.retention import OCCURRENCES
from portal.failures.services import Actor, forget_person, resolve
from tests.failures.factories import make_failure, make_sighting, minutes

pytestmark = pytest.mark.django_db


def purge(before: datetime) -> int:
    return sum(amount.rows for amount in OCCURRENCES.purge(before))


def test_purging_takes_old_occurrences_and_leaves_the_figures() -> None:
    failure = make_failure(
        sightings=[make_sighting(happened_at=minutes(number)) for number in range(5)]
    )

    announced, deleted = OCCURRENCES.due(minutes(3)).rows, purge(minutes(3))

    failure.refresh_from_db()
    assert announced == deleted == 3
    assert (failure.occurrences, failure.occurrence_set.count()) == (5, 2)


def test_purging_takes_only_failures_that_are_resolved_and_long_gone() -> None:
    still_open, resolved = make_failure(), make_failure()
    resolve(resolved, Actor("ann"))

    announced, deleted = OCCURRENCES.due(minutes(1)).rows, purge(minutes(1))

    assert list(Failure.objects.all()) == [still_open]
    assert announced == deleted == 3


def test_a_forgotten_person_is_nowhere_any_more() -> None:
    make_failure(sightings=[make_sighting(person="ann"), make_sighting(person="bob")])

    forgotten = forget_person("ann")

    assert forgotten == 1
    assert list(AffectedPerson.objects.values_list("person", flat=True)) == ["bob"]
    assert sorted(Occurrence.objects.values_list("person", flat=True)) == ["", "bob"]
    assert Failure.objects.get().people == 2
