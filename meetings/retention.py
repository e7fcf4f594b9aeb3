"""What is kept of meetings, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from meetings.rollups import horizon
from meetings.rollups import retention as figures
from portal.partitions import DayTable, Unit
from portal.retention import Amount, DataClass, Days, Rows, register
from portal.retention.rows import BATCH, share_of

# Where a clock cannot be right, the day on it says nothing: such events go by when they came.
EVENTS = DayTable("meetings_clientevent", "client_ms", Unit.EPOCH_MS, lasting="skewed")
_LEAST_MS, _MOST_MS = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Subjects:
    """Attendees or meetings who were heard of last before that day, and of whom nothing is left.

    `is_left` is a condition on a row `s`, in SQL: what it stands for is still there.
    `will_be_left`: the same for once the days before the border are gone.
    """

    table: str
    is_left: str
    will_be_left: str

    def oldest(self) -> datetime | None:
        """They go along with their events."""
        return None

    def there_is(self) -> Amount:
        return Rows(self.table, "last_event_at").there_is()

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM (SELECT FROM {self.table} s "  # noqa: S608 - names of ours
                f"WHERE last_event_at < %(before)s AND NOT EXISTS ({self.will_be_left} OFFSET 0) "
                "LIMIT %(limit)s) AS due",
                {
                    "before": before,
                    "border": EVENTS.border(before.date()),
                    "limit": None if most is None else most + 1,
                },
            )
            [(number,)] = cursor.fetchall()
        if most is not None and number > most:
            return share_of(self.table, most, is_least=True)
        return share_of(self.table, number)

    def obstacles(self, before: datetime) -> Iterator[str]:
        return iter(())

    def purge(self, before: datetime) -> Iterator[Amount]:
        """In order of time, each batch from where the last one ended."""
        at: datetime | None = None
        last = 0
        size = share_of(self.table, 1).size_bytes
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                rows = self._lock(cursor, before, at, last)
                cursor.execute(
                    # OFFSET 0 keeps the planner from joining with all events there are.
                    f"DELETE FROM {self.table} s WHERE id = ANY(%s) "  # noqa: S608 - names of ours
                    f"AND NOT EXISTS ({self.is_left} OFFSET 0)",
                    [[pk for pk, _ in rows]],
                )
                gone = cursor.rowcount
            if gone:
                yield Amount(gone, gone * size)
            if len(rows) < BATCH:
                return
            last, at = rows[-1]

    def _lock(
        self, cursor: Any, before: datetime, at: datetime | None, last: int
    ) -> list[tuple[int, datetime]]:
        """A statement of its own: the next one then sees what drains have added until now.

        What a drain holds is passed by.
        """
        cursor.execute(
            f"SELECT id, last_event_at FROM {self.table} "  # noqa: S608 - names of ours
            "WHERE last_event_at < %(before)s AND (last_event_at, id) > "
            "(COALESCE(%(at)s::timestamptz, '-infinity'), %(last)s) "
            f"ORDER BY last_event_at, id LIMIT {BATCH} FOR UPDATE SKIP LOCKED",
            {"before": before, "at": at, "last": last},
        )
        return list(cursor.fetchall())


def _events(attendee: str, least: str) -> str:
    """Of an attendee, from that millisecond on: a look into the one or two days that hold them."""
    return (
        f"SELECT FROM meetings_clientevent e WHERE e.attendee_id = {attendee}.id "
        f"AND e.client_ms >= {least} "
        f"AND e.client_ms <= COALESCE({attendee}.last_client_ms, {_MOST_MS})"
    )


ATTENDEES = Subjects(
    "meetings_attendee",
    is_left=_events("s", f"COALESCE(s.first_client_ms, {_LEAST_MS})"),
    will_be_left=_events("s", "GREATEST(s.first_client_ms, %(border)s)"),
)
_MEETINGS_ATTENDEES = "SELECT FROM meetings_attendee a WHERE a.meeting_id = s.id"
_EVENTS_OF_DAYS_TO_COME = _events("a", "GREATEST(a.first_client_ms, %(border)s)")
MEETINGS = Subjects(
    "meetings_meeting",
    is_left=_MEETINGS_ATTENDEES,
    will_be_left=f"{_MEETINGS_ATTENDEES} AND (a.last_event_at >= %(before)s "
    f"OR EXISTS ({_EVENTS_OF_DAYS_TO_COME} OFFSET 0))",
)

# With their attendees, so that no later fold counts the same trouble once more.
TROUBLE = Rows(
    "meetings_rolluptrouble",
    "last_at",
    "NOT EXISTS (SELECT FROM meetings_attendee a "
    "WHERE a.id = meetings_rolluptrouble.attendee_id OFFSET 0)",
)

MEETING_DATA = DataClass(
    horizon.EVENTS,
    "Client events and meetings",
    "What happened to whom, by the day on the client's clock. Attendees and meetings go with the "
    "last of their events.",
    [Days(EVENTS), Rows(EVENTS.other, "received_at"), ATTENDEES, MEETINGS, TROUBLE],
    setting="RETENTION_EVENTS_DAYS",
    order=20,
)


def register_classes() -> None:
    register(MEETING_DATA)
    register(figures.FINE)
    register(figures.COARSE)
