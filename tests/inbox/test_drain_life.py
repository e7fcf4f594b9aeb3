"""A drain that cannot go on ends, so that it is started again; and nobody waits for a busy one."""

import threading

import psycopg.errors
import pytest
from django.db import DatabaseError, InternalError, connection, transaction

from portal.database.faults import is_the_databases
from portal.inbox import drain
from portal.inbox.models import Delivery
from portal.inbox.services import Envelope, store


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> dict[str, drain.Companion]:
    """The drain without the companions that apps have registered."""
    companions: dict[str, drain.Companion] = {}
    monkeypatch.setattr(drain, "_companions", companions)
    return companions


def wait_for(stop: threading.Event) -> None:
    stop.wait()


def test_a_drain_that_fails_takes_its_companions_with_it(
    alone: dict[str, drain.Companion], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise RuntimeError("no way on")

    alone["companion"] = wait_for
    monkeypatch.setattr(drain, "drain_once", fail)
    stop = threading.Event()

    with pytest.raises(RuntimeError):
        drain.run(stop)

    assert stop.is_set()
    assert "companion" not in [thread.name for thread in threading.enumerate()]


def test_a_database_without_tables_or_without_writes_is_waited_for(
    alone: dict[str, drain.Companion], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    tries = []

    def refuse() -> int:
        tries.append(1)
        if len(tries) > 1:
            stop.set()
        raise DatabaseError("relation does not exist")

    monkeypatch.setattr(drain, "drain_once", refuse)
    monkeypatch.setattr(drain, "ERROR_SECONDS", 0.01)
    monkeypatch.setattr(connection, "close", lambda: None)

    drain.run(stop)

    assert len(tries) == 2


def test_a_companion_that_fails_is_started_again(
    alone: dict[str, drain.Companion], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []

    def fail_once(stop: threading.Event) -> None:
        starts.append(1)
        if len(starts) == 1:
            raise ValueError("something unforeseen")
        stop.set()

    alone["companion"] = fail_once
    monkeypatch.setattr(drain, "drain_once", lambda: 0)
    monkeypatch.setattr(drain, "ERROR_SECONDS", 0.01)
    monkeypatch.setattr(connection, "close", lambda: None)

    drain.run(threading.Event())

    assert len(starts) == 2


def test_a_server_that_takes_no_writes_is_not_the_bodys_fault() -> None:
    error = InternalError("cannot execute INSERT in a read-only transaction")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction()

    assert is_the_databases(error)
    assert not is_the_databases(InternalError("something else"))


@pytest.mark.django_db(transaction=True)
def test_a_copy_does_not_wait_for_the_drain_that_has_the_delivery_in_hand() -> None:
    known = store(b"[]", Envelope(door="meetingevents"))
    found = []

    def send_again() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        found.append(store(b"[]", Envelope(door="meetingevents")))
        connection.close()

    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=known)
        sender = threading.Thread(target=send_again)
        sender.start()
        sender.join(10)

    assert found == [known]
    assert store(b"[]", Envelope(door="meetingevents")) == known
    assert Delivery.objects.get().copies == 2
