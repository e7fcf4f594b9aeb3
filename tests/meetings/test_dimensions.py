"""Ids are remembered only where they stand."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from meetings import dimensions
from meetings.formats.gists import ClientKey
from meetings.models import Client, EventName

CHROME: ClientKey = ("sdk", "3.1", "JavaScript", "Chrome", "131", "131.0", "Windows", "11", "")


@pytest.fixture
def lasting(transactional_db: None) -> Iterator[None]:
    """With commits, and without what other tests have left to remember."""
    dimensions.forget_known()
    yield
    dimensions.forget_known()


@pytest.mark.usefixtures("lasting")
def test_an_id_of_a_transaction_that_was_rolled_back_is_not_remembered() -> None:
    with transaction.atomic():
        first = dimensions.names({"meetingEnded"})["meetingEnded"]
        transaction.set_rollback(True)
    EventName.objects.create(value="another name takes the id")

    with transaction.atomic():
        second = dimensions.names({"meetingEnded"})["meetingEnded"]

    assert first != second
    assert EventName.objects.get(value="meetingEnded").pk == second


@pytest.mark.usefixtures("lasting")
def test_a_committed_id_is_asked_for_once() -> None:
    with transaction.atomic():
        known = dimensions.clients({CHROME})[CHROME]
    Client.objects.update(digest=b"not to be found any more")

    with transaction.atomic():
        again = dimensions.clients({CHROME})[CHROME]

    assert again == known
    assert Client.objects.count() == 1


@pytest.mark.usefixtures("lasting")
def test_another_connection_remembers_nothing_of_the_one_before() -> None:
    """It may lead to a server that has taken over without the last commits."""
    with transaction.atomic():
        dimensions.names({"meetingEnded"})
    EventName.objects.all().delete()
    connection.close()

    with transaction.atomic():
        again = dimensions.names({"meetingEnded"})["meetingEnded"]

    assert EventName.objects.get().pk == again


@pytest.mark.django_db
def test_texts_come_back_as_they_were() -> None:
    strange = {'quote " and \\ and {,}', "NULL", "é\U0001f600", " ", "a\nb"}

    ids = dimensions.names(strange)

    assert dict(EventName.objects.values_list("value", "id")) == ids
