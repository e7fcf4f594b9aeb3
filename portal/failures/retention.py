"""What is kept of failures, and for how long."""

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from portal.failures.hours import hour_of
from portal.failures.models import Failure, FailureQuerySet, State
from portal.retention import Amount, DataClass, Rows, register


class Hours(Rows):
    """Whole ones: an hour that is not over before then keeps its number."""

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        return super().due(hour_of(before), most=most)

    def purge(self, before: datetime) -> Iterator[Amount]:
        return super().purge(hour_of(before))


class ResolvedFailures:
    """Whole failures, with everybody they hit and their history; each in its own transaction.

    One that comes back meanwhile waits for that, and begins anew.
    """

    def oldest(self) -> datetime | None:
        return (
            Failure.objects.filter(state=State.RESOLVED)
            .order_by("last_seen_at")
            .values_list("last_seen_at", flat=True)
            .first()
        )

    def there_is(self) -> Amount:
        """Failures that stay are no retention's business."""
        return Amount()

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        number = _outdated(before)[: None if most is None else most + 1].count()
        if most is not None and number > most:
            return Amount(most, is_least=True)
        return Amount(number)

    def obstacles(self, before: datetime) -> Iterator[str]:
        return iter(())

    def purge(self, before: datetime) -> Iterator[Amount]:
        for pk in list(_outdated(before).values_list("pk", flat=True)):
            with transaction.atomic():
                locked = _outdated(before).select_for_update(skip_locked=True).filter(pk=pk).first()
                if locked is None:
                    continue
                locked.delete()
            yield Amount(1)


def _outdated(before: datetime) -> FailureQuerySet:
    return Failure.objects.filter(state=State.RESOLVED, last_seen_at__lt=before)


OCCURRENCES = DataClass(
    "failures",
    "Occurrences of failures",
    "When a failure happened, and to whom. Failures keep their totals; resolved ones go when they "
    "have not been seen for as long.",
    [
        Rows("failures_occurrence", "happened_at"),
        Hours("failures_occurrencehour", "hour"),
        ResolvedFailures(),
    ],
    setting="RETENTION_FAILURES_DAYS",
    order=50,
)


def register_classes() -> None:
    register(OCCURRENCES)
