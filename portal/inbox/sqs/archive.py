"""Deliveries of messages in the archive: a batch in one statement."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from portal.inbox.handlers import WHOLE_BODY, RefusedItem
from portal.inbox.models import Delivery
from portal.inbox.services import count_copies, quarantine
from portal.inbox.sqs.messages import Message, Refusal
from portal.partitions import DAYS_BACK

_STORE = """
    INSERT INTO inbox_delivery (door, key_id, stored_on, received_at, queued_at, address, origin,
        user_agent, content_type, body, size_bytes, digest, copies, state, attempts)
    SELECT door, key_id, stored_on, received_at, %(now)s, address::inet, origin,
        user_agent, content_type, body, size_bytes, digest, 1, state, 0
    FROM unnest(%(door)s::text[], %(key)s::bigint[], %(day)s::date[], %(at)s::timestamptz[],
        %(address)s::text[], %(origin)s::text[], %(agent)s::text[], %(type)s::text[],
        %(body)s::bytea[], %(size)s::integer[], %(digest)s::bytea[], %(state)s::text[])
        AS new (door, key_id, stored_on, received_at, address, origin, user_agent, content_type,
            body, size_bytes, digest, state)
    ON CONFLICT (door, digest, stored_on) WHERE replay_of_id IS NULL DO NOTHING
    RETURNING door, digest, stored_on
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message whose body is at hand and sound."""

    message: Message
    raw: bytes | None = None  # only of a body that its door has refused


def keep(letters: Sequence[Letter]) -> None:
    """Store deliveries as the doors do: the same bytes at one door are one for the day.

    That day is the one on which the door took them, so that a message which comes twice is one
    delivery however much later its copy comes.
    """
    if not letters:
        return
    # Every intake takes its locks in the same order, so that no two wait for each other.
    letters = sorted(letters, key=lambda one: (one.message.door, one.message.sha256))
    messages = [one.message for one in letters]
    days = [_day(one) for one in messages]
    waiting, held = Delivery.State.WAITING.value, Delivery.State.QUARANTINED.value
    columns: dict[str, Any] = {
        "now": timezone.now(),
        "door": [one.door for one in messages],
        "key": [one.key for one in messages],
        "day": days,
        "at": [one.received_at for one in messages],
        "address": [one.address for one in messages],
        "origin": [one.origin for one in messages],
        "agent": [one.agent for one in messages],
        "type": [one.type for one in messages],
        "body": [one.body for one in messages],
        "size": [one.size for one in messages],
        "digest": [one.sha256 for one in messages],
        "state": [held if one.refusal else waiting for one in messages],
    }
    keys = [(one.door, one.sha256, day) for one, day in zip(messages, days, strict=True)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STORE, columns)
        new = [(door, bytes(digest), day) for door, digest, day in cursor.fetchall()]
        copies = Counter(keys)
        copies.subtract(new)
        for (door, digest, day), number in (+copies).items():
            count_copies(cursor, door, digest, day, number)
        for letter, day in zip(letters, days, strict=True):
            if letter.message.refusal and letter.raw is not None:
                _hold(letter.message, letter.message.refusal, letter.raw, day)


def is_known(message: Message) -> bool:
    """Whether this body is in the archive, whatever becomes of the message."""
    found = Delivery.objects.filter(door=message.door, digest=message.sha256)
    return found.filter(replay_of__isnull=True).exists()


def _hold(message: Message, refusal: Refusal, raw: bytes, day: date) -> None:
    """As `portal.inbox.services.refuse`: operators see who sends what is refused."""
    delivery = Delivery.objects.get(
        door=message.door, digest=message.sha256, stored_on=day, replay_of__isnull=True
    )
    item = RefusedItem(WHOLE_BODY, refusal.reason, refusal.detail, raw)
    quarantine(message.door, item, delivery=delivery)


def _day(message: Message) -> date:
    """A door's clock that is far off must not make days of its own."""
    today = timezone.now().astimezone(UTC).date()
    day = message.received_at.date()
    return day if today - timedelta(days=DAYS_BACK) <= day <= today else today
