"""Deleting what is due, and making days ahead: at once by the command, in turns by the jobs."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone
from django.utils.module_loading import import_string

from portal import partitions
from portal.partitions import DayTable
from portal.retention.amounts import Amount
from portal.retention.classes import DataClass, midnight, registered

logger = logging.getLogger(__name__)

ACTION = "retention.purge"
# Of the 50 that a job has. What is left goes on at the next turn.
TURN = timedelta(seconds=30)

Tell = Callable[[DataClass, Amount], None]


@dataclass(frozen=True, slots=True)
class Purged:
    """What has gone of a class in one run. `is_over`: nothing that could go is left."""

    one: DataClass
    gone: Amount
    is_over: bool


def purge(*, longest: timedelta | None = None, tell: Tell | None = None) -> list[Purged]:
    """Delete what is due of each class, for at most so long.

    What one class cannot delete does not keep the others from it; the first error is raised at
    the end.
    """
    done: list[Purged] = []
    errors: list[DatabaseError] = []
    now = timezone.now()
    until = None if longest is None else time.monotonic() + longest.total_seconds()
    due = [(one, before) for one in registered() if (before := one.cutoff(now))]
    for number, (one, before) in enumerate(due):
        # Each gets its part of what is left, so that a large one does not starve those after it.
        end = None if until is None else _part(until, len(due) - number)
        try:
            done.append(_purge(one, before, end, tell))
        except DatabaseError as error:
            logger.exception("Not all that is due of %r could be deleted.", one.name)
            errors.append(error)
    if errors:
        raise errors[0]
    return done


def _part(until: float, shares: int) -> float:
    now = time.monotonic()
    return now + max(until - now, 0) / shares


def _purge(one: DataClass, before: datetime, end: float | None, tell: Tell | None) -> Purged:
    gone, is_over = Amount(), True
    try:
        for amount in one.purge(before):
            gone += amount
            if tell:
                tell(one, gone)
            if end is not None and time.monotonic() >= end:
                is_over = False
                break
    finally:
        if gone:
            _record(one, before, gone)
    return Purged(one, gone, is_over)


def _record(one: DataClass, before: datetime, gone: Amount) -> None:
    """One line of the audit trail for each class and run."""
    import_string("portal.access.audit.record")(
        ACTION,
        target_label=one.label,
        data_class=one.name,
        kept_days=one.days,
        before=before.date().isoformat(),
        deleted=str(gone).replace("\u00a0", " "),
        rows=gone.rows,
        size_bytes=gone.size_bytes,
        days=[day.isoformat() for day in gone.days],
    )


def purge_in_turns() -> str:
    """The job: for a while each hour, until nothing is due."""
    done = [one for one in purge(longest=TURN) if one.gone]
    return "; ".join(f"{one.one.label}: {one.gone}" for one in done) or "nothing is due"


# --- Days ahead ---------------------------------------------------------------------------------


def make_days() -> int:
    """The job, and a step of starting: partitions of all tables for the days to come.

    Returns how many were made. One whose table is in use is made at the next turn.
    """
    now = timezone.now()
    return sum(
        partitions.make_days(table, wanted_days(one, now))
        for one in registered()
        for table in one.day_tables
    )


def wanted_days(one: DataClass, now: datetime) -> list[date]:
    """Without those that would be dropped at once."""
    cutoff = one.cutoff(now)
    days = partitions.days_around(midnight(now).date())
    return [day for day in days if cutoff is None or day >= cutoff.date()]


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far a table's days are made ahead, without a gap; None where even today is missing."""

    table: DayTable
    label: str
    until: date | None

    def is_enough(self, today: date) -> bool:
        return self.until is not None and self.until >= today + timedelta(days=ENOUGH)


# Below this the job has missed some days already.
ENOUGH = 2


def days_ahead(today: date) -> list[Ahead]:
    return [
        Ahead(table, one.label, _until(partitions.days(table), today))
        for one in registered()
        for table in one.day_tables
    ]


def _until(days: Iterable[date], today: date) -> date | None:
    known = set(days)
    day = today
    while day in known:
        day += timedelta(days=1)
    return day - timedelta(days=1) if day > today else None
