"""Day partitions on the real tables: made ahead, dropped whole, nobody held up."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from portal import partitions
from portal.inbox.models import Delivery
from portal.inbox.services import Envelope, store
from portal.partitions import DayTable, Unit

DELIVERIES = DayTable("inbox_delivery", "stored_on", Unit.DATE, fillfactor=80)
EVENTS = DayTable("meetings_clientevent", "client_ms", Unit.EPOCH_MS)
DAY = date(2026, 3, 1)


def day_count(table: DayTable) -> int:
    return sum(1 for one in partitions.partitions(table) if one.day)


def test_a_new_database_has_one_partition_for_everything(db: None) -> None:
    assert [one.name for one in partitions.partitions(DELIVERIES)] == ["inbox_delivery_other"]
    assert [one.name for one in partitions.partitions(EVENTS)] == ["meetings_clientevent_other"]


@pytest.mark.parametrize("table", [DELIVERIES, EVENTS])
def test_days_are_made_once(db: None, table: DayTable) -> None:
    days = partitions.days_around(DAY)

    made = [partitions.make_days(table, days), partitions.make_days(table, days)]

    assert made == [11, 0]
    found = partitions.partitions(table)
    assert [one.day for one in found] == [*days, None]


def test_borders_of_milliseconds_are_those_of_the_day() -> None:
    assert EVENTS.border(DAY) == datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000


def test_rows_that_came_before_their_day_was_made_move_into_it(db: None) -> None:
    store(b"[1]", Envelope(door="meetingevents"))
    [delivery] = Delivery.objects.all()

    partitions.make_days(DELIVERIES, [delivery.stored_on])

    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM inbox_delivery")
        assert cursor.fetchall() == [(DELIVERIES.partition_of(delivery.stored_on),)]
    assert store(b"[1]", Envelope(door="meetingevents")) == delivery.pk
    assert Delivery.objects.get().copies == 2


def test_days_that_are_due_are_dropped_with_their_rows_and_no_others(db: None) -> None:
    partitions.make_days(DELIVERIES, [DAY, DAY + timedelta(days=1)])
    for day in (DAY, DAY + timedelta(days=1), DAY + timedelta(days=9)):
        Delivery.objects.create(
            door="d", body=b"", size_bytes=0, digest=b"%d" % day.day, stored_on=day
        )

    gone = partitions.drop_days(DELIVERIES, before=DAY + timedelta(days=1))

    assert gone == [DAY]
    kept = Delivery.objects.order_by("stored_on").values_list("stored_on", flat=True)
    assert list(kept) == [DAY + timedelta(days=1), DAY + timedelta(days=9)]


def test_a_day_with_rows_that_are_needed_stays(db: None) -> None:
    table = replace(DELIVERIES, needed="state = 'waiting'")
    partitions.make_days(table, [DAY, DAY + timedelta(days=1)])
    known = {"door": "d", "body": b"", "size_bytes": 0, "digest": b""}
    Delivery.objects.create(stored_on=DAY, state="waiting", **known)
    Delivery.objects.create(stored_on=DAY + timedelta(days=1), state="handled", **known)

    gone = partitions.drop_days(table, before=DAY + timedelta(days=5))

    assert gone == [DAY + timedelta(days=1)]
    assert partitions.oldest_day(table) == DAY
    assert partitions.needed_rows(table, partitions.partitions(table)[0]) == 1


def test_lasting_rows_of_a_day_that_is_dropped_move_to_all_else(db: None) -> None:
    table = replace(DELIVERIES, lasting="state = 'waiting'")
    partitions.make_days(table, [DAY])
    for number, state in enumerate(["waiting", "handled"]):
        Delivery.objects.create(
            door="d", body=b"", size_bytes=0, digest=b"%d" % number, stored_on=DAY, state=state
        )

    gone = partitions.drop_days(table, before=DAY + timedelta(days=1))

    assert gone == [DAY]
    assert [one.state for one in Delivery.objects.all()] == ["waiting"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM inbox_delivery")
        assert cursor.fetchall() == [(DELIVERIES.other,)]


@pytest.mark.django_db(transaction=True)
def test_a_day_that_two_make_at_once_is_made_once() -> None:
    made: list[int] = []
    problems: list[BaseException] = []
    start = threading.Barrier(3)

    def make() -> None:
        start.wait(30)
        try:
            made.append(sum(partitions.make_days(EVENTS, [DAY]) for _ in range(3)))
        except BaseException as error:
            problems.append(error)
            raise
        finally:
            connection.close()

    makers = [threading.Thread(target=make) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert not problems
    assert sum(made) == 1
    assert partitions.drop_days(EVENTS, before=DAY + timedelta(days=1)) == [DAY]


def test_the_partition_of_all_else_is_searched_by_clock_and_by_arrival(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexdef LIKE ANY(%s)",
            [EVENTS.other, ["%(client_ms)", "%(received_at)"]],
        )
        assert len(cursor.fetchall()) == 2


@pytest.mark.django_db(transaction=True)
def test_a_day_that_is_being_read_stays_and_holds_nobody_up() -> None:
    partitions.make_days(DELIVERIES, [DAY])
    reading, finish = threading.Event(), threading.Event()

    def read() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM inbox_delivery_20260301")
            reading.set()
            finish.wait(30)
            cursor.execute("ROLLBACK")
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(30)
    try:
        assert partitions.drop_days(DELIVERIES, before=DAY + timedelta(days=1)) == []
        [day] = partitions.due(DELIVERIES, before=DAY + timedelta(days=1))
        assert partitions.used_since(DELIVERIES, day)
        assert store(b"[2]", Envelope(door="meetingevents"))  # the parent is free again
    finally:
        finish.set()
        reader.join()

    assert partitions.used_since(DELIVERIES, day) is None
    assert partitions.drop_days(DELIVERIES, before=DAY + timedelta(days=1)) == [DAY]
    assert day_count(DELIVERIES) == 0


@pytest.mark.django_db(transaction=True)
def test_days_are_made_while_somebody_writes() -> None:
    writing, finish = threading.Event(), threading.Event()

    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO meetings_clientevent (attendee_id, meeting_id, name_id, client_ms, "
                "sequence, happened_at, received_at, skewed, client_id, reason, fullness, "
                "delivery_id, ordinal) SELECT 1, 1, 1, %s, 0, now(), now(), false, 1, '', 0, 1, 0",
                [EVENTS.border(DAY)],
            )
            writing.set()
            finish.wait(30)
            cursor.execute("COMMIT")
        connection.close()

    partitions.make_days(EVENTS, [DAY])
    writer = threading.Thread(target=write)
    writer.start()
    writing.wait(30)
    try:
        made = partitions.make_days(EVENTS, [DAY + timedelta(days=1)])
    finally:
        finish.set()
        writer.join()

    assert made == 1
    partitions.drop_days(EVENTS, before=DAY + timedelta(days=2))
