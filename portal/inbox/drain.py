"""The drain: takes waiting deliveries in batches and has them turned into facts.

Any number of drains may run, on any number of hosts. What keeps them apart is the row lock that a
drain holds while it handles a delivery: a drain that dies loses its connection, hence its locks,
and the next one takes over at once.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from operator import attrgetter

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import F
from django.utils import timezone
from zstandard import ZstdError

from portal.database.faults import is_the_databases
from portal.database.statements import run as run_statement
from portal.inbox.handlers import WHOLE_BODY, Handler, RefusedItem, handler_of, in_order
from portal.inbox.models import Delivery, DeliveryQuerySet
from portal.inbox.services import quarantine, settle

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
ERROR_SECONDS = 1.0
# Between the commit that counts the attempt and the lock that protects the handling.
CLAIM_GAP = timedelta(seconds=2)
BATCH_BYTES = 16 * 1024 * 1024
# A server that has to recover after a crashed backend is back within this, unless it is very busy.
RECOVERY_SECONDS = 5.0

# Partitions of deliveries that nearly always hold all that is waiting; and how often all are asked.
RECENT = timedelta(days=1)
EVERYWHERE_SECONDS = 1.0
# Deliveries are numbered before they are committed: so many newer ones may come to be seen first.
STRAGGLERS = 5000


@dataclass(frozen=True, slots=True)
class Claim:
    id: int
    day: date
    """With the id, where the delivery lies."""
    attempts: int


# Whose attempt is to be taken back when the database answers again.
_owed: list[Claim] = []


Companion = Callable[[threading.Event], None]
_companions: dict[str, Companion] = {}


def register_companion(name: str, companion: Companion) -> None:
    """Have a loop run beside the drain, in a thread of its own with its own connection.

    For what follows from facts but must not hold them up, such as sending them on to a cloud.
    """
    _companions[name] = companion


def run(stop: threading.Event) -> None:
    """Drain until told to stop, with all companions beside."""
    threads = [
        threading.Thread(target=_keep_running, args=[name, companion, stop], name=name)
        for name, companion in _companions.items()
    ]
    for thread in threads:
        thread.start()
    try:
        _drain(stop)
    finally:
        stop.set()  # else the threads would keep a process alive that drains no more
        for thread in threads:
            thread.join()


def _keep_running(name: str, companion: Companion, stop: threading.Event) -> None:
    """What fails beside the drain must neither stop it nor be silently gone."""
    while not stop.is_set():
        try:
            companion(stop)
        except Exception:
            logger.exception("%s failed; it is started again.", name)
            connection.close()
            stop.wait(ERROR_SECONDS)


def _drain(stop: threading.Event) -> None:
    """A database that is away is waited for."""
    while not stop.is_set():
        try:
            handled = drain_once()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The drain waits for the database: %s", error)
            connection.close()
            stop.wait(ERROR_SECONDS)
            continue
        if not handled:
            stop.wait(IDLE_SECONDS)
    connection.close()


def drain_once() -> int:
    """Handle one batch; returns how many deliveries were taken up."""
    _pay_back()
    claims = claim(settings.INBOX_BATCH)
    fresh = [one for one in claims if one.attempts == 1]
    if fresh:
        _handle_together(fresh)
    for one in claims:
        if one.attempts > settings.INBOX_MAX_ATTEMPTS:
            _give_up(one)
        elif one.attempts > 1:
            _handle_alone(one)
    return len(claims)


def claim(limit: int) -> list[Claim]:
    """Choose waiting deliveries and count the attempt, committed before anything is tried."""
    claims = _claim(limit, _lookout.next())
    if claims:
        _lookout.newest = max(one.id for one in claims)
    return claims


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where to look for waiting deliveries."""

    first_day: date
    last_day: date
    first_id: int


class _Lookout:
    """Looks where new deliveries are mostly, and everywhere every now and then.

    The index of waiting deliveries keeps an entry of each that was handled until a vacuum, and
    these are the oldest: to walk over them each time would cost more than handling does.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._everywhere_at = -math.inf

    def next(self) -> Stretch:
        if time.monotonic() - self._everywhere_at > EVERYWHERE_SECONDS:
            self._everywhere_at = time.monotonic()
            return Stretch(date.min, date.max, 0)
        now = timezone.now().astimezone(UTC)
        first_id = max(0, self.newest - STRAGGLERS)
        return Stretch((now - RECENT).date(), (now + RECENT).date(), first_id)


_lookout = _Lookout()


# Those that fit in memory, but always the first; and of those at the head the fresh ones, or one
# whose handling was begun before. Whoever shares a claim with a body that kills the process would
# share its attempts as well, and be given up with it.
_CLAIM = """
    WITH head AS (
        SELECT id, stored_on, attempts, size_bytes FROM inbox_delivery
        WHERE state = 'waiting' AND stored_on BETWEEN %(first_day)s AND %(last_day)s
            AND id >= %(first_id)s
            AND (claimed_at IS NULL OR claimed_at < %(left_alone_since)s)
        ORDER BY id LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), numbered AS (
        SELECT id, stored_on, row_number() OVER upto AS number, max(attempts) OVER upto AS begun,
            sum(size_bytes) OVER upto AS bytes
        FROM head WINDOW upto AS (ORDER BY id ROWS UNBOUNDED PRECEDING)
    )
    UPDATE inbox_delivery d SET attempts = d.attempts + 1, claimed_at = %(now)s
    FROM numbered n
    WHERE d.id = n.id AND d.stored_on = n.stored_on
        AND d.stored_on BETWEEN %(first_day)s AND %(last_day)s
        AND (n.number = 1 OR (n.begun = 0 AND n.bytes <= %(bytes)s))
    RETURNING d.id, d.stored_on, d.attempts
"""


def _claim(limit: int, where: Stretch) -> list[Claim]:
    now = timezone.now()
    rows = run_statement(
        _CLAIM,
        {
            "first_day": where.first_day,
            "last_day": where.last_day,
            "first_id": where.first_id,
            "left_alone_since": now - CLAIM_GAP,
            "limit": limit,
            "now": now,
            "bytes": BATCH_BYTES,
        },
    )
    return sorted((Claim(*row) for row in rows), key=attrgetter("id"))


def _of(claims: Sequence[Claim]) -> DeliveryQuerySet:
    """These deliveries as far as they are still waiting."""
    days = {one.day for one in claims}
    return Delivery.objects.waiting().filter(
        pk__in=[one.id for one in claims], stored_on__in=sorted(days)
    )


def _handle_together(claims: Sequence[Claim]) -> None:
    error = _failure_of(claims)
    if error is None:
        return
    logger.info("A batch of %d deliveries failed (%s); trying each alone.", len(claims), error)
    for one in claims:
        _handle_alone(one)


def _handle_alone(one: Claim) -> None:
    error = _failure_of([one])
    if error is None:
        return
    logger.error("Delivery %d could not be handled.", one.id, exc_info=error)
    _hold(one, "handling-failed", f"{type(error).__name__}: {error}")


def _failure_of(claims: Sequence[Claim]) -> Exception | None:
    """Handle these deliveries; returns what went wrong with them, and raises what did not."""
    began = time.monotonic()
    try:
        _handle(claims)
    except Exception as error:
        if not is_the_databases(error):
            return error
        # A body can crash the one PostgreSQL backend that works on it: such a loss stays counted,
        # so that what was handled together is tried alone next, and the culprit is held in the
        # end. Any other outage is nobody's fault.
        if not (_is_unexplained_loss(error) and _server_outlived(began)):
            _give_back(claims)
        raise
    return None


def _is_unexplained_loss(error: Exception) -> bool:
    """Whether the connection broke off without a word.

    A backend that crashes says nothing, whereas a server that shuts down, or ends the others'
    connections because one has crashed, tells so (57P01, 57P02). Rolling back needs a connection
    as well: when that fails too, what came first stands in the context.
    """
    one: BaseException | None = error
    while one is not None:
        state = getattr(one, "sqlstate", None)
        if state and state[:2] != "08" and state != "57P03":  # 57P03: not ready for a new one yet
            return False
        one = one.__context__
    return True


def _server_outlived(began: float) -> bool:
    """Whether the same server answers again soon: then only our own connection has died.

    A server restarts itself after a crashed backend, which takes a moment, but remembers when it
    was started first.
    """
    until = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < until:
        connection.close()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())"
                )
                [uptime] = cursor.fetchone()
        except (DatabaseError, InterfaceError):
            time.sleep(0.2)
        else:
            return float(uptime) > time.monotonic() - began
    return False


# What handlers and quarantine ask of a delivery; the rest would cost more to read than to handle.
_NEEDED = ("door", "stored_on", "received_at", "body", "replay_of_id")


def _handle(claims: Sequence[Claim]) -> None:
    """Write facts and folds of these deliveries, and settle them, in one transaction."""
    with transaction.atomic():
        locked = _of(claims).select_for_update(skip_locked=True).order_by("id")
        deliveries = list(locked.only(*_NEEDED))
        # One call for all doors of a handler, and handlers always in the same order: each locks
        # in one order, so drains cannot deadlock.
        by_handler: dict[Handler, list[Delivery]] = {}
        for delivery in deliveries:
            by_handler.setdefault(handler_of(delivery.door) or refuse, []).append(delivery)
        refused: dict[int, Sequence[RefusedItem]] = {}
        for handler in (*in_order(), refuse):
            if batch := by_handler.get(handler):
                refused.update(handler(batch))
        settle(deliveries, refused)


def refuse(batch: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
    """Handles deliveries whose app is gone, or not yet there on this host."""
    return {
        delivery.pk: [
            RefusedItem(
                WHOLE_BODY,
                "unknown-door",
                f"No part of this portal handles {delivery.door!r}. Update it, then replay.",
                delivery.raw(),
            )
        ]
        for delivery in batch
    }


def _give_up(one: Claim) -> None:
    detail = (
        f"Handling was begun {one.attempts - 1} times and never ended: the process or its database "
        "connection died each time. Look at the logs of the drain and of PostgreSQL at those times "
        "before replaying."
    )
    _hold(one, "handling-kills-the-drain", detail)


def _hold(one: Claim, reason: str, detail: str) -> None:
    with transaction.atomic():
        delivery = _of([one]).select_for_update(skip_locked=True).first()
        if delivery is None:
            return  # another drain has it
        item = _whole(delivery, reason, detail)
        if delivery.replay_of_id:
            settle([delivery], {delivery.pk: [item]})
        else:
            quarantine(delivery.door, item, delivery=delivery)
        Delivery.objects.filter(pk=one.id, stored_on=one.day).update(
            state=Delivery.State.QUARANTINED, handled_at=timezone.now()
        )


def _whole(delivery: Delivery, reason: str, detail: str) -> RefusedItem:
    try:
        raw = delivery.raw()
    except (ZstdError, MemoryError) as error:  # the latter by a size that makes no sense
        raw, reason = bytes(delivery.body), "body-damaged"
        detail = (
            f"The body in the archive cannot be unpacked ({type(error).__name__}: {error}). Held "
            f"is what is stored: {len(raw):,} bytes, compressed. It was {delivery.size_bytes:,} "
            "bytes when its door took it; a backup may have it whole."
        )
    return RefusedItem(WHOLE_BODY, reason, detail, raw)


def _give_back(claims: Sequence[Claim]) -> None:
    """The database failed, not the body: the attempt does not count."""
    _owed.extend(claims)
    try:
        _pay_back()
    except (DatabaseError, InterfaceError):
        logger.info("No database yet to take back the attempt of %d deliveries.", len(claims))


def _pay_back() -> None:
    if not _owed:
        return
    _of(_owed).filter(attempts__gt=0).update(attempts=F("attempts") - 1, claimed_at=None)
    _owed.clear()
