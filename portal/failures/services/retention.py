"""What is deleted with time, or because a person asks for it."""

from datetime import datetime

from django.db import transaction

from portal.failures.models import AffectedPerson, Failure, Occurrence, State

_AT_ONCE = 5000  # keeps each transaction, and with it each lock, short


def count_outdated(before: datetime) -> int:
    """Occurrences that purge() would delete."""
    return Occurrence.objects.filter(happened_at__lt=before).count()


def purge(before: datetime) -> int:
    """Delete occurrences from before that moment, and resolved failures not seen since.

    Failures that stay keep their figures: these speak of everything ever reported.
    """
    deleted = 0
    outdated = Occurrence.objects.filter(happened_at__lt=before).order_by("happened_at")
    while keys := list(outdated.values_list("pk", flat=True)[:_AT_ONCE]):
        Occurrence.objects.filter(pk__in=keys).delete()
        deleted += len(keys)
    Failure.objects.filter(state=State.RESOLVED, last_seen_at__lt=before).delete()
    return deleted


@transaction.atomic
def forget_person(person: str) -> int:
    """Take a person's id out of every failure. The numbers stay, the person does not."""
    AffectedPerson.objects.filter(person=person).delete()
    return Occurrence.objects.filter(person=person).update(person="", detail="", url="")
