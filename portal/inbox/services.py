"""Keeping what comes in, and deciding about what could not be understood."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, F
from django.http import HttpRequest
from django.utils import timezone

from portal.access import audit
from portal.access.models import ApiKey, User
from portal.database.statements import integers, run
from portal.errors import OperationError
from portal.inbox.handlers import RefusedItem
from portal.inbox.models import Delivery, Quarantine, compress, digest_of


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is kept about a request besides its body."""

    door: str
    key: ApiKey | None = None
    address: str | None = None
    origin: str = ""
    user_agent: str = ""
    content_type: str = ""


_STORE = """
    INSERT INTO inbox_delivery (door, key_id, stored_on, received_at, queued_at, address, origin,
        user_agent, content_type, body, size_bytes, digest, copies, state, attempts)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s, 0)
    ON CONFLICT (door, digest, stored_on) WHERE replay_of_id IS NULL DO NOTHING
    RETURNING id
"""
_COUNT_COPY = """
    WITH known AS (
        SELECT id FROM inbox_delivery
        WHERE door = %(door)s AND digest = %(digest)s AND stored_on = %(day)s
            AND replay_of_id IS NULL
    ), counted AS (
        UPDATE inbox_delivery SET copies = copies + %(number)s WHERE id IN (
            SELECT id FROM inbox_delivery WHERE id IN (SELECT id FROM known)
            FOR NO KEY UPDATE SKIP LOCKED
        )
    )
    SELECT id FROM known
"""


def store(
    body: bytes, envelope: Envelope, *, state: Delivery.State = Delivery.State.WAITING
) -> int:
    """Keep a body durably and return the delivery's id.

    When this returns outside a transaction, the row is committed: only then may a door answer.
    The same bytes at the same door are one delivery for the day, however often a client resends
    them; on another day they are kept again, and their events are known by their keys. A copy that
    comes while a drain has the delivery in hand is not counted: the door waits for no drain.
    """
    digest = digest_of(body)
    now = timezone.now()
    day = now.astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            [
                envelope.door,
                envelope.key.pk if envelope.key else None,
                day,
                now,
                now,
                envelope.address,
                clean(envelope.origin, 200),
                clean(envelope.user_agent, 300),
                clean(envelope.content_type, 100),
                compress(body),
                len(body),
                digest,
                state,
            ],
        )
        row = cursor.fetchone()
        known = int(row[0]) if row else count_copies(cursor, envelope.door, digest, day, 1)
    if known is None:
        raise OperationalError("The delivery that this one is a copy of is gone.")
    return known


def count_copies(
    cursor: CursorWrapper, door: str, digest: bytes, day: date, number: int
) -> int | None:
    """Count copies of a body; returns the delivery's id, or None where it is not known any more."""
    cursor.execute(_COUNT_COPY, {"door": door, "digest": digest, "day": day, "number": number})
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def refuse(body: bytes, envelope: Envelope, item: RefusedItem) -> None:
    """Keep a body that the client is told to mend, so that operators see who sends it."""
    with transaction.atomic():
        pk = store(body, envelope, state=Delivery.State.QUARANTINED)
        quarantine(envelope.door, item, delivery=Delivery.objects.get(pk=pk))


def clean(text: str, longest: int) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogate, not too long."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:longest]


_QUARANTINE = """
    INSERT INTO inbox_quarantine (door, reason, detail, raw_zstd, size_bytes, digest, count,
        first_seen_at, last_seen_at, delivery_id, state, settled_by, discard_reason)
    VALUES (%s, %s, %s, %s, %s, %s, 1, %s, %s, %s, 'held', '', '')
    ON CONFLICT (door, digest) DO UPDATE SET
        count = inbox_quarantine.count + 1,
        last_seen_at = GREATEST(inbox_quarantine.last_seen_at, excluded.last_seen_at),
        reason = excluded.reason,
        detail = excluded.detail,
        delivery_id = excluded.delivery_id,
        state = CASE WHEN inbox_quarantine.state = 'discarded' THEN 'discarded' ELSE 'held' END
"""


def quarantine(door: str, item: RefusedItem, *, delivery: Delivery | None = None) -> None:
    """Hold an item that could not be understood. The same item again only counts up.

    An item that somebody discarded stays discarded; one that was replayed is held again.
    """
    _hold([_held_row(door, item, delivery)])


def _held_row(door: str, item: RefusedItem, delivery: Delivery | None) -> list[Any]:
    seen_at = delivery.received_at if delivery else timezone.now()
    return [
        door,
        clean(item.reason, 64),
        clean(item.detail, 8000),
        compress(item.raw),
        len(item.raw),
        digest_of(item.raw),
        seen_at,
        seen_at,
        delivery.pk if delivery else None,
    ]


def _hold(rows: list[list[Any]]) -> None:
    rows.sort(key=lambda row: (row[0], row[5]))  # one lock order for all drains
    with connection.cursor() as cursor:
        cursor.executemany(_QUARANTINE, rows)


def replay(
    items: Iterable[Quarantine], *, actor: User | None, request: HttpRequest | None = None
) -> int:
    """Send held items through the drain once more; returns how many were put on the way.

    An item that is refused again comes back to the quarantine with the new reason.
    """
    count = 0
    for item in items:
        with transaction.atomic():
            held = Quarantine.objects.filter(pk=item.pk, state=Quarantine.State.HELD)
            if not held.update(state=Quarantine.State.REPLAYING):
                continue  # somebody else was first
            raw = item.raw()
            Delivery.objects.create(
                door=item.door,
                received_at=item.first_seen_at,
                body=compress(raw),
                size_bytes=len(raw),
                digest=digest_of(raw),
                replay_of=item,
            )
            audit.record(
                "quarantine.replay", actor=actor, request=request, target=item, reason=item.reason
            )
            count += 1
    return count


def discard(
    items: Iterable[Quarantine],
    *,
    reason: str,
    actor: User | None,
    request: HttpRequest | None = None,
) -> int:
    """Give up held items for good. The bytes stay until retention takes them."""
    if not reason.strip():
        raise OperationError("Say why these items are discarded: the reason goes on record.")
    count = 0
    for item in items:
        with transaction.atomic():
            held = Quarantine.objects.filter(pk=item.pk, state=Quarantine.State.HELD)
            if not held.update(
                state=Quarantine.State.DISCARDED,
                discard_reason=clean(reason, 300),
                settled_at=timezone.now(),
                settled_by=actor.get_username() if actor else "",
            ):
                continue
            audit.record(
                "quarantine.discard", actor=actor, request=request, target=item, why=reason
            )
            count += 1
    return count


_SETTLE = """
    UPDATE inbox_delivery SET state = 'handled', handled_at = %s
    WHERE id = ANY(%s::bigint[]) AND stored_on = ANY(%s::date[])
"""


def settle(deliveries: Sequence[Delivery], refused: Mapping[int, Sequence[RefusedItem]]) -> None:
    """Close handled deliveries, and hold what was refused. Part of the drain's transaction."""
    run(
        _SETTLE,
        [
            timezone.now(),
            integers(delivery.pk for delivery in deliveries),
            sorted({delivery.stored_on for delivery in deliveries}),
        ],
    )
    rows = []
    for delivery in deliveries:
        items = refused.get(delivery.pk, ())
        if delivery.replay_of_id:
            _settle_replay(delivery, items)
        else:
            rows += [_held_row(delivery.door, item, delivery) for item in items]
    if rows:
        _hold(rows)


def _settle_replay(delivery: Delivery, items: Sequence[RefusedItem]) -> None:
    replayed = Quarantine.objects.filter(replays=delivery, state=Quarantine.State.REPLAYING)
    if not items:
        replayed.update(state=Quarantine.State.REPLAYED, settled_at=timezone.now())
        return
    replayed.update(
        state=Quarantine.State.HELD,
        reason=clean(items[0].reason, 64),
        detail=clean(items[0].detail, 8000),
        count=F("count") + 1,
    )


def held_by_reason() -> dict[tuple[str, str], int]:
    """How many items wait for a decision, by door and reason."""
    rows = Quarantine.objects.held().values_list("door", "reason").annotate(number=Count("id"))
    return {(door, reason): number for door, reason, number in rows.order_by("-number")}
