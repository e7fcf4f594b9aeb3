"""How long figures are kept."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from meetings.rollups import compactor
from meetings.rollups.cover import BUCKET, COARSER
from meetings.rollups.families import FAMILIES
from portal.retention import Amount, DataClass, Rows

_TRIES = 20
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Buckets:
    """Rows of roll-ups, deleted while no compactor works: they are its own.

    What is still to be counted anew or summed up keeps them, for else it would be made from
    nothing. `first` finds the oldest of them soon.
    """

    rows: Rows
    first: Rows | None = field(default=None)

    def oldest(self) -> datetime | None:
        return (self.first or self.rows).oldest()

    def there_is(self) -> Amount:
        return self.rows.there_is()

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        return self.rows.due(before, most=most)

    def obstacles(self, before: datetime) -> Iterator[str]:
        if is_unfinished(before) and self.rows.due(before, most=1):
            yield "Figures stay until those that they are part of are made: a drain does that."

    def purge(self, before: datetime) -> Iterator[Amount]:
        batches = self.rows.purge(before)
        while gone := _next(batches, before):
            yield gone


def _next(batches: Iterator[Amount], before: datetime) -> Amount | None:
    """One batch between two passes of the compactor; None where there is none, or no such gap."""
    for _ in range(_TRIES):
        with compactor.only_one() as is_chosen:
            if is_chosen:
                return None if is_unfinished(before) else next(batches, None)
        time.sleep(_PAUSE_SECONDS)
    return None  # a rebuild takes long: at the next turn


def is_unfinished(before: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM meetings_rollupdirty WHERE bucket < %(before)s) "
            "OR EXISTS (SELECT FROM meetings_rollupstale WHERE bucket < %(before)s) "
            "OR EXISTS (SELECT FROM meetings_rollupcell WHERE is_new AND bucket < %(before)s)",
            {"before": before},
        )
        [(found,)] = cursor.fetchall()
    return bool(found)


def _sums(*levels: int) -> Buckets:
    table, where = "meetings_rollupsum", "level = ANY(%(levels)s) AND family = ANY(%(families)s)"

    def of(families: list[str]) -> Rows:
        return Rows(table, "bucket", where, {"levels": list(levels), "families": families})

    return Buckets(of(list(FAMILIES)), of(["all"]))


FINE = DataClass(
    "figures-fine",
    "Figures by 5 minutes",
    "What the dashboard counts, for charts of short periods. Older periods are told by the hour.",
    [Buckets(Rows("meetings_rollupcell", "bucket")), _sums(BUCKET)],
    setting="RETENTION_FIGURES_FINE_DAYS",
    order=30,
)
COARSE = DataClass(
    "figures",
    "Figures by the hour and longer",
    "What the dashboard counts, long after the events themselves are gone.",
    [_sums(*COARSER)],
    setting="RETENTION_FIGURES_DAYS",
    order=40,
)
