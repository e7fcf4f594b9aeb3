"""Whether the sink keeps up: for the banner, the doctor and /metrics."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from meetings.cloudwatch import outbox
from meetings.models import CloudWatchShipment
from portal import figures
from portal.health import Health
from portal.metrics import Figure

BEHIND = timedelta(minutes=5)
_MOST_COUNTED = 10_000


def check_cloudwatch() -> Health:
    """Never essential: the portal's own work does not need CloudWatch."""
    name = "CloudWatch sink"
    if not outbox.is_on():
        return Health(name, ok=True, detail="Switched off.", essential=False)
    waiting, oldest = backlog()
    if oldest <= BEHIND:
        detail = f"{waiting} shipments wait." if waiting else "Everything is sent."
        return Health(name, ok=True, detail=detail, essential=False)
    error = _last_error()
    detail = f"CloudWatch is {figures.duration(oldest)} behind, with {waiting} shipments waiting."
    if error:
        detail += f" Last error: {error[:200]}"
    return Health(name, ok=False, detail=detail, remedy=remedy(error), essential=False)


def remedy(error: str) -> str:
    group = settings.CLOUDWATCH_LOG_GROUP
    if error.startswith("ResourceNotFoundException"):
        return (
            "Create the log group: `aws logs create-log-group --log-group-name "
            f"{group}`, or correct CLOUDWATCH_LOG_GROUP."
        )
    if error.startswith(("AccessDenied", "UnrecognizedClient", "ExpiredToken", "Unable to locate")):
        return (
            "Give the portal AWS credentials that may CreateLogStream and PutLogEvents on "
            f"{group}, and PutMetricData. docs/cloudwatch.md has the policy."
        )
    return (
        "See that the drain runs and reaches AWS in the region of AWS_REGION. Nothing is lost: "
        "shipments wait until it does."
    )


def backlog() -> tuple[int, timedelta]:
    """How many shipments wait (at most 10,000 counted), and for how long the oldest has."""
    waiting = CloudWatchShipment.objects.all()
    oldest = waiting.order_by("id").values_list("created_at", flat=True).first()
    age = max(timezone.now() - oldest, timedelta()) if oldest else timedelta()
    return waiting[:_MOST_COUNTED].count(), age


def read_figures() -> Iterator[Figure]:
    if not outbox.is_on():
        return
    waiting, oldest = backlog()
    yield Figure(
        "greenroom_cloudwatch_waiting", "Shipments to CloudWatch not yet sent.", [({}, waiting)]
    )
    yield Figure(
        "greenroom_cloudwatch_oldest_seconds",
        "For how long the oldest shipment to CloudWatch has been waiting.",
        [({}, oldest.total_seconds())],
    )


def _last_error() -> str:
    errors = CloudWatchShipment.objects.exclude(error="").order_by("id")
    return errors.values_list("error", flat=True).first() or ""
