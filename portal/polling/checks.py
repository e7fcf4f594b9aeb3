from collections.abc import Iterator

from django.conf import settings
from django_q.models import Failure, OrmQ

from portal.figures import duration
from portal.health import Health
from portal.metrics import Figure
from portal.polling.models import WORKER, Heartbeat

_REMEDY = "See that `manage.py worker` runs on one host at least, and look into its log."


def check_worker() -> Health:
    """The worker has done work lately, which is more than that its process is there."""
    age = Heartbeat.objects.age(WORKER)
    if age is None:
        return Health("worker", ok=False, detail="No worker has run yet.", remedy=_REMEDY)
    return Health(
        name="worker",
        ok=age.total_seconds() <= settings.READY_MAX_HEARTBEAT_SECONDS,
        detail=f"Last sign of work {duration(age)} ago.",
        remedy=_REMEDY,
    )


def figures() -> Iterator[Figure]:
    age = Heartbeat.objects.age(WORKER)
    if age is not None:
        yield Figure(
            "greenroom_worker_heartbeat_age_seconds",
            "Time since a background worker last did its work.",
            [({}, age.total_seconds())],
        )
    yield Figure(
        "greenroom_tasks_waiting", "Background tasks in the queue.", [({}, OrmQ.objects.count())]
    )
    yield Figure(
        "greenroom_tasks_failed", "Background tasks that failed.", [({}, Failure.objects.count())]
    )
