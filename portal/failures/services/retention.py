"""What is deleted because a person asks for it; what goes with time is in failures.retention."""

from django.db import transaction

from portal.failures.models import AffectedPerson, Failure, Occurrence


@transaction.atomic
def forget_person(person: str) -> int:
    """Take a person's id out of every failure. The numbers stay, the person does not."""
    hit = AffectedPerson.objects.filter(person=person)
    failures = Failure.objects.filter(pk__in=hit.values("failure")).order_by("fingerprint")
    # In the order of report(), which changes people's rows too.
    list(failures.select_for_update(no_key=True).values_list("pk"))
    hit.delete()
    return Occurrence.objects.filter(person=person).update(person="", detail="", url="")
