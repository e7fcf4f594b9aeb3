"""The frame of retention: what is due, what goes in one turn, what is told of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from portal import partitions
from portal.access.models import AuditEvent
from portal.inbox.models import Delivery
from portal.inbox.retention import BODIES, DELIVERIES
from portal.inbox.services import Envelope, store
from portal.retention import Amount, DataClass, classes
from portal.retention.amounts import days_in_words
from portal.retention.checks import check_retention
from portal.retention.classes import midnight
from portal.retention.purging import ACTION, make_days, purge, purge_in_turns, wanted_days
from portal.startup import prepare_database

pytestmark = pytest.mark.django_db

TODAY = midnight(datetime.now(UTC)).date()


@dataclass
class Batches:
    """A store that has so many batches to delete."""

    left: int
    taken: int = field(default=0)

    def oldest(self) -> datetime | None:
        return None

    def there_is(self) -> Amount:
        return Amount(self.left)

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        return Amount(self.left)

    def obstacles(self, before: datetime) -> Iterator[str]:
        return iter(())

    def purge(self, before: datetime) -> Iterator[Amount]:
        while self.left:
            self.left -= 1
            self.taken += 1
            yield Amount(1)


class BrokenBatches(Batches):
    def purge(self, before: datetime) -> Iterator[Amount]:
        yield Amount(1)
        raise OperationalError("the disk is full")


@pytest.fixture
def no_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "_classes", {})


def register_batches(name: str, batches: Batches) -> Batches:
    classes.register(
        DataClass(name, name.title(), "Made up.", [batches], setting="RETENTION_BODIES_DAYS")
    )
    return batches


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def make_old_delivery(number: int, **values: object) -> Delivery:
    """Handled, and stored so many days ago, with its day made."""
    day = days_ago(number)
    partitions.make_days(DELIVERIES, [day])
    state = Delivery.State.HANDLED
    known = {"door": "d", "body": b"x", "size_bytes": 1, "digest": b"1", "state": state}
    return Delivery.objects.create(**{**known, "stored_on": day, **values})


def test_a_day_goes_once_it_is_wholly_older_than_that(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    moment = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)

    assert BODIES.cutoff(moment) == datetime(2026, 3, 1, tzinfo=UTC)


def test_no_days_keep_for_ever(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 0
    make_old_delivery(4000)

    done = purge()

    assert BODIES.cutoff() is None
    assert "bodies" not in {one.one.name for one in done}
    assert Delivery.objects.count() == 1


def test_a_purge_drops_days_and_writes_one_line_for_the_class(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    for number in (40, 31, 30, 0):
        make_old_delivery(number)

    purge()

    assert set(Delivery.objects.values_list("stored_on", flat=True)) == {days_ago(30), TODAY}
    line = AuditEvent.objects.get(action=ACTION)
    assert line.target_label == "Archived bodies"
    assert line.detail["days"] == [days_ago(40).isoformat(), days_ago(31).isoformat()]
    assert line.detail["deleted"].startswith("2 days, ")
    assert not line.actor_name


def test_a_day_with_waiting_deliveries_stays_and_says_so(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_old_delivery(40, state=Delivery.State.WAITING)
    make_old_delivery(41)
    before = BODIES.cutoff()
    assert before is not None

    purge()

    [text] = BODIES.obstacles(before)
    assert "stays: 1\u00a0delivery is still waiting" in text
    assert Delivery.objects.get().stored_on == days_ago(40)
    health = check_retention()
    assert health.ok is False
    assert not health.essential


def test_rows_outside_the_days_go_one_by_one_unless_they_wait(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    known = {"door": "d", "body": b"x", "size_bytes": 1, "stored_on": days_ago(50)}
    Delivery.objects.create(digest=b"1", state=Delivery.State.HANDLED, **known)
    waiting = Delivery.objects.create(digest=b"2", **known)

    purge()

    assert list(Delivery.objects.all()) == [waiting]


@pytest.mark.usefixtures("no_classes")
def test_a_turn_ends_after_its_time_and_the_next_goes_on() -> None:
    first, second = (register_batches(name, Batches(3)) for name in ("first", "second"))

    one = purge(longest=timedelta(0))
    other = purge()

    assert [(found.gone.rows, found.is_over) for found in one] == [(1, False), (1, False)]
    assert [(found.gone.rows, found.is_over) for found in other] == [(2, True), (2, True)]
    assert (first.left, second.left) == (0, 0)
    assert AuditEvent.objects.filter(action=ACTION).count() == 4


@pytest.mark.usefixtures("no_classes")
def test_what_one_class_cannot_delete_keeps_no_other_from_it() -> None:
    register_batches("broken", BrokenBatches(1))
    sound = register_batches("sound", Batches(2))

    with pytest.raises(OperationalError, match="disk is full"):
        purge()

    assert sound.left == 0
    lines = AuditEvent.objects.filter(action=ACTION).values_list("target_label", flat=True)
    assert set(lines) == {"Broken", "Sound"}


def test_the_job_says_what_has_gone(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_old_delivery(40)

    told = [purge_in_turns(), purge_in_turns()]

    assert told[0].startswith("Archived bodies: 1\u00a0day")
    assert told[1] == "nothing is due"


def test_days_are_made_before_the_doors_open() -> None:
    prepare_database()

    store(b"[1]", Envelope(door="meetingevents"))
    filled = [one for one in partitions.partitions(DELIVERIES) if one.day and not one.is_empty]

    assert [one.day for one in filled] == [TODAY]
    assert make_days() == 0
    assert check_retention().ok


def test_days_that_would_be_dropped_at_once_are_not_made(settings: Settings) -> None:
    settings.RETENTION_BODIES_DAYS = 1

    days = wanted_days(BODIES, timezone.now())

    assert days[0] == days_ago(1)
    assert days[-1] == days_ago(-7)


def test_missing_days_are_a_problem_that_leaves_the_portal_ready() -> None:
    health = check_retention()

    assert (health.ok, health.essential) == (False, False)
    assert "not even for today" in health.detail
    assert "manage.py purge" in health.remedy


def test_a_dry_run_says_what_would_go_and_deletes_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_old_delivery(40)

    call_command("purge", "--dry-run", "--json")

    report = json.loads(capsys.readouterr().out)
    bodies = next(one for one in report["classes"] if one["name"] == "bodies")
    assert bodies["due"]["days"] == [days_ago(40).isoformat()]
    assert bodies["due"]["rows"] == 1
    assert Delivery.objects.count() == 1
    assert not AuditEvent.objects.filter(action=ACTION).exists()


def test_the_command_tells_of_each_class(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.RETENTION_BODIES_DAYS = 30
    make_old_delivery(40)
    make_old_delivery(45, state=Delivery.State.WAITING)

    call_command("purge")

    text = capsys.readouterr().out
    assert "1 day" in text
    assert "deleted" in text
    assert "1 delivery is still waiting to be handled" in text
    assert "kept for ever" in text
    assert "days made ahead" in text
    assert Delivery.objects.count() == 1


def test_amounts_are_told_in_words() -> None:
    day = date(2026, 3, 1)
    amounts = [
        Amount(),
        Amount(1),
        Amount(10_000, is_least=True),
        Amount(310_000, 1024**3, (day, day + timedelta(days=1))),
    ]

    words = [str(amount).replace("\u00a0", " ") for amount in amounts]

    assert words == [
        "no rows",
        "1 row",
        "more than 10,000 rows",
        "2 days, 1 GiB, about 310,000 rows",
    ]
    assert days_in_words([day]) == "1 March 2026"
    assert days_in_words([day, day + timedelta(days=1)]) == "1 March 2026 to 2 March 2026"
