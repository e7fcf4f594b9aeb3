"""A body that kills its database connection is held in the end; an outage blames nobody."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.utils import timezone
from pytest_django import Settings

from portal.inbox import drain, handlers
from portal.inbox.drain import (
    CLAIM_GAP,
    _handle,
    _is_unexplained_loss,
    _server_outlived,
    claim,
    drain_once,
)
from portal.inbox.handlers import RefusedItem, register
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import Envelope, store

pytestmark = pytest.mark.django_db(transaction=True)

DOOR = "test-deadly"


@pytest.fixture(autouse=True)
def no_other_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_handlers", {})


def on_poison(do: Callable[[], None]) -> None:
    """A door where the body `poison` does this in the middle of handling."""

    def handle(batch: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
        if any(delivery.raw() == b"poison" for delivery in batch):
            do()
            Delivery.objects.count()
        return {}

    register(DOOR, handle)


def cut_connection() -> None:
    """As when the backend at its other end has crashed."""
    with socket.socket(fileno=connection.connection.fileno()) as end:
        end.shutdown(socket.SHUT_RDWR)
        end.detach()


def end_politely() -> None:
    """As when the server shuts down, or another backend has crashed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@contextmanager
def database_out_of_reach() -> Iterator[None]:
    """New connections fail. The one that is open stays."""
    known = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = "1"
    try:
        yield
    finally:
        connection.settings_dict["PORT"] = known


def drain_through_losses(times: int = 40) -> None:
    for _ in range(times):
        Delivery.objects.waiting().update(claimed_at=timezone.now() - 2 * CLAIM_GAP)
        try:
            drain_once()
        except (OperationalError, InterfaceError):
            connection.close()


def attempts_of(pk: int) -> int:
    return int(Delivery.objects.values_list("attempts", flat=True).get(pk=pk))


def test_a_body_that_crashes_its_backend_is_held_and_takes_no_other_with_it(
    settings: Settings,
) -> None:
    settings.INBOX_MAX_ATTEMPTS = 3
    on_poison(cut_connection)
    good = [store(b"good %d" % number, Envelope(DOOR)) for number in range(4)]
    poison = store(b"poison", Envelope(DOOR))
    good.append(store(b"later", Envelope(DOOR)))

    drain_through_losses()

    states = dict(Delivery.objects.values_list("pk", "state"))
    assert {states[pk] for pk in good} == {"handled"}
    assert states[poison] == "quarantined"
    item = Quarantine.objects.get()
    assert (item.reason, item.raw()) == ("handling-kills-the-drain", b"poison")


def test_a_connection_that_the_server_ends_with_a_word_counts_for_nobody() -> None:
    on_poison(end_politely)
    poison = store(b"poison", Envelope(DOOR))

    drain_through_losses(10)

    assert attempts_of(poison) == 0
    assert not Quarantine.objects.exists()


@pytest.mark.parametrize(
    ("do", "unexplained"), [(end_politely, False), (cut_connection, True)], ids=["word", "none"]
)
def test_the_servers_last_word_counts_even_if_the_rollback_finds_no_database(
    do: Callable[[], None], unexplained: bool
) -> None:
    on_poison(do)
    store(b"poison", Envelope(DOOR))
    claims = claim(1)

    with database_out_of_reach(), pytest.raises(OperationalError) as lost:
        _handle(claims)

    assert "connection" in str(lost.value)  # libpq words it by TCP or socket
    assert _is_unexplained_loss(lost.value) is unexplained


def test_a_server_that_was_started_since_has_not_outlived_the_handling() -> None:
    before_it_started = time.monotonic() - 10**9

    assert _server_outlived(time.monotonic())
    assert not _server_outlived(before_it_started)


def test_an_attempt_that_an_outage_ended_is_taken_back_when_the_database_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drain, "RECOVERY_SECONDS", 0.1)
    on_poison(cut_connection)
    poison = store(b"poison", Envelope(DOOR))

    for _ in range(10):
        with database_out_of_reach(), pytest.raises(OperationalError):
            drain_once()
        connection.close()
        assert attempts_of(poison) == 1

    on_poison(lambda: None)
    drain_once()
    assert Delivery.objects.get().state == "handled"


def test_handlers_are_called_in_one_order_whatever_came_first() -> None:
    called: list[str] = []

    def note(name: str) -> Callable[[Sequence[Delivery]], Mapping[int, Sequence[RefusedItem]]]:
        def handle(batch: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
            called.append(name)
            return {}

        return handle

    both = note("of a and z")
    for door, handler in [("z", both), ("m", note("of m")), ("a", both)]:
        register(door, handler)
    store(b"1", Envelope("m"))
    store(b"2", Envelope("z"))

    drain_once()

    assert called == ["of a and z", "of m"]


def test_tables_of_another_version_are_waited_for_and_blame_no_body() -> None:
    def ask_for_what_is_not_there_yet() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tomorrow FROM inbox_delivery")

    on_poison(ask_for_what_is_not_there_yet)
    pk = store(b"poison", Envelope(door=DOOR))

    with pytest.raises(ProgrammingError, match="tomorrow"):
        drain_once()

    delivery = Delivery.objects.get(pk=pk)
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
    assert not Quarantine.objects.exists()
