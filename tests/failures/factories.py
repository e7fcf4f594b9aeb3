"""Made-up failures, as small as a test needs them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from portal.access.models import User
from portal.failures.models import Failure
from portal.failures.services import Sighting, report

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_numbers = count(1)


def minutes(number: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=number)


def make_sighting(**fields: Any) -> Sighting:
    fields = {
        "kind": "meetings.join_failed",
        "title": "Microphone blocked by the browser",
        "reason": "NotAllowedError",
        "key": f"event-{next(_numbers)}",
        "happened_at": NOON,
        "person": "ann",
        "fingerprint": ("microphone",),
        **fields,
    }
    return Sighting(**fields)


def make_failure(**fields: Any) -> Failure:
    """A failure with one occurrence; ``sightings`` gives it others instead."""
    name = f"failure {next(_numbers)}"
    sightings = fields.pop("sightings", None) or [
        make_sighting(**{"title": name, "fingerprint": (name,), **fields})
    ]
    report(sightings)
    return Failure.objects.get(fingerprint=sightings[0].group)


def make_operator(**fields: Any) -> User:
    name = f"operator{next(_numbers)}"
    return User.objects.create_user(**{"username": name, "is_staff": True, **fields})
