"""What to say first about an attendee or a meeting: how it went, in words, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from meetings import vocabulary, wording
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.presence import SILENT_FOR, Presence
from meetings.wording import Explanation
from portal import figures
from portal.pieces import State

_NO_ANSWER_FOR = timedelta(minutes=2)
# So long a meeting that nobody is in yet is one that is just beginning.
_BEGINS_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Verdict:
    state: State
    title: str
    # One sentence each, in order of weight; then what to do about it.
    details: Sequence[str] = ()
    advice: Sequence[str] = ()


def explained(event: ClientEvent) -> Explanation:
    status = event.status.value if event.status else ""
    return wording.explain(event.name.value, status, event.reason)


# --- Attendees ------------------------------------------------------------------------------


def of_attendee(
    attendee: Attendee, events: Sequence[ClientEvent], presence: Presence, now: datetime
) -> Verdict:
    """`events` in order of time, with name and status."""
    failures = [event for event in events if event.name.value in vocabulary.FAILED]
    title, state = _outcome(attendee, failures, presence, now)
    details, advice = _troubles(failures, attendee)
    if state in {"ok", "info"} and details:
        state = "warn"
    return Verdict(state, title, details, advice)


def _outcome(
    attendee: Attendee, failures: Sequence[ClientEvent], presence: Presence, now: datetime
) -> tuple[str, State]:
    match attendee.outcome:
        case Attendee.Outcome.FAILED:
            return _last_title(failures, vocabulary.JOIN_FAILED, "Could not join"), "bad"
        case Attendee.Outcome.DROPPED:
            return _last_title(failures, vocabulary.DROPPED, "Dropped out"), "bad"
        case Attendee.Outcome.PRESENT:
            return _present(attendee, now)
        case Attendee.Outcome.LEFT:
            stayed = f" after {figures.duration(presence.seconds)}" if presence.stays else ""
            return f"Was in the meeting and left{stayed}", "ok"
        case Attendee.Outcome.ASKED:
            return _asked(attendee, now)
        case _:
            return "Never asked to join, as far as this client told", "unknown"


def _last_title(failures: Sequence[ClientEvent], name: str, otherwise: str) -> str:
    last = next((one for one in reversed(failures) if one.name.value == name), None)
    return explained(last).title if last else otherwise


def _present(attendee: Attendee, now: datetime) -> tuple[str, State]:
    last = attendee.last_event_at
    if last and last < now - SILENT_FOR:
        return "Was in the meeting; when they left was never reported", "unknown"
    return "In the meeting now, as far as this client told", "ok"


def _asked(attendee: Attendee, now: datetime) -> tuple[str, State]:
    if attendee.requested_at and attendee.requested_at > now - _NO_ANSWER_FOR:
        return "Joining", "info"
    return "Asked to join; what came of it was never reported", "unknown"


def _troubles(failures: Sequence[ClientEvent], attendee: Attendee) -> tuple[list[str], list[str]]:
    """Each kind of trouble once, with how often; and the advice on each."""
    counts: dict[str, int] = {}
    advice: dict[str, None] = {}
    for event in reversed(failures):
        explanation = explained(event)
        counts[explanation.title] = counts.get(explanation.title, 0) + 1
        advice.setdefault(explanation.advice)
    details = [title if n == 1 else f"{title} ({n} times)" for title, n in counts.items()]
    if attendee.reconnect_count:
        times = "once" if attendee.reconnect_count == 1 else f"{attendee.reconnect_count} times"
        details.append(f"Lost the connection and came back {times}")
    if attendee.outcome == Attendee.Outcome.ASKED and not details:
        advice.setdefault(
            "The page or app was probably closed, or lost its network, before the answer came. "
            "Clients that report only at the end of a meeting are silent until then."
        )
    return details, list(advice)


def clock(attendee: Attendee) -> str:
    """A sentence about a client clock that cannot be right; nothing if it can."""
    offset = attendee.clock_offset_ms
    if not offset:
        return ""
    way = "ahead" if offset > 0 else "behind"
    return (
        f"This client's clock is about {figures.duration(abs(offset) / 1000)} {way}. "
        "Here its times are corrected by that. Lists show the moment we received such events "
        "instead, marked “our clock”."
    )


# --- Meetings -------------------------------------------------------------------------------


def is_live(meeting: Meeting, now: datetime | None = None) -> bool:
    now = now or timezone.now()
    last = meeting.last_event_at
    return bool(meeting.present_count and last and last >= now - SILENT_FOR)


def health(meeting: Meeting) -> tuple[State, str]:
    """One word for a list: the worst that happened to anybody.

    Bad where somebody could not join or dropped out, a warning where only a device failed.
    """
    people = meeting.attendee_count
    if not people:
        return "unknown", "No people"
    if meeting.failed_count:
        return "bad", f"{meeting.failed_count} could not join"
    if meeting.dropped_count:
        return "bad", f"{meeting.dropped_count} dropped out"
    if meeting.device_failed_count:
        return "warn", _counted(meeting.device_failed_count, "device problem")
    if meeting.joined_count:
        return "ok", "Fine"
    return ("info", "Joining") if _is_beginning(meeting) else ("unknown", "Nobody joined")


def _is_beginning(meeting: Meeting) -> bool:
    last = meeting.last_event_at
    return not meeting.joined_count and bool(last and last > timezone.now() - _BEGINS_FOR)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def of_meeting(meeting: Meeting, failures: Iterable[ClientEvent]) -> Verdict:
    """The problems of a meeting in sentences: how many of how many, and why."""
    reasons = _reasons(failures)
    people = meeting.attendee_count
    state, _ = health(meeting)
    details = [
        _sentence(count, people, what, reasons.get(name, {}))
        for count, what, name in (
            (meeting.failed_count, "could not join", vocabulary.JOIN_FAILED),
            (meeting.dropped_count, "dropped out", vocabulary.DROPPED),
            (meeting.device_failed_count, "had trouble with a device", "device"),
        )
        if count
    ]
    if details:
        return Verdict(state, details[0], details[1:])
    if _is_beginning(meeting) and people:
        return Verdict("info", "Joining: nobody is known to be in yet")
    if not meeting.joined_count:
        return Verdict("unknown", "Nobody is known to have joined")
    return Verdict("ok", "Everybody who is known got in and stayed")


def _sentence(count: int, people: int, what: str, reasons: dict[str, int]) -> str:
    """2 of 14 people could not join: microphone blocked by the browser or system."""
    text = f"{count} of {people} {'person' if people == 1 else 'people'} {what}"
    ranked = sorted(reasons, key=lambda title: -reasons[title])
    if not ranked:
        return text
    told = "; ".join(_cause(title) for title in ranked[:2])
    more = f" and {_counted(len(ranked) - 2, 'other reason')}" if len(ranked) > 2 else ""
    return f"{text}: {told}{more}"


def _cause(title: str) -> str:
    """Without the "Could not join:" that the sentence says already."""
    cause = title.partition(": ")[2] or title
    return cause if cause[1:2].isupper() else cause[:1].lower() + cause[1:]


def _reasons(failures: Iterable[ClientEvent]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for event in failures:
        name = event.name.value
        kind = "device" if name in vocabulary.DEVICE_FAILED else name
        titles = found.setdefault(kind, {})
        title = explained(event).title
        titles[title] = titles.get(title, 0) + 1
    return found
