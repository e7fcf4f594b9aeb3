"""Several drains report at once."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from portal.failures.models import Failure, Occurrence
from portal.failures.services import Sighting, report
from tests.failures.factories import make_sighting


def report_in_batches(sightings: list[Sighting], seed: int) -> int:
    chance = random.Random(seed)  # noqa: S311 - shuffles a test's input
    own = chance.sample(sightings, k=len(sightings))
    try:
        new = 0
        for start in range(0, len(own), 30):
            with transaction.atomic():
                new += report(own[start : start + 30])
        return new
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_failures_neither_block_each_other_nor_count_twice() -> None:
    sightings = [
        make_sighting(fingerprint=(str(number % 8),), person=str(number % 11))
        for number in range(240)
    ]

    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda seed: report_in_batches(sightings, seed), range(4)))

    assert sum(new) == Occurrence.objects.count() == 240
    for failure in Failure.objects.all():
        assert failure.occurrences == failure.occurrence_set.count() == 30
        assert failure.people == failure.affected_people.count() == 11
        assert sum(failure.hours.values_list("number", flat=True)) == 30


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_limit_of_a_kind_count_everything_once(settings: Settings) -> None:
    settings.FAILURES_MAX_GROUPS_PER_KIND = 10
    sightings = [make_sighting(fingerprint=(str(number),)) for number in range(200)]

    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda seed: report_in_batches(sightings, seed), range(4)))

    counted = Failure.objects.values_list("occurrences", flat=True)
    assert sum(new) == sum(counted) == Occurrence.objects.count() == 200
    assert len(counted) <= 10 * 4 + 1
