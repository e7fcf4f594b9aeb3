"""django-q2's Schedule rows. They belong to the code: each start makes them match."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

_LOCK = 7_203_941  # any number that nobody else locks


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    schedule_type: str
    minutes: int | None = None

    @property
    def path(self) -> str:
        return f"portal.polling.tasks.{self.name}"


_PLANS = (
    _Plan("tick", Schedule.MINUTES, 1),
    _Plan("hourly", Schedule.HOURLY),
    _Plan("daily", Schedule.DAILY),
)


@transaction.atomic
def sync_schedules() -> None:
    """Write the three rows, and delete doubles: names are not unique in that table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    for plan in _PLANS:
        rows = Schedule.objects.filter(name=plan.name).order_by("pk")
        kept = rows.first() or Schedule(name=plan.name, next_run=_first_run(plan.name))
        rows.exclude(pk=kept.pk).delete()
        kept.func = plan.path
        kept.schedule_type = plan.schedule_type
        kept.minutes = plan.minutes
        # One row whose arguments cannot be read would stop all schedules.
        kept.args = kept.kwargs = kept.hook = kept.cluster = kept.intended_date_kwarg = None
        kept.repeats = -1
        kept.save()


def _first_run(name: str) -> datetime:
    now = timezone.now()
    hour = now.replace(minute=7, second=0, microsecond=0)
    if name == "daily":
        return hour.replace(hour=3) + timedelta(days=1)
    if name == "hourly":
        return hour + timedelta(hours=1)
    return now
