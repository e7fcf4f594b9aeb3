"""The wire formats in which clients report meeting events: no database, no settings, no clock."""

from meetings.formats.reading import (
    JSON,
    Event,
    HistoryEntry,
    Reading,
    Rejected,
    UnreadableError,
)

__all__ = ["JSON", "Event", "HistoryEntry", "Reading", "Rejected", "UnreadableError"]
