from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from portal.access.models import AuditEvent
from portal.errors import ConflictError, OperationError
from portal.failures.models import Failure, State, TriageNote
from portal.failures.services import (
    Actor,
    acknowledge,
    add_note,
    assign,
    mute,
    reopen,
    report,
    resolve,
    undo,
    unmute,
)
from tests.failures.factories import make_failure, make_operator, make_sighting

pytestmark = pytest.mark.django_db


def make_actor() -> Actor:
    user = make_operator()
    return Actor(user.username, user)


def in_an_hour() -> datetime:
    return timezone.now() + timedelta(hours=1)


def again(failure: Failure) -> Failure:
    return Failure.objects.get(pk=failure.pk)


def test_acknowledging_makes_the_person_its_owner() -> None:
    failure, actor = make_failure(), make_actor()

    acknowledge(failure, actor)

    failure = again(failure)
    assert (failure.state, failure.owner) == (State.ACKNOWLEDGED, actor.user)


def test_acknowledging_leaves_an_owner_in_place() -> None:
    failure, owner = make_failure(), make_operator()
    assign(failure, make_actor(), owner=owner)

    acknowledge(failure, make_actor())

    assert again(failure).owner == owner


def test_resolving_ends_a_mute_and_remembers_the_version() -> None:
    failure, actor = make_failure(), make_actor()
    mute(failure, actor, until=in_an_hour())

    resolve(failure, actor, in_version=" 3.20 ")

    failure = again(failure)
    assert (failure.state, failure.resolved_in_version) == (State.RESOLVED, "3.20")
    assert failure.muted_until is None


def test_each_step_is_noted_and_audited() -> None:
    failure, actor = make_failure(), make_actor()

    resolve(failure, actor, in_version="3.20")

    note, event = TriageNote.objects.get(), AuditEvent.objects.get()
    assert (note.author, note.action, note.text) == (actor.user, "resolve", "in version 3.20")
    assert (note.from_state, note.to_state) == ("open", "resolved")
    assert (event.action, event.target_id) == ("failure.resolve", str(failure.pk))


def test_a_muted_failure_comes_back_by_itself() -> None:
    failure, actor = make_failure(), make_actor()

    mute(failure, actor, until=in_an_hour())

    now = timezone.now()
    assert list(Failure.objects.muted(now)) == [failure]
    assert list(Failure.objects.needs_someone(now)) == []
    later = now + timedelta(hours=2)
    assert list(Failure.objects.muted(later)) == []
    assert list(Failure.objects.needs_someone(later)) == [failure]


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_a_mute_ends_in_the_future_and_within_a_year(days: int) -> None:
    with pytest.raises(OperationError, match="at most a year"):
        mute(make_failure(), make_actor(), until=timezone.now() + timedelta(days=days))


def test_reopening_forgets_the_resolution() -> None:
    failure, actor = make_failure(), make_actor()
    resolve(failure, actor)

    reopen(failure, actor)

    failure = again(failure)
    assert (failure.state, failure.resolved_at) == (State.OPEN, None)


@pytest.mark.parametrize("step", [acknowledge, resolve, unmute])
def test_the_second_of_two_people_is_told_who_was_first(step: Callable[..., object]) -> None:
    failure = make_failure()
    mute(failure, make_actor(), until=in_an_hour())
    seen_by_second = again(failure)
    first = make_actor()
    resolve(failure, first)

    with pytest.raises(ConflictError, match=f"{first.name} resolved just now"):
        step(seen_by_second, make_actor())

    assert again(failure).state == State.RESOLVED


def test_a_page_opened_before_the_change_is_recognised_by_its_revision() -> None:
    failure = make_failure()
    seen = failure.revision
    acknowledge(failure, make_actor())

    with pytest.raises(ConflictError, match="acknowledged just now"):
        resolve(again(failure), make_actor(), seen=seen)


def test_who_resolves_without_seeing_the_regression_is_told_of_it() -> None:
    failure = make_failure()
    resolve(failure, make_actor())
    report([make_sighting(fingerprint=(failure.title,), happened_at=timezone.now())])

    with pytest.raises(ConflictError, match="happened again and came back"):
        reopen(failure, make_actor())


@pytest.mark.parametrize("step", [acknowledge, resolve, mute])
def test_a_resolved_failure_must_be_reopened_first(step: Callable[..., object]) -> None:
    failure = make_failure()
    resolve(failure, make_actor())
    options = {"until": in_an_hour()} if step is mute else {}

    with pytest.raises(ConflictError, match="This failure is resolved already"):
        step(failure, make_actor(), **options)


def test_undo_puts_back_exactly_what_was() -> None:
    failure, actor = make_failure(), make_actor()
    acknowledge(failure, actor)
    mute(failure, actor, until=in_an_hour())
    muted_until = failure.muted_until
    note = resolve(failure, actor, in_version="3")

    undo(note, actor)

    failure = again(failure)
    assert (failure.state, failure.owner) == (State.ACKNOWLEDGED, actor.user)
    assert (failure.muted_until, failure.resolved_in_version) == (muted_until, "")


def test_undo_after_a_further_change_is_refused() -> None:
    failure, actor = make_failure(), make_actor()
    note = resolve(failure, actor)
    reopen(failure, actor)

    with pytest.raises(ConflictError, match="reopened just now"):
        undo(note, actor)


def test_undo_survives_an_owner_who_left() -> None:
    failure, actor = make_failure(), make_actor()
    leaver = make_operator()
    assign(failure, actor, owner=leaver)
    note = resolve(failure, actor)
    leaver.delete()

    undo(TriageNote.objects.get(pk=note.pk), actor)

    assert again(failure).owner is None


def test_a_failure_belongs_to_staff_only() -> None:
    with pytest.raises(OperationError, match="only to staff"):
        assign(make_failure(), make_actor(), owner=make_operator(is_staff=False))


def test_a_note_changes_nothing_else() -> None:
    failure, actor = make_failure(), make_actor()

    add_note(failure, actor, text="  Seen at the customer's \x00 office ")

    assert again(failure).revision == failure.revision
    assert TriageNote.objects.get().text == "Seen at the customer's \ufffd office"


def test_an_empty_note_is_refused() -> None:
    with pytest.raises(OperationError, match="Write something"):
        add_note(make_failure(), make_actor(), text=" \n ")
