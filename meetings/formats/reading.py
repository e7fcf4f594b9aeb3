"""What reading one request body yields, whatever its wire format."""

from dataclasses import dataclass, field
from typing import TypeAlias

from portal.errors import OperationError

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    name: str
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class Event:
    ordinal: int
    """Position of the item in its body, refused ones counted: stable for the same bytes."""
    name: str
    meeting_id: str
    attendee_id: str
    client_ms: int | None
    """Epoch milliseconds as the client claims, within 64 bits but otherwise unchecked."""
    attributes: dict[str, JSON] = field(default_factory=dict)
    """By canonical name. Known numbers and booleans have their type or are absent."""
    history: tuple[HistoryEntry, ...] = ()
    sequence: int = 0
    """More than 0 only for log lines that are not events: the line's sequenceNumber + 1."""


@dataclass(frozen=True, slots=True)
class Rejected:
    ordinal: int
    reason: str
    detail: str
    raw: bytes
    """The smallest body for the same door that holds this item alone, for a later replay."""


@dataclass(frozen=True, slots=True)
class Reading:
    events: list[Event]
    rejected: list[Rejected]


class UnreadableError(OperationError):
    """Nothing in this body can be read."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message)
        self.reason = reason
