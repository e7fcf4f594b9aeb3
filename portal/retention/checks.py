"""Whether days are made ahead and gone when they are due: for the banner and for doctor."""

from datetime import timedelta

from django.utils import timezone

from portal import partitions
from portal.health import Health
from portal.retention.amounts import counted, day_in_words
from portal.retention.classes import DataClass, midnight, registered
from portal.retention.purging import days_ahead

_NAME = "retention"
# Days that should have gone by then: the job has had its turns.
PATIENCE = timedelta(days=1)


def check_retention() -> Health:
    """Nothing is lost either way, so the portal stays ready."""
    today = midnight(timezone.now()).date()
    for ahead in days_ahead(today):
        if not ahead.is_enough(today):
            made = (
                f"only until {day_in_words(ahead.until)}" if ahead.until else "not even for today"
            )
            return Health(
                _NAME,
                ok=False,
                detail=f"Days of {ahead.label.lower()} are made {made}. Rows of later days are "
                "kept, but slow down what deletes them.",
                remedy="Run `manage.py purge`, and see that `manage.py worker` runs.",
                essential=False,
            )
    for one in registered():
        if days := overdue_days(one):
            return Health(
                _NAME,
                ok=False,
                detail=f"{counted(days, 'day')} of {one.label.lower()} should have gone by now "
                "and are still there.",
                remedy="The worker deletes what is due each hour. If they stay, the page Retention "
                "under Settings says what keeps them.",
                essential=False,
            )
    return Health(
        _NAME, ok=True, detail="What is due is deleted, and days are made ahead.", essential=False
    )


def overdue_days(one: DataClass) -> int:
    """Days that were due a day ago already."""
    cutoff = one.cutoff(timezone.now() - PATIENCE)
    if cutoff is None:
        return 0
    return sum(day < cutoff.date() for table in one.day_tables for day in partitions.days(table))
