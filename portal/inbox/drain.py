"""The drain: takes waiting deliveries in batches and has them turned into facts.

Any number of drains may run, on any number of hosts. What keeps them apart is the row lock that a
drain holds while it handles a delivery: a drain that dies loses its connection, hence its locks,
and the next one takes over at once.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from portal.inbox.handlers import WHOLE_BODY, Handler, RefusedItem, handler_of, in_order
from portal.inbox.models import Delivery
from portal.inbox.services import quarantine, settle

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
ERROR_SECONDS = 1.0
# Between the commit that counts the attempt and the lock that protects the handling.
CLAIM_GAP = timedelta(seconds=2)
BATCH_BYTES = 16 * 1024 * 1024
# A server that has to recover after a crashed backend is back within this, unless it is very busy.
RECOVERY_SECONDS = 5.0

# Whose attempt is to be taken back when the database answers again.
_owed: set[int] = set()


@dataclass(frozen=True, slots=True)
class Claim:
    id: int
    attempts: int


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
    fresh = [one.id for one in claims if one.attempts == 1]
    again = [one for one in claims if one.attempts > 1]
    if fresh:
        _handle_together(fresh)
    for one in again:
        if one.attempts > settings.INBOX_MAX_ATTEMPTS:
            _give_up(one)
        else:
            _handle_alone(one.id)
    return len(claims)


def claim(limit: int) -> list[Claim]:
    """Choose waiting deliveries and count the attempt, committed before anything is tried."""
    now = timezone.now()
    with transaction.atomic():
        rows = (
            Delivery.objects.waiting()
            .filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_GAP))
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("id")
            .values_list("id", "attempts", "size_bytes")[:limit]
        )
        chosen = list(_up_to(BATCH_BYTES, _suspects_alone(list(rows))))
        Delivery.objects.filter(pk__in=[one.id for one in chosen]).update(
            attempts=F("attempts") + 1, claimed_at=now
        )
    return chosen


def _suspects_alone(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The fresh ones at the head, or one whose handling was begun before.

    Whoever shares a claim with a body that kills the process would share its attempts as well,
    and be given up with it.
    """
    if rows and rows[0][1]:
        return rows[:1]
    return list(takewhile(lambda row: not row[1], rows))


def _up_to(limit: int, rows: Sequence[tuple[int, int, int]]) -> Iterator[Claim]:
    """As many rows as fit in memory, but always the first."""
    total = 0
    for number, (pk, attempts, size) in enumerate(rows):
        total += size
        if number and total > limit:
            return
        yield Claim(pk, attempts + 1)


def _handle_together(ids: Sequence[int]) -> None:
    error = _failure_of(ids)
    if error is None:
        return
    logger.info("A batch of %d deliveries failed (%s); trying each alone.", len(ids), error)
    for pk in ids:
        _handle_alone(pk)


def _handle_alone(pk: int) -> None:
    error = _failure_of([pk])
    if error is None:
        return
    logger.error("Delivery %d could not be handled.", pk, exc_info=error)
    _hold(pk, "handling-failed", f"{type(error).__name__}: {error}")


def _failure_of(ids: Sequence[int]) -> Exception | None:
    """Handle these deliveries; returns what went wrong with them, and raises what did not."""
    began = time.monotonic()
    try:
        _handle(ids)
    except Exception as error:
        if not _is_the_databases(error):
            return error
        # A body can crash the one PostgreSQL backend that works on it: such a loss stays counted,
        # so that what was handled together is tried alone next, and the culprit is held in the
        # end. Any other outage is nobody's fault.
        if not (_is_unexplained_loss(error) and _server_outlived(began)):
            _give_back(ids)
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


def _is_the_databases(error: Exception) -> bool:
    """Whether the database is the cause and will recover, rather than the body being handled.

    By SQLSTATE class: connection, rollback (deadlock), resources, lock not available, shutdown;
    and a server that takes no writes, as after a failover.
    """
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in {"08", "40", "53", "55", "57"} or state == "25006"


def _handle(ids: Sequence[int]) -> None:
    """Write facts and folds of these deliveries, and settle them, in one transaction."""
    with transaction.atomic():
        deliveries = list(
            Delivery.objects.waiting()
            .filter(pk__in=ids)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("id")
        )
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
    _hold(one.id, "handling-kills-the-drain", detail)


def _hold(pk: int, reason: str, detail: str) -> None:
    with transaction.atomic():
        delivery = (
            Delivery.objects.waiting()
            .select_for_update(skip_locked=True, of=("self",))
            .filter(pk=pk)
            .first()
        )
        if delivery is None:
            return  # another drain has it
        item = RefusedItem(WHOLE_BODY, reason, detail, delivery.raw())
        if delivery.replay_of_id:
            settle([delivery], {delivery.pk: [item]})
        else:
            quarantine(delivery.door, item, delivery=delivery)
        Delivery.objects.filter(pk=pk).update(
            state=Delivery.State.QUARANTINED, handled_at=timezone.now()
        )


def _give_back(ids: Sequence[int]) -> None:
    """The database failed, not the body: the attempt does not count."""
    _owed.update(ids)
    try:
        _pay_back()
    except (DatabaseError, InterfaceError):
        logger.info("No database yet to take back the attempt of %d deliveries.", len(ids))


def _pay_back() -> None:
    if not _owed:
        return
    ids = list(_owed)
    Delivery.objects.waiting().filter(pk__in=ids, attempts__gt=0).update(
        attempts=F("attempts") - 1, claimed_at=None
    )
    _owed.difference_update(ids)
