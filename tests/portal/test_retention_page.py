"""The page Retention, as operators see it."""

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal import partitions
from portal.access.models import User
from portal.inbox.models import Delivery
from portal.inbox.retention import DELIVERIES
from portal.retention.classes import midnight
from portal.retention.purging import make_days, purge

pytestmark = pytest.mark.django_db

PAGE = "/admin/retention/"
TODAY = midnight(datetime.now(UTC)).date()


@pytest.fixture
def viewer(client: Client) -> User:
    user = User.objects.create_user("eve", is_staff=True)
    client.force_login(user)
    return user


def make_delivery(days_ago: int, **values: object) -> None:
    day = TODAY - timedelta(days=days_ago)
    partitions.make_days(DELIVERIES, [day])
    known = {"door": "d", "body": b"x", "size_bytes": 1, "digest": b"1", "state": "handled"}
    Delivery.objects.create(**{**known, "stored_on": day, **values})


def text_of(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200
    return unescape(response.content.decode()).replace("\u00a0", " ")


@pytest.mark.usefixtures("viewer")
def test_an_empty_portal_has_nothing_to_delete(client: Client) -> None:
    make_days()

    page = text_of(client)

    assert "All that was due has been deleted" in page
    assert "RETENTION_BODIES_DAYS" in page
    assert "for ever" in page


@pytest.mark.usefixtures("viewer")
def test_what_goes_next_is_told_with_its_day(client: Client, settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_days()
    make_delivery(10)
    goes_on = TODAY + timedelta(days=21)

    page = text_of(client)

    assert f"{goes_on:%-d %B %Y}" in page
    assert "1 day, " in page
    assert "about 1 row" in page


@pytest.mark.usefixtures("viewer")
def test_what_is_due_now_and_what_was_deleted_last_are_told(
    client: Client, settings: Settings
) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_days()
    make_delivery(31)

    before = text_of(client)
    purge()
    after = text_of(client)

    assert "What is due goes within the hour" in before
    assert "Due now" in before
    assert "Due now" not in after
    assert "just now" in after


@pytest.mark.usefixtures("viewer")
def test_a_day_that_must_stay_is_a_warning_with_its_reason(
    client: Client, settings: Settings
) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_days()
    make_delivery(40, state="waiting")

    page = text_of(client)

    assert "Not all that is due could be deleted" in page
    assert "1 delivery is still waiting to be handled" in page


@pytest.mark.usefixtures("viewer")
def test_missing_days_come_first(client: Client) -> None:
    page = text_of(client)

    assert "Days are not made ahead" in page
    assert "Archived bodies: not even today's is there." in page


@pytest.mark.usefixtures("viewer")
def test_more_days_need_no_more_queries(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_days()
    for number in range(8):
        make_delivery(number)

    with django_assert_max_num_queries(110):
        text_of(client)


def test_others_must_sign_in(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
