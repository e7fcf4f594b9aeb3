"""How the inbox is doing: for /readyz, the banner on pages, and Prometheus."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from portal.figures import duration
from portal.health import Health
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import held_by_reason
from portal.inbox.sqs import watch
from portal.metrics import Figure


def behind(now: datetime) -> timedelta:
    """How far the drain is behind."""
    return Delivery.objects.all().oldest_waiting_age(now=now)


def all_behind(now: datetime) -> timedelta:
    """How far the figures of pages are behind: what lies on the queue counts too."""
    return behind(now) + watch.behind(now)


def check_drain() -> Health:
    """Deliveries become facts soon after they came."""
    lag = behind(timezone.now())
    if lag.total_seconds() <= settings.READY_MAX_LAG_SECONDS:
        return Health("drain", ok=True, detail="Deliveries are handled as they come.")
    return Health(
        "drain",
        ok=False,
        detail=f"Deliveries have been waiting for {duration(lag)}. Pages lag behind by as much.",
        remedy="See that `manage.py drain` runs, and look into its log.",
    )


def figures() -> Iterator[Figure]:
    lag = behind(timezone.now())
    yield Figure(
        "greenroom_drain_lag_seconds",
        "Age of the oldest delivery that is not yet handled.",
        [({}, lag.total_seconds())],
    )
    yield Figure(
        "greenroom_deliveries_waiting",
        "Deliveries that are not yet handled.",
        [({}, Delivery.objects.waiting().count())],
    )
    yield Figure(
        "greenroom_quarantine_held",
        "Items that could not be understood and wait for a decision.",
        [
            ({"door": door, "reason": reason}, number)
            for (door, reason), number in held_by_reason().items()
        ],
    )
    newest: datetime | None = Delivery.objects.aggregate(at=Max("received_at"))["at"]
    if newest:
        yield Figure(
            "greenroom_last_delivery_timestamp_seconds",
            "When the last delivery came in.",
            [({}, newest.timestamp())],
        )


def waiting_for(request: HttpRequest) -> int:
    """The badge of the navigation: held items, for those who can decide about them."""
    person = request.user
    decides = person.has_perm("inbox.replay_quarantine") or person.has_perm(
        "inbox.discard_quarantine"
    )
    return held_count() if decides else 0


def held_count() -> int:
    return Quarantine.objects.held().count()
