"""Quotas of keys: exact over all processes, at a fraction of a statement a request.

A process borrows a chunk of the minute's quota from the database and hands it out from memory.
What it has borrowed and not used when the minute ends is lost; no minute ever grants more than
the quota. Minutes are those of the local clock.
"""

import threading
import time
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, connection

from portal.access import outage
from portal.access.models import ApiKey

_CHUNKS = 100
_REMEMBERED = 10_000

# Grants the chunk whole or not at all, however many processes ask at the same moment.
_BORROW = """
    INSERT INTO access_quotawindow AS w (key_id, minute, used)
    SELECT %(key)s, %(minute)s, %(chunk)s WHERE %(chunk)s <= %(limit)s
    ON CONFLICT (key_id, minute) DO UPDATE SET used = w.used + excluded.used
    WHERE w.used + excluded.used <= %(limit)s
    RETURNING used
"""


@dataclass(slots=True)
class _Lease:
    minute: int
    limit: int
    left: int = 0
    refused: int | None = None  # this much was not to be had any more: do not ask again
    is_borrowing: bool = False  # ahead of need
    is_alone: bool = False  # has been granted without the database
    borrowing: threading.Lock = field(default_factory=threading.Lock)


_leases: dict[str, _Lease] = {}
_lock = threading.Lock()


def take_quota(key: ApiKey, amount: int = 1) -> int:
    """Charge `amount` to the key: 0 if granted, else the seconds until it is worth asking again.

    More than a minute's whole quota counts as the whole quota. Call it outside transactions: a
    roll-back would give back to the database what this process has already handed out.
    """
    limit = key.quota_per_minute
    if limit is None:
        return 0
    now = time.time()
    minute, amount = int(now // 60), min(amount, limit)
    while True:
        missing = _take_from_lease(key.digest, minute, limit, amount)
        if missing == 0:
            return 0
        if missing is None:
            return 60 - int(now % 60)
        if not _borrow(key, minute, limit, amount):
            # Another thread may have had the last of it, and not used it up.
            if _take_from_lease(key.digest, minute, limit, amount) == 0:
                return 0
            return 60 - int(now % 60)


def take_at_hand(key: ApiKey) -> tuple[bool, bool]:
    """Charge 1 if it can be had without the database: whether it was.

    The second value asks for `borrow_ahead`, one caller at a time, as the lease comes to its end.
    """
    limit = key.quota_per_minute
    if limit is None:
        return True, False
    minute = int(time.time() // 60)
    with _lock:
        lease = _lease(key.digest, minute, limit)
        if lease.left < 1:
            return False, False
        lease.left -= 1
        is_low = lease.left < limit // _CHUNKS // 2
        borrow = is_low and not lease.is_borrowing and lease.refused is None
        lease.is_borrowing |= borrow
    return True, borrow


def borrow_ahead(key: ApiKey) -> None:
    """Add a chunk to the lease before it is needed."""
    limit = key.quota_per_minute
    if limit is None:
        return
    minute = int(time.time() // 60)
    try:
        with _lock:
            left = _lease(key.digest, minute, limit).left
        _borrow(key, minute, limit, left + max(1, limit // _CHUNKS))
    finally:
        with _lock:
            _lease(key.digest, minute, limit).is_borrowing = False


def _take_from_lease(digest: str, minute: int, limit: int, amount: int) -> int | None:
    """0 if the lease covered the amount; else how much is missing; None if there is no hope."""
    with _lock:
        lease = _lease(digest, minute, limit)
        missing = _missing_from(lease, amount)
        if missing == 0:
            lease.left -= amount
        return missing


def _missing(digest: str, minute: int, limit: int, amount: int) -> int | None:
    with _lock:
        return _missing_from(_lease(digest, minute, limit), amount)


def _missing_from(lease: _Lease, amount: int) -> int | None:
    missing = max(0, amount - lease.left)
    return None if lease.refused is not None and missing >= lease.refused else missing


def _borrow(key: ApiKey, minute: int, limit: int, amount: int) -> bool:
    """Add to the lease until it covers the amount: a chunk, or just that near the quota's end."""
    with _lock:
        borrowing = _lease(key.digest, minute, limit).borrowing
    try:
        # One at a time: what is granted must be in the lease before another one asks.
        with outage.asking(), outage.in_turn(borrowing):
            missing = _missing(key.digest, minute, limit, amount)
            if missing is None:
                return False
            return missing == 0 or _borrow_from_database(key, minute, limit, missing)
    except (DatabaseError, InterfaceError):
        if not outage.goes_on():
            raise
        return _grant_alone(key, minute, limit)


def _borrow_from_database(key: ApiKey, minute: int, limit: int, missing: int) -> bool:
    for chunk in sorted({missing, max(missing, limit // _CHUNKS)}, reverse=True):
        granted = _borrow_chunk(key, minute, limit, chunk)
        with _lock:
            lease = _lease(key.digest, minute, limit)
            if granted:
                lease.left += chunk
                return True
    with _lock:
        _lease(key.digest, minute, limit).refused = missing
    return False


def _borrow_chunk(key: ApiKey, minute: int, limit: int, chunk: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_BORROW, {"key": key.pk, "minute": minute, "chunk": chunk, "limit": limit})
        return cursor.fetchone() is not None


def _grant_alone(key: ApiKey, minute: int, limit: int) -> bool:
    """Without the database each process grants the quota for itself, once a minute."""
    with _lock:
        lease = _lease(key.digest, minute, limit)
        is_first, lease.is_alone = not lease.is_alone, True
        if is_first:
            lease.left += limit
    return is_first


def _lease(digest: str, minute: int, limit: int) -> _Lease:
    lease = _leases.get(digest)
    if lease is None or lease.minute != minute or lease.limit != limit:
        if len(_leases) >= _REMEMBERED:
            _leases.clear()
        lease = _leases[digest] = _Lease(minute, limit)
    return lease
