"""When somebody was in the meeting, told by their client's events in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from meetings import vocabulary, wording
from meetings.models import ClientEvent

Ending = Literal["left", "dropped", "open", "unheard"]
# Clients that are in a meeting may be silent for long; Chime ends a meeting after a day.
SILENT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stay:
    """From joining to leaving.

    `ending`: "open" is still in (`end` None); "unheard" was never reported to have left, and `end`
    is when the client was last heard of.
    """

    start: datetime
    end: datetime | None
    ending: Ending
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Out against their will: dropped until they came back, or without a connection meanwhile.

    `end` None: did not come back as far as is known.
    """

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Presence:
    stays: list[Stay]
    gaps: list[Gap]

    # When this was asked: a stay that goes on has lasted until then.
    now: datetime

    @property
    def seconds(self) -> float:
        """Time in the meeting in all; of somebody who is still in, so far."""
        lengths = ((stay.end or self.now) - stay.start for stay in self.stays)
        return sum(max(0.0, length.total_seconds()) for length in lengths)

    @property
    def is_going_on(self) -> bool:
        return any(stay.end is None for stay in self.stays)


def presence(events: Iterable[ClientEvent], now: datetime) -> Presence:
    """Stays and gaps of one attendee. `events` in order of time, with name and status.

    Missing events are lived with: a leave without a join starts where the client's own duration
    says, a join without a leave ends with the last sign of life once that is a day ago.
    """
    stays: list[Stay] = []
    gaps: list[Gap] = []
    since: datetime | None = None
    lost: tuple[datetime, str] | None = None
    last: datetime | None = None
    for event in events:
        name, at = event.name.value, event.happened_at
        last = at
        if name in {vocabulary.JOIN_SUCCEEDED, vocabulary.RECONNECTED}:
            if lost and (name == vocabulary.RECONNECTED or since is None):
                gaps.append(Gap(lost[0], at, lost[1]))
            lost = None
            since = since or at
        elif name == vocabulary.SIGNALING_DROPPED and since:
            lost = lost or (at, wording.event_label(name))
        elif name in {vocabulary.LEFT, vocabulary.DROPPED}:
            # A clock that is not believed gives joining and leaving the same moment: ours.
            start = (_start_of(event) or since) if event.skewed else (since or _start_of(event))
            dropped = name == vocabulary.DROPPED
            reason = _reason_of(event) if dropped else ""
            if start and start <= at:
                stays.append(Stay(start, at, "dropped" if dropped else "left", reason))
            lost = (at, reason) if dropped else None
            since = None
    if since and last:
        is_live = last >= now - SILENT_FOR
        stays.append(Stay(since, None if is_live else last, "open" if is_live else "unheard"))
    return Presence(stays, gaps, now)


def _start_of(event: ClientEvent) -> datetime | None:
    """By the stay's length as the client tells it, if it can be true."""
    length = event.meeting_duration_ms
    if length is None or not 0 < length <= SILENT_FOR.total_seconds() * 1000:
        return None
    return event.happened_at - timedelta(milliseconds=length)


def _reason_of(event: ClientEvent) -> str:
    status = event.status.value if event.status else ""
    return wording.explain(event.name.value, status, event.reason).title
