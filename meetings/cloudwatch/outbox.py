"""What is still to be sent on: written with the facts, taken by whichever drain has time."""

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from meetings import vocabulary
from meetings.facts import Fact
from meetings.formats.reading import JSON
from meetings.models import CloudWatchShipment
from portal.inbox.handlers import WHOLE_BODY, RefusedItem
from portal.inbox.models import Delivery
from portal.inbox.services import clean, quarantine

# The door of events that CloudWatch did not take: a replay sends them again.
DOOR = "cloudwatch"
LEASE = timedelta(minutes=5)
_LONGEST_PAUSE_SECONDS = 300
_NO_STREAM = re.compile(r"[:*\x00-\x1f\x7f]")


def is_on() -> bool:
    return bool(settings.CLOUDWATCH_LOG_GROUP)


def enqueue(facts: Iterable[Fact]) -> None:
    """Note new events for the sink. Part of the drain's transaction; nothing while it is off."""
    if not is_on():
        return
    groups: dict[tuple[int, str, str], list[int]] = {}
    for fact in facts:
        gist = fact.gist
        if not gist.sequence and gist.name != vocabulary.LOG_STREAM_REQUESTED:
            key = (fact.delivery_id, gist.meeting_id, gist.attendee_id)
            groups.setdefault(key, []).append(gist.ordinal)
    CloudWatchShipment.objects.bulk_create(
        CloudWatchShipment(
            delivery_id=delivery_id,
            ordinals=sorted(ordinals),
            stream=stream_name(meeting_id, attendee_id),
        )
        for (delivery_id, meeting_id, attendee_id), ordinals in groups.items()
    )


def stream_name(meeting_id: str, attendee_id: str) -> str:
    """One stream for each arrival, kept with it so that a second try uses the same."""
    milliseconds = int(timezone.now().timestamp() * 1000)
    ids = f"{_NO_STREAM.sub('-', meeting_id)}/{_NO_STREAM.sub('-', attendee_id)}"
    return f"/meeting-events/{ids[:480]}/{milliseconds}"


def handle_again(deliveries: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
    """The drain's handler for replayed items of this sink."""
    refused: dict[int, Sequence[RefusedItem]] = {}
    rows = []
    for delivery in deliveries:
        stream = json.loads(delivery.raw())["stream"]
        if is_on():
            rows.append(CloudWatchShipment(stream=stream, delivery_id=delivery.pk, ordinals=[0]))
        else:
            detail = "The CloudWatch sink is switched off. Set CLOUDWATCH_LOG_GROUP, then replay."
            refused[delivery.pk] = [
                RefusedItem(WHOLE_BODY, "cloudwatch-off", detail, delivery.raw())
            ]
    CloudWatchShipment.objects.bulk_create(rows)
    return refused


def claim(limit: int) -> list[CloudWatchShipment]:
    """Take due shipments for as long as the lease lasts. Nothing is locked while AWS is asked."""
    now = timezone.now()
    with transaction.atomic():
        rows = list(CloudWatchShipment.objects.due(now).select_for_update(skip_locked=True)[:limit])
        CloudWatchShipment.objects.filter(pk__in=[row.pk for row in rows]).update(
            not_before=now + LEASE, attempts=F("attempts") + 1
        )
    for row in rows:
        row.attempts += 1
    return rows


def finish(row: CloudWatchShipment, refused: Sequence[RefusedItem] = ()) -> None:
    with transaction.atomic():
        _hold(row, refused)
        row.delete()


def postpone(
    row: CloudWatchShipment,
    error: str,
    *,
    logged_count: int,
    is_logged: bool,
    refused: Sequence[RefusedItem] = (),
) -> None:
    """Try again later, and later each time, from where CloudWatch stopped taking."""
    with transaction.atomic():
        _hold(row, refused)
        CloudWatchShipment.objects.filter(pk=row.pk).update(
            not_before=timezone.now() + timedelta(seconds=pause(row.attempts)),
            logged_count=logged_count,
            is_logged=is_logged,
            error=clean(error, 500),
        )


def pause(attempts: int) -> float:
    """Seconds. Random in its upper half, so that many drains do not come back together."""
    longest = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(attempts, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret


def refusal(stream: str, ordinal: int, reason: str, detail: str, message: JSON) -> RefusedItem:
    """An event that CloudWatch does not take, as a body that this sink can replay."""
    raw = json.dumps({"stream": stream, "event": message}, ensure_ascii=False).encode()
    return RefusedItem(ordinal, reason, detail, raw)


def _hold(row: CloudWatchShipment, refused: Sequence[RefusedItem]) -> None:
    delivery = Delivery.objects.filter(pk=row.delivery_id).first() if refused else None
    for item in refused:
        quarantine(DOOR, item, delivery=delivery)
