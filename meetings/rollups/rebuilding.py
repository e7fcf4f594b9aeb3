"""Counting anew from the facts, while drains go on."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from meetings.rollups import kinds, troubles
from meetings.rollups.compactor import (
    buckets_summed,
    make_sums,
    mark_stale,
    only_one,
    recount,
    snapshot,
)
from meetings.rollups.cover import BUCKET, bucket_of, moment
from meetings.rollups.horizon import horizon

_CHUNK = timedelta(hours=1)
_LENGTH = timedelta(seconds=BUCKET)

Told = Callable[[datetime, datetime], None]


def rebuild(start: datetime | None, end: datetime | None, *, told: Told | None = None) -> int:
    """Count all buckets of [start, end) anew; without bounds, of all facts. Returns how many.

    What is older than facts are kept stays as it was counted.

    `told` is called after each hour with what is done and what is to be done. The compactor
    stands still meanwhile, drains do not.
    """
    with only_one(wait=True):
        found = _extent()
        if found is None:
            return 0
        first = _floor(start or found[0])
        if oldest := horizon():
            first = max(first, oldest)
        last = end or found[1] + _LENGTH
        kinds.add_missing()
        count, at = 0, first
        while at < last:
            until = min(at + _CHUNK, last)
            count += _rebuild(at, until)
            if told:
                told(until, last)
            at = until
        while make_sums(timezone.now(), patience=False):
            pass
    return count


def _rebuild(start: datetime, end: datetime) -> int:
    buckets = []
    at = start
    while at < end:
        buckets.append(at)
        at += _LENGTH
    with transaction.atomic():
        troubles.fold(troubles.lock(start, end))
    with snapshot():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM meetings_rollupdirty WHERE bucket = ANY(%s)", [buckets])
        touched = recount(buckets)
        mark_stale(touched.union(buckets_summed(start, end)), timezone.now())
    return len(buckets)


def _floor(at: datetime) -> datetime:
    return moment(bucket_of(at))


def _extent() -> tuple[datetime, datetime] | None:
    """From the first to the last moment of which there are facts or counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(first), max(last) FROM (
                SELECT min(happened_at), max(happened_at) FROM meetings_clientevent
                UNION ALL
                SELECT min(bucket), max(bucket) FROM meetings_rollupcell
            ) AS known (first, last)
            """
        )
        first, last = cursor.fetchone()
    return None if first is None else (first, last)
