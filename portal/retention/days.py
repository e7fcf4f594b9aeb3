"""Data that goes by whole days: partitions are dropped."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.utils import timezone

from portal import moments, partitions
from portal.partitions import DayTable, Partition
from portal.retention.amounts import Amount, day_in_words
from portal.retention.rows import count

# A transaction that goes on for longer is worth a word.
_LONG = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a table. `needed_words` say of one row and of several that a day must wait."""

    table: DayTable
    needed_words: tuple[str, str] = ("row is still needed", "rows are still needed")

    def oldest(self) -> datetime | None:
        day = partitions.oldest_day(self.table)
        return datetime.combine(day, time(), UTC) if day else None

    def there_is(self) -> Amount:
        """Days without rows do not count, nor does what lies outside the days."""
        found = [one for one in partitions.partitions(self.table) if one.day and not one.is_empty]
        return sum((amount_of(one) for one in found), Amount())

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        return sum((amount_of(one) for one in self._due(before)), Amount())

    def obstacles(self, before: datetime) -> Iterator[str]:
        for one in self._due(before):
            if one.day is None:
                continue
            day = day_in_words(one.day)
            if needed := partitions.needed_rows(self.table, one):
                words = self.needed_words[needed != 1]
                yield f"{day} stays: {needed:,}\u00a0{words}."
            elif since := _used_for_long(self.table, one):
                began = moments.relative(since)
                yield f"{day} stays: a transaction that began {began} still uses the table."

    def purge(self, before: datetime) -> Iterator[Amount]:
        for one in self._due(before):
            amount = amount_of(one)
            if partitions.drop(self.table, one):
                yield amount

    def _due(self, before: datetime) -> list[Partition]:
        return partitions.due(self.table, before=before.date())


def amount_of(one: Partition) -> Amount:
    rows = one.rows
    if rows is None:  # nobody has counted yet: there is little
        rows = 0 if one.is_empty else count(one.name)
    return Amount(rows, one.size_bytes, (one.day,) if one.day else ())


def _used_for_long(table: DayTable, one: Partition) -> datetime | None:
    since = partitions.used_since(table, one)
    return since if since and timezone.now() - since > _LONG else None
