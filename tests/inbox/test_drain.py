"""Facts are a set: order, repetition, splitting and the way of delivery change nothing."""

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from meetings.models import ClientEvent
from portal.access.models import AuditEvent, User
from portal.errors import OperationError
from portal.inbox import drain
from portal.inbox.drain import CLAIM_GAP, claim, drain_once
from portal.inbox.handlers import WHOLE_BODY, RefusedItem, register
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import Envelope, discard, replay, store
from tests.inbox.sending import array, drain_everything, event
from tests.inbox.states import forget_everything, state
from tests.world import bodies
from tests.world.people import Company, Incident
from tests.world.visits import Visit, dice

Sent = tuple[str, bytes]

pytestmark = pytest.mark.django_db


def make_visits(*, seed: int = 7, meetings: int = 2) -> list[Visit]:
    """Visits of people with a right clock: what counts for the others is when something arrived."""
    now_ms = int(timezone.now().timestamp() * 1000)
    begin_ms = now_ms - now_ms % 86_400_000 - 3_600_000
    company = Company(dice(seed), Incident(begin_ms))
    return [
        visit
        for number in range(meetings)
        for visit in company.meeting(begin_ms + number * 60_000, minutes=10)
        if visit.happenings[0].at_ms >= begin_ms
    ]


def as_ingestion(visit: Visit, size: int = 2) -> list[Sent]:
    payloads = [bodies.js_payload(one) for one in visit.happenings]
    groups = [payloads[at : at + size] for at in range(0, len(payloads), size)]
    return [("client-events", bodies.js_record(visit, [group])) for group in groups]


def as_beacon(visit: Visit) -> Sent:
    groups = [[bodies.js_payload(one)] for one in visit.happenings]
    return ("client-events", bodies.js_record(visit, groups, token="a-token"))


def as_array(visit: Visit) -> Sent:
    return ("meetingevents", bodies.event_array(visit))


def as_strings(visit: Visit) -> Sent:
    return ("meetingevents", bodies.string_array(visit, visit.happenings))


def as_log_lines(visit: Visit) -> Sent:
    lines = [bodies.log_line(visit, number, one) for number, one in enumerate(visit.happenings)]
    return ("log-lines", bodies.log_batch(visit, lines))


def take_in(sent: Sequence[Sent]) -> None:
    for door, body in sent:
        store(body, Envelope(door))
    drain_everything()


def stored_keys() -> list[tuple[Any, ...]]:
    return list(
        ClientEvent.objects.values_list(
            "meeting__external_id", "attendee__external_id", "name__value", "client_ms"
        )
    )


# --- Once ----------------------------------------------------------------------------------


def test_an_event_counts_once_by_whatever_ways_it_comes() -> None:
    visits = make_visits()
    once = [sent for visit in visits for sent in as_ingestion(visit)]
    take_in(once)
    events = sorted(stored_keys())

    take_in(once)
    take_in([as_beacon(visit) for visit in visits])
    take_in([as_array(visit) for visit in visits])
    take_in([as_strings(visit) for visit in visits])
    take_in([as_log_lines(visit) for visit in visits])

    assert sorted(stored_keys()) == events
    assert set(events) == {key for visit in visits for key in visit.keys}


def test_failures_are_counted_once_by_whatever_ways_they_come() -> None:
    visits = make_visits(meetings=4)
    take_in([as_array(visit) for visit in visits])
    before = state()
    assert before["failures"]

    take_in([sent for visit in visits for sent in as_ingestion(visit, size=1)])
    take_in([as_array(visit) for visit in visits])

    assert state()["failures"] == before["failures"]
    assert state()["occurrences"] == before["occurrences"]


def test_an_event_that_comes_more_fully_later_is_completed() -> None:
    visit = make_visits()[0]
    take_in(as_ingestion(visit))

    take_in([as_array(visit)])

    attendee = ClientEvent.objects.select_related("attendee")[0].attendee
    assert attendee.external_user_id == visit.external_user_id
    assert ClientEvent.objects.count() == len(visit.happenings)


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, list[int], int]:
    """A world, an order of deliveries with repetitions, and a size of the drain's batches."""
    order = draw(st.lists(st.integers(0, 10_000), min_size=5, max_size=30))
    return draw(st.integers(0, 5)), order, draw(st.sampled_from([1, 2, 7, 200]))


@hypothesis_settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(plan=plans())
def test_any_order_and_any_batches_give_the_same_state(
    plan: tuple[int, list[int], int], db: None
) -> None:
    seed, order, batch = plan
    visits = make_visits(seed=seed, meetings=1)
    sent = [one for visit in visits for one in (*as_ingestion(visit), as_beacon(visit))]
    shuffled = [sent[number % len(sent)] for number in order] + sent[::-1]

    expected = state_after([sent])
    found = state_after([shuffled[at : at + batch] for at in range(0, len(shuffled), batch)])

    assert found == expected


def state_after(batches: Sequence[Sequence[Sent]]) -> dict[str, Any]:
    with transaction.atomic():
        for batch in batches:
            take_in(batch)
        found = state()
        transaction.set_rollback(True)
    return found


# --- Poison --------------------------------------------------------------------------------


@pytest.fixture
def fragile_door() -> str:
    """A door whose handling fails on the body `poison` and stores nothing."""

    def handle(batch: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
        if any(delivery.raw() == b"poison" for delivery in batch):
            raise ZeroDivisionError("cannot be handled")
        return {}

    register("test-fragile", handle)
    return "test-fragile"


def test_a_body_that_cannot_be_handled_takes_no_other_with_it(fragile_door: str) -> None:
    good = [store(b"good %d" % number, Envelope(fragile_door)) for number in range(20)]
    poison = store(b"poison", Envelope(fragile_door))
    event_id = store(array(event()), Envelope("meetingevents"))

    drain_everything()

    states = dict(Delivery.objects.values_list("pk", "state"))
    assert {states[pk] for pk in [*good, event_id]} == {"handled"}
    assert states[poison] == "quarantined"
    item = Quarantine.objects.get()
    assert item.raw() == b"poison"
    assert item.reason == "handling-failed"
    assert "ZeroDivisionError" in item.detail
    assert ClientEvent.objects.count() == 1


@pytest.mark.parametrize("attempts", [0, 9], ids=["handled", "given up"])
@pytest.mark.parametrize("door", ["meetingevents", "nobody-handles-this"])
def test_a_body_that_is_damaged_in_the_archive_is_held_as_it_is(door: str, attempts: int) -> None:
    damaged = store(array(event("a" * 50)), Envelope(door))
    behind = store(array(event("b")), Envelope("meetingevents"))
    row = Delivery.objects.get(pk=damaged)
    torn = bytes(row.body)[:-9]
    Delivery.objects.filter(pk=damaged).update(body=torn, attempts=attempts)

    drain_everything()

    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {damaged: "quarantined", behind: "handled"}
    item = Quarantine.objects.get()
    assert (item.door, item.reason, item.raw()) == (door, "body-damaged", torn)
    assert f"{row.size_bytes:,} bytes" in item.detail
    assert [name for _, _, name, _ in stored_keys()] == ["b"]


def test_a_damaged_body_that_is_replayed_is_held_again(staff: User) -> None:
    damaged = store(array(event()), Envelope("meetingevents"))
    Delivery.objects.filter(pk=damaged).update(body=b"no zstd")
    drain_everything()

    replay(Quarantine.objects.all(), actor=staff)
    Delivery.objects.waiting().update(body=b"nor this")
    drain_everything()

    item = Quarantine.objects.get()
    assert (item.state, item.reason, item.count) == ("held", "body-damaged", 2)


def test_a_body_of_an_unknown_door_is_held() -> None:
    store(b"whatever", Envelope("no-such-door"))

    drain_everything()

    assert Quarantine.objects.get().reason == "unknown-door"


def test_a_suspect_does_not_share_its_attempts_with_others() -> None:
    """Or a body which kills the process would take a whole claim with it, attempt by attempt."""
    ids = [store(array(event(timestampMs=n)), Envelope("meetingevents")) for n in range(5)]
    Delivery.objects.update(attempts=1, claimed_at=timezone.now() - 2 * CLAIM_GAP)

    claimed = claim(100)

    assert [one.id for one in claimed] == ids[:1]


def test_what_another_drain_has_just_claimed_is_left_to_it() -> None:
    store(array(event()), Envelope("meetingevents"))
    claim(100)

    assert claim(100) == []


def test_what_was_left_behind_days_ago_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "EVERYWHERE_SECONDS", 0)
    old = store(array(event()), Envelope("meetingevents"))
    Delivery.objects.update(stored_on=timezone.now() - timedelta(days=40))
    new = store(array(event()), Envelope("meetingevents"))

    drain_once()

    assert dict(Delivery.objects.values_list("pk", "state")) == {old: "handled", new: "handled"}


def test_a_claim_ends_where_its_bodies_would_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [store(array(event(timestampMs=n)), Envelope("meetingevents")) for n in range(5)]
    size = Delivery.objects.values_list("size_bytes", flat=True)[0]

    monkeypatch.setattr(drain, "BATCH_BYTES", 2 * size)
    first = claim(100)
    monkeypatch.setattr(drain, "BATCH_BYTES", size - 1)
    second = claim(100)

    assert [one.id for one in first] == ids[:2]
    assert [one.id for one in second] == ids[2:3]


def test_after_too_many_deaths_a_body_is_held(settings: Settings) -> None:
    settings.INBOX_MAX_ATTEMPTS = 3
    store(b"[]", Envelope("meetingevents"))
    Delivery.objects.update(attempts=3, claimed_at=None)

    drain_once()

    assert Delivery.objects.get().state == "quarantined"
    assert Quarantine.objects.get().reason == "handling-kills-the-drain"


# --- Several drains ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_drains_at_once_handle_everything_once(settings: Settings) -> None:
    settings.INBOX_BATCH = 5
    visits = make_visits(meetings=6)
    for door, body in [one for visit in visits for one in as_ingestion(visit, size=1)]:
        store(body, Envelope(door))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while Delivery.objects.waiting().exists():
                drain_once()
        except Exception as error:  # noqa: BLE001 - shown to the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    keys = stored_keys()
    assert len(keys) == len(set(keys))
    assert set(keys) == {key for visit in visits for key in visit.keys}
    assert not Quarantine.objects.exists()
    parallel = state()
    forget_everything()
    take_in([one for visit in visits for one in as_ingestion(visit)])
    assert state() == parallel


# --- Replay and discard --------------------------------------------------------------------


@pytest.fixture
def held(staff: User) -> Quarantine:
    broken = {"name": "meetingEnded", "attributes": {"meetingId": "m", "attendeeId": "a"}}
    take_in([("meetingevents", array(event(), broken))])
    return Quarantine.objects.get()


def test_a_held_item_says_why_and_holds_that_item_alone(held: Quarantine) -> None:
    assert held.state == "held"
    assert held.detail
    assert b"meetingEnded" in held.raw()
    assert b"meetingStartRequested" not in held.raw()
    assert held.delivery is not None


def test_a_replayed_item_that_is_refused_again_is_held_again(held: Quarantine, staff: User) -> None:
    assert replay([held], actor=staff) == 1
    drain_everything()

    held.refresh_from_db()
    assert (held.state, held.count) == ("held", 2)
    assert AuditEvent.objects.filter(action="quarantine.replay").count() == 1


def test_a_replayed_item_that_is_understood_by_now_becomes_a_fact_once(
    fragile_door: str, staff: User
) -> None:
    take_in([(fragile_door, b"poison")])
    item = Quarantine.objects.get()
    register(fragile_door, lambda _batch: {})  # the defect is mended

    assert replay([item, item], actor=staff) == 1
    drain_everything()

    item.refresh_from_db()
    assert item.state == "replayed"
    assert replay([item], actor=staff) == 0


def test_a_discarded_item_stays_discarded_when_it_comes_again(
    held: Quarantine, staff: User
) -> None:
    raw = held.raw()
    assert discard([held], reason="Known bug of app 1.2", actor=staff) == 1

    take_in([("meetingevents", raw)])

    held.refresh_from_db()
    assert (held.state, held.count) == ("discarded", 2)
    assert held.settled_by == "ada"
    assert replay([held], actor=staff) == 0


def test_discarding_needs_a_reason(held: Quarantine, staff: User) -> None:
    with pytest.raises(OperationError, match="reason"):
        discard([held], reason=" ", actor=staff)

    held.refresh_from_db()
    assert held.state == "held"


def test_the_same_bad_item_again_only_counts_up(held: Quarantine) -> None:
    store(held.raw(), Envelope("meetingevents"))
    drain_everything()

    item = Quarantine.objects.get()
    assert item.count == 2
    assert item.last_seen_at >= item.first_seen_at


def test_refusing_a_whole_body_again_only_counts_up() -> None:
    item = RefusedItem(WHOLE_BODY, "broken", "Broken.", b"x")
    register("test-refusing", lambda batch: {delivery.pk: [item] for delivery in batch})

    take_in([("test-refusing", b"a"), ("test-refusing", b"b")])

    assert Quarantine.objects.get().count == 2
