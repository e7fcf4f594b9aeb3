"""What an attendee's facts tell of their stay, for attendees all of whose facts are at hand.

Comes to what the statement in `meetings.folds` comes to for attendees with facts in the database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meetings import vocabulary
from meetings.written import Fact

_MARKS = frozenset(
    {
        vocabulary.JOIN_REQUESTED,
        vocabulary.JOIN_SUCCEEDED,
        vocabulary.JOIN_FAILED,
        vocabulary.RECONNECTED,
        vocabulary.LEFT,
        vocabulary.DROPPED,
        vocabulary.AUDIO_FAILED,
        vocabulary.VIDEO_FAILED,
    }
)
# Beyond it, a difference of clocks tells nothing.
_ABSURD_MS = 10**15


@dataclass(slots=True)
class Stay:
    """Moments in microseconds since 1970."""

    first_event_us: int | None = None
    last_event_us: int | None = None
    requested_us: int | None = None
    joined_us: int | None = None
    left_us: int | None = None
    first_log_us: int | None = None
    last_log_us: int | None = None
    events: int = 0
    log_lines: int = 0
    join_failures: int = 0
    drops: int = 0
    audio_failures: int = 0
    video_failures: int = 0
    reconnects: int = 0
    clock_offset_ms: int | None = None
    client_id: int | None = None
    outcome: str = "unknown"


def stay_of(facts: Sequence[Fact]) -> Stay:
    """The stay that these facts make, all different and all of one attendee."""
    logged = [fact.happened_us for fact in facts if fact.gist.sequence]
    events = [fact for fact in facts if not fact.gist.sequence] if logged else facts
    stay = _stay_of_events(events) if events else Stay()
    if logged:
        stay.log_lines = len(logged)
        stay.first_log_us, stay.last_log_us = min(logged), max(logged)
        stay.first_event_us = _earliest(stay.first_event_us, stay.first_log_us)
        stay.last_event_us = _latest(stay.last_event_us, stay.last_log_us)
    return stay


def _stay_of_events(events: Sequence[Fact]) -> Stay:
    marks: dict[str, list[int]] = {name: [] for name in _MARKS}
    for fact in events:
        if fact.gist.name in _MARKS:
            marks[fact.gist.name].append(fact.happened_us)
    moments = [fact.happened_us for fact in events]
    requests, joins = marks[vocabulary.JOIN_REQUESTED], marks[vocabulary.JOIN_SUCCEEDED]
    stay = Stay(
        first_event_us=min(moments),
        last_event_us=max(moments),
        requested_us=min(requests, default=None),
        joined_us=min(joins, default=None),
        events=len(events),
        join_failures=len(marks[vocabulary.JOIN_FAILED]),
        drops=len(marks[vocabulary.DROPPED]),
        audio_failures=len(marks[vocabulary.AUDIO_FAILED]),
        video_failures=len(marks[vocabulary.VIDEO_FAILED]),
        reconnects=len(marks[vocabulary.RECONNECTED]),
        clock_offset_ms=_clock_offset(events),
        client_id=_client(events),
    )
    _end(
        stay,
        in_since=max(joins + marks[vocabulary.RECONNECTED], default=None),
        left=max(marks[vocabulary.LEFT], default=None),
        dropped=max(marks[vocabulary.DROPPED], default=None),
    )
    return stay


def _end(stay: Stay, *, in_since: int | None, left: int | None, dropped: int | None) -> None:
    gone = _latest(left, dropped)
    if gone is not None and (in_since is None or in_since <= gone):
        stay.left_us = gone
        stay.outcome = "dropped" if dropped == gone else "left"
    elif in_since is not None:
        stay.outcome = "present"
    elif stay.join_failures:
        stay.outcome = "failed"
    elif stay.requested_us is not None:
        stay.outcome = "asked"


def _clock_offset(events: Iterable[Fact]) -> int | None:
    """How far the client's clock seems ahead of ours, by the events flagged for it."""
    return max(
        (
            fact.client_ms - (fact.received_us + 500) // 1000
            for fact in events
            if fact.skewed and -_ABSURD_MS <= fact.client_ms <= _ABSURD_MS
        ),
        default=None,
    )


def _client(events: Sequence[Fact]) -> int:
    """The latest that names its SDK."""
    if len({fact.client_id for fact in events}) == 1:
        return events[0].client_id

    def weight(fact: Fact) -> tuple[bool, int, int, int]:
        return fact.gist.client[0] != "", fact.happened_us, fact.gist.fullness, fact.client_id

    return max(events, key=weight).client_id


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _latest(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)
