"""A period in pieces: whole hours, which are counted already, and what is left at its two ends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from portal.timerange import TimeRange

HOUR = timedelta(hours=1)


def hour_of(moment: datetime) -> datetime:
    """When the hour of that moment began, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Pieces:
    """From `start` to `first` and from `last` to `end` single occurrences, between them hours."""

    start: datetime
    first: datetime
    last: datetime
    end: datetime

    @classmethod
    def of(cls, period: TimeRange, step: timedelta = HOUR) -> Self:
        """For buckets of that width: none is narrower than an hour where hours are counted.

        Where they are no multiple of it (a period of half a year), an hour counts where it begins.
        """
        first, last = hour_of(period.start), hour_of(period.end)
        if first < period.start:
            first += HOUR
        if first >= last or step < HOUR:
            first = last = period.end
        return cls(period.start, first, last, period.end)

    @property
    def parameters(self) -> list[datetime]:
        """Those of the statements below."""
        return [self.first, self.last, self.start, self.first, self.last, self.end]


# Of the failure of the statement around: rows (at, number), and their number.
EACH = """
    SELECT hour AS at, number FROM failures_occurrencehour
    WHERE failure_id = failures_failure.id AND hour >= %s AND hour < %s
    UNION ALL
    SELECT happened_at, 1 FROM failures_occurrence
    WHERE failure_id = failures_failure.id AND happened_at >= %s AND happened_at < %s
    UNION ALL
    SELECT happened_at, 1 FROM failures_occurrence
    WHERE failure_id = failures_failure.id AND happened_at >= %s AND happened_at < %s
"""
NUMBER = """
    (
        SELECT coalesce(sum(number), 0) FROM failures_occurrencehour
        WHERE failure_id = failures_failure.id AND hour >= %s AND hour < %s
    ) + (
        SELECT count(*) FROM failures_occurrence
        WHERE failure_id = failures_failure.id AND happened_at >= %s AND happened_at < %s
    ) + (
        SELECT count(*) FROM failures_occurrence
        WHERE failure_id = failures_failure.id AND happened_at >= %s AND happened_at < %s
    )
"""
