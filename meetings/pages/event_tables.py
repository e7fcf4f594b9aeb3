"""Tables of client events: the three of the dashboard, and the plain list."""

from collections.abc import Iterable
from typing import Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from meetings import verdicts, vocabulary, wording
from meetings.models import Attendee, ClientEvent
from meetings.pages import clients
from meetings.pages.subject_tables import shortened, subject_link
from portal.pieces import Column, Row, State, Table
from portal.templatetags.timetags import at, when

_WHO = (Column("Attendee"), Column("When"))
_WITH = Column("Client")


def event_url(event: ClientEvent) -> str:
    """The event's place on its attendee's page."""
    return f"{event.attendee.get_absolute_url()}#event-{event.pk}"


def join_failures(events: Iterable[ClientEvent]) -> Table:
    """As the original's "Meeting join failures", with the cause in plain words."""
    columns = [
        *_WHO,
        Column("Why"),
        _WITH,
        Column("Signalling", "duration"),
        Column("Retries", "number", spare=True),
    ]
    rows = [
        _row(
            event,
            cause(event),
            clients.cell(event.client),
            _seconds(event.signaling_open_ms),
            event.retry_count,
        )
        for event in events
    ]
    return Table("Meeting join failures", columns, rows)


def drops(events: Iterable[ClientEvent]) -> Table:
    """As the original's "Dropped attendees"."""
    columns = [
        *_WHO,
        Column("Why"),
        _WITH,
        Column("Stayed", "duration"),
        Column("Retries", "number", spare=True),
        Column("Poor links", "number", spare=True),
    ]
    rows = [
        _row(
            event,
            cause(event),
            clients.cell(event.client),
            _seconds(event.meeting_duration_ms),
            event.retry_count,
            event.poor_connection_count,
        )
        for event in events
    ]
    return Table("Dropped attendees", columns, rows)


def device_failures(events: Iterable[ClientEvent]) -> Table:
    """As the original's "Audio and video input failures"; iOS and Android tell reasons here too."""
    columns = [*_WHO, Column("Device"), Column("Why"), _WITH]
    rows = [_row(event, device(event), why(event), clients.cell(event.client)) for event in events]
    return Table("Audio and video input failures", columns, rows)


def meeting_failures(events: Iterable[ClientEvent]) -> Table:
    """What failed in one meeting."""
    columns = [Column("Attendee"), Column("When"), Column("What failed"), _WITH]
    rows = [_row(event, why(event), clients.cell(event.client)) for event in events]
    return Table("Failures of this meeting", columns, rows)


def listed(events: Iterable[ClientEvent]) -> Table:
    """Any events, newest first."""
    columns = [
        Column("Attendee"),
        Column("Event"),
        Column("When"),
        Column("Meeting"),
        _WITH,
    ]
    rows = [
        Row(
            [
                _person(event.attendee),
                what(event),
                moment(event),
                subject_link(event.meeting.get_absolute_url(), str(event.meeting)),
                clients.cell(event.client),
            ],
            url=event_url(event),
            state=_edge(event),
        )
        for event in events
    ]
    return Table("Client events", columns, rows)


def state_of(event: ClientEvent) -> State:
    """How bad the event is for the person."""
    name = event.name.value
    if name in vocabulary.FAILED:
        return "bad"
    if name in vocabulary.DISTURBED:
        return "warn"
    return "info"


def _edge(event: ClientEvent) -> State | Literal[""]:
    """Ordinary events have no edge, so that the others are seen."""
    state = state_of(event)
    return "" if state == "info" else state


def what(event: ClientEvent) -> SafeString:
    """The event in plain words with its cause if it failed, and the client's own words small."""
    name = event.name.value
    if name in vocabulary.FAILED:
        return why(event)
    return _two_lines(wording.event_label(name), name)


def why(event: ClientEvent) -> SafeString:
    """What failed and why: "Could not join: the meeting was full"."""
    explanation = verdicts.explained(event)
    return _two_lines(explanation.title, explanation.technical)


def cause(event: ClientEvent) -> SafeString:
    """Why alone, where the table's title says what failed: "The meeting was full"."""
    explanation = verdicts.explained(event)
    cause = explanation.title.partition(": ")[2] or explanation.title
    return _two_lines(cause[:1].upper() + cause[1:], explanation.technical)


def device(event: ClientEvent) -> str:
    return "Microphone" if event.name.value == vocabulary.AUDIO_FAILED else "Camera"


def moment(event: ClientEvent) -> SafeString | str:
    """How long ago; a time that is ours instead of the client's says so."""
    shown = when(event.happened_at)
    if not event.skewed:
        return shown
    return format_html('{} <small class="flag" title="{}">our clock</small>', shown, _OUR_CLOCK)


_OUR_CLOCK = "The client's clock cannot be right, so this is when we received the event."


def _row(event: ClientEvent, *cells: object) -> Row:
    return Row(
        [_person(event.attendee), _exact(event), *cells],
        url=event_url(event),
        state=state_of(event),
    )


def _exact(event: ClientEvent) -> SafeString:
    """Both: how long ago for the eye, exactly when for the ticket."""
    return format_html("{}<small>{}</small>", moment(event), at(event.happened_at))


def _person(attendee: Attendee) -> SafeString:
    return shortened(attendee.person)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _two_lines(plain: str, technical: str) -> SafeString:
    if not technical or technical == plain:
        return format_html("{}", plain)
    return format_html(
        '<span class="plain">{}</span><small class="technical one-line" dir="auto" title="{}">{}'
        "</small>",
        plain,
        technical,
        technical,
    )
