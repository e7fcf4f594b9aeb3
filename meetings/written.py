"""What a batch of events becomes: the facts, and what they touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from meetings.clocks import moment
from meetings.formats.gists import Gist
from portal.inbox.models import Delivery


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery and the events that it brought."""

    delivery: Delivery
    gists: Sequence[Gist]


class Fact(msgspec.Struct, gc=False):
    """An event as it is stored.

    `is_bot` and `person` are what all deliveries so far tell of the attendee, not this one alone.
    """

    gist: Gist
    client_ms: int
    happened_us: int
    """Microseconds since 1970, like `received_us`."""
    received_us: int
    skewed: bool
    name_id: int
    client_id: int
    status_id: int | None
    delivery_id: int
    attendee_id: int = 0
    meeting_id: int = 0
    is_bot: bool = False
    person: str = ""
    """The user id where some delivery told it, else the attendee's."""

    @property
    def happened_at(self) -> datetime:
        return moment(self.happened_us)


class Replaced(msgspec.Struct, gc=False):
    """A known fact whose place a fuller copy has taken."""

    attendee_id: int
    meeting_id: int
    client_ms: int
    name_id: int
    sequence: int
    """More than 0 for log lines, as in `Gist`."""
    old_happened_us: int
    new_happened_us: int
    old_client_id: int
    new_client_id: int


@dataclass(frozen=True, slots=True)
class Learned:
    """What events told about their meeting."""

    external_meeting_id: str = ""
    media_region: str = ""


class AttendeeSpan(NamedTuple):
    """An attendee, and between which times of the client's clock all their facts lie."""

    id: int
    first_client_ms: int
    last_client_ms: int


@dataclass(slots=True)
class Written:
    """What a batch touched: for the folds, and for whoever reports about new facts."""

    new: list[Fact]
    """Facts that were not known before, log lines too."""
    new_of_known: list[Fact]
    """Those of them whose attendees had been heard of before."""
    replaced: list[Replaced]
    attendee_ids: list[int]
    changed: list[AttendeeSpan]
    """Known attendees whose events are others now. New ones are stored as their facts tell."""
    meeting_ids: list[int]
    learned: dict[int, Learned]
    new_bots: list[int]
    """Known attendees whom this batch has shown to be bots."""
    new_regions: list[int] = field(default_factory=list)
    """Known meetings whose media region has changed: filled when they are folded."""
