"""What clients sent is read again from the archived bodies, and the archive may have holes."""

import pytest
from pytest_django import DjangoAssertNumQueries

from meetings import archive, exports
from meetings.archive import Archived
from meetings.formats import HistoryEntry
from meetings.models import ClientEvent
from portal.inbox.models import Delivery
from tests.meetings.factories import make_event, minutes_ago, post, stayed, told

pytestmark = pytest.mark.django_db


def all_events() -> list[ClientEvent]:
    return list(ClientEvent.objects.with_everything().in_order())


def test_an_events_attributes_are_those_of_its_own_item() -> None:
    at = minutes_ago(5)
    post([told("meetingStartRequested", at, first=1), told("audioInputSelected", at, second=2)])

    found = archive.read(all_events())

    attributes = {event.name.value: found[event.pk].attributes for event in all_events()}
    assert attributes["meetingStartRequested"]["first"] == 1
    assert "first" not in attributes["audioInputSelected"]
    assert attributes["audioInputSelected"]["second"] == 2


def test_a_body_is_read_once_however_many_events_it_holds(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    post(stayed(minutes_ago(30)))
    post(stayed(minutes_ago(30), attendee="a-2"))
    events = all_events()

    with django_assert_num_queries(2):
        found = archive.read(events)

    assert len(found) == 6


def test_an_event_whose_body_is_gone_is_missing() -> None:
    post(stayed(minutes_ago(30)))
    Delivery.objects.all().delete()

    assert archive.read(all_events()) == {}


def test_an_event_that_points_at_another_item_is_missing() -> None:
    post(stayed(minutes_ago(30)))
    stranger = make_event("audioInputFailed", delivery_id=Delivery.objects.get().pk, ordinal=1)

    assert archive.read([stranger]) == {}


def test_a_page_reads_the_newest_bodies_as_far_as_they_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(4):
        post([told("meetingStartRequested", minutes_ago(10 - number), attendee=f"a-{number}")])
    monkeypatch.setattr(archive, "MOST_BODIES", 2)

    found = archive.read(all_events())

    newest = {event.attendee.external_id for event in all_events() if event.pk in found}
    assert newest == {"a-2", "a-3"}


def test_an_export_reads_all_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        post([told("meetingStartRequested", minutes_ago(10 - number), attendee=f"a-{number}")])
    monkeypatch.setattr(exports, "_BODIES_AT_A_TIME", 3)
    monkeypatch.setattr(archive, "MOST_BODIES", 3)

    records = list(exports.records_with_attributes(all_events()))

    assert [record["attributes"] is not None for record in records] == [True] * 4


def test_histories_are_merged_with_each_entry_once_in_order() -> None:
    early = HistoryEntry("audioInputSelected", 1)
    late = HistoryEntry("meetingStartRequested", 2)
    timeless = HistoryEntry("unknown", None)

    merged = archive.merged_history(
        [Archived({}, (late, timeless)), Archived({}, (early, late)), Archived({}, ())]
    )

    assert merged == [early, late, timeless]
