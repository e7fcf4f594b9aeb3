"""The offer to take back the step just made, kept in the session until the next page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from portal.failures.models import TriageNote

_SESSION_KEY = "failures.undo"


@dataclass(frozen=True, slots=True)
class Offer:
    text: str
    notes: list[int]


def make_offer(request: HttpRequest, text: str, notes: Sequence[TriageNote]) -> None:
    """Only steps that changed something can be taken back."""
    changes = [note.pk for note in notes if note.before]
    request.session[_SESSION_KEY] = {"text": text, "notes": changes}


def take_offer(request: HttpRequest) -> Offer | None:
    kept = request.session.pop(_SESSION_KEY, None)
    return Offer(**kept) if kept else None
