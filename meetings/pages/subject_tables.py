"""Tables of meetings and of attendees."""

import re
from collections.abc import Iterable, Sequence

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from meetings import dashboard, verdicts, vocabulary
from meetings.models import Attendee, Meeting
from meetings.pages import clients, links
from meetings.presence import SILENT_FOR
from portal import figures
from portal.pieces import Column, Row, State, Table
from portal.templatetags.pieces import state

_MACHINE_ID = re.compile(r"[0-9a-fA-F-]{24,}")

_OUTCOMES: dict[str, State] = {
    Attendee.Outcome.FAILED: "bad",
    Attendee.Outcome.DROPPED: "bad",
    Attendee.Outcome.PRESENT: "ok",
    Attendee.Outcome.LEFT: "ok",
    Attendee.Outcome.ASKED: "unknown",
    Attendee.Outcome.UNKNOWN: "unknown",
}


def meetings(found: Iterable[Meeting]) -> Table:
    columns = [
        Column("Meeting"),
        Column("Health", "state"),
        Column("People", "number"),
        Column("Could not join", "number"),
        Column("Dropped", "number"),
        Column("Device problems", "number"),
        Column("Started", "time"),
        Column("Last heard", "time"),
    ]
    return Table("Meetings", columns, [_meeting(meeting) for meeting in found])


def _meeting(meeting: Meeting) -> Row:
    health, word = verdicts.health(meeting)
    return Row(
        [
            meeting_name(meeting),
            (health, word),
            _people(meeting),
            _failures(meeting, meeting.failed_count, vocabulary.JOIN_FAILED),
            _failures(meeting, meeting.dropped_count, vocabulary.DROPPED),
            _failures(meeting, meeting.device_failed_count, *dashboard.DEVICE_FAILURES),
            meeting.started_at,
            meeting.last_event_at,
        ],
        url=meeting.get_absolute_url(),
        state=health if health not in {"ok", "info"} else "",
    )


def meeting_name(meeting: Meeting) -> SafeString:
    """The application's own name first; beneath it the service's id, which both need."""
    live = state("info", "in progress") if verdicts.is_live(meeting) else ""
    if not meeting.external_meeting_id:
        return format_html("{} {}", shortened(meeting.external_id), live)
    return format_html(
        '{} {}<small class="technical">{}</small>',
        shortened(meeting.external_meeting_id),
        live,
        shortened(meeting.external_id),
    )


def _people(meeting: Meeting) -> SafeString:
    """How many, and how many are in now."""
    if verdicts.is_live(meeting):
        now = format_html(" <small>{} in now</small>", meeting.present_count)
        return format_html("{}{}", meeting.attendee_count, now)
    return format_html("{}", meeting.attendee_count)


def attendees(found: Sequence[Attendee], *, with_meeting: bool) -> Table:
    columns = [
        Column("Attendee"),
        Column("Outcome", "state"),
        Column("Problems"),
        *([Column("Meeting")] if with_meeting else []),
        Column("Client"),
        Column("Joined", "time", spare=True),
        Column("Last heard", "time"),
    ]
    rows = [_attendee(attendee, with_meeting=with_meeting) for attendee in found]
    return Table("Attendees", columns, rows)


def _attendee(attendee: Attendee, *, with_meeting: bool) -> Row:
    kind, word = outcome(attendee)
    meeting = attendee.meeting if with_meeting else None
    return Row(
        [
            attendee_name(attendee),
            (kind, word),
            format_html('<span class="plain">{}</span>', problems(attendee) or figures.NOTHING),
            *([subject_link(meeting.get_absolute_url(), str(meeting))] if meeting else []),
            clients.cell(attendee.client),
            attendee.joined_at,
            attendee.last_event_at,
        ],
        url=attendee.get_absolute_url(),
        state="bad" if kind == "bad" else "warn" if problems(attendee) else "",
    )


def attendee_name(attendee: Attendee) -> SafeString:
    bot = format_html(" {}", "(bot)") if attendee.is_bot else ""
    if not attendee.external_user_id:
        return format_html("{}{}", shortened(attendee.external_id), bot)
    return format_html(
        '{}{}<small class="technical">{}</small>',
        shortened(attendee.external_user_id),
        bot,
        shortened(attendee.external_id),
    )


def outcome(attendee: Attendee) -> tuple[State, str]:
    """Somebody who is "in the meeting" but silent for a day has gone, unheard."""
    if attendee.outcome == Attendee.Outcome.PRESENT:
        last = attendee.last_event_at
        if last and last < timezone.now() - SILENT_FOR:
            return "unknown", "Left unheard"
    return _OUTCOMES.get(attendee.outcome, "unknown"), attendee.get_outcome_display()


def problems(attendee: Attendee) -> str:
    """What went wrong for them, each with how often."""
    counted = (
        ("join failure", attendee.join_failure_count),
        ("drop", attendee.drop_count),
        ("microphone failure", attendee.audio_failure_count),
        ("camera failure", attendee.video_failure_count),
        ("reconnect", attendee.reconnect_count),
    )
    return ", ".join(
        f"{count} {label}{'' if count == 1 else 's'}" for label, count in counted if count
    )


def shortened(text: str, longest: int = 36) -> SafeString:
    """Long ids lose their middle; the whole is on hover. Nobody reads more of a machine's id."""
    if _MACHINE_ID.fullmatch(text):
        head, tail = text[:8], text[-6:]
        return format_html('<bdi class="machine-id" title="{}">{}…{}</bdi>', text, head, tail)
    if len(text) <= longest:
        return format_html("<bdi>{}</bdi>", text)
    half = longest // 2 - 1
    return format_html('<bdi title="{}">{}…{}</bdi>', text, text[:half], text[-half:])


def _failures(meeting: Meeting, people: int, *names: str) -> SafeString | None:
    """How many people, leading to what failed. Zero is the rule, and not worth a look."""
    if not people:
        return None
    url = links.events_of(meeting, name=names, bot="0")
    return format_html('<a href="{}">{}</a>', url, figures.number(people))


def subject_link(url: str, label: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, shortened(label, 28))
