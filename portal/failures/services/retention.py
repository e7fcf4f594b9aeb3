"""What is deleted because a person asks for it; what goes with time is in failures.retention."""

from django.db import transaction

from portal.failures.models import AffectedPerson, Occurrence


@transaction.atomic
def forget_person(person: str) -> int:
    """Take a person's id out of every failure. The numbers stay, the person does not."""
    AffectedPerson.objects.filter(person=person).delete()
    return Occurrence.objects.filter(person=person).update(person="", detail="", url="")
