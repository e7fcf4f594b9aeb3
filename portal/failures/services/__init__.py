"""What can be done with failures: report what went wrong, and triage it."""

from portal.failures.services.reporting import report
from portal.failures.services.retention import forget_person
from portal.failures.services.triage import (
    Actor,
    acknowledge,
    add_note,
    assign,
    mute,
    reopen,
    resolve,
    undo,
    unmute,
)
from portal.failures.sightings import Sighting

__all__ = [
    "Actor",
    "Sighting",
    "acknowledge",
    "add_note",
    "assign",
    "forget_person",
    "mute",
    "reopen",
    "report",
    "resolve",
    "undo",
    "unmute",
]
