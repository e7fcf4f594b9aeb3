"""Attendees who are new are folded from their batch, as their facts in the database would fold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meetings import facts, folds
from meetings.facts import Arrival, AttendeeSpan
from meetings.formats import Event
from meetings.formats.gists import gist_of
from meetings.models import Attendee
from portal.inbox.models import Delivery

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 0, 0, 400_500, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
NAMES = st.sampled_from(
    [
        *("meetingStartRequested", "meetingStartSucceeded", "meetingStartFailed", "meetingEnded"),
        *("meetingReconnected", "meetingFailed", "audioInputFailed", "videoInputFailed", "else"),
    ]
)
TIMES = st.sampled_from([-3, -2, -1, 0, 1, 2]).map(lambda minutes: NOON_MS + minutes * 60_000)
FAR = st.sampled_from([None, 0, 2**63 - 1, -(2**63), 10**15 + 1, NOON_MS + 86_400_000])
CLIENTS = st.sampled_from([{}, {"sdkName": "a"}, {"sdkName": "b"}, {"osName": "c"}])
EVENTS = st.builds(
    lambda name, at, client, own: Event(0, name, "m", "a", at, {**client, **own}),
    NAMES,
    TIMES | FAR,
    CLIENTS,
    st.dictionaries(st.sampled_from("xyz"), st.just(1)),
)
LINES = st.builds(
    lambda at, number: Event(0, "logLine", "m", "a", at, sequence=number), TIMES, st.integers(1, 9)
)


def make_delivery(pk: int, received_at: datetime) -> Delivery:
    return Delivery(pk=pk, door="client-events", received_at=received_at)


def columns() -> dict[str, Any]:
    return dict(Attendee.objects.values().get())


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(EVENTS | LINES, min_size=1, max_size=7), min_size=1, max_size=3))
def test_folding_again_what_a_batch_has_stored_changes_nothing(
    db: None, batch: list[list[Event]]
) -> None:
    arrivals = [
        Arrival(
            make_delivery(pk, NOON + timedelta(seconds=pk, microseconds=pk)),
            [gist_of(event) for event in events],
        )
        for pk, events in enumerate(batch)
    ]

    with transaction.atomic():
        written = facts.write(arrivals)
        folds.fold(written)
        stored = columns()
        span = AttendeeSpan(stored["id"], stored["first_client_ms"], stored["last_client_ms"])
        written.changed = [span]
        written.new_of_known = []
        folds.fold(written)
        again = columns()
        transaction.set_rollback(True)

    assert stored == again
