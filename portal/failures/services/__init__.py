"""What can be done with failures: report what went wrong, and triage it."""

from portal.failures.services.reporting import report
from portal.failures.services.retention import count_outdated, forget_person, purge
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
    "count_outdated",
    "forget_person",
    "mute",
    "purge",
    "reopen",
    "report",
    "resolve",
    "undo",
    "unmute",
]
