"""Where the rows behind a figure stand: every number on a page links through here."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse

from meetings.dashboard import ClientChoice
from meetings.filters import NOT_TOLD
from meetings.models import Meeting
from portal.timerange import TimeRange

Value = str | int | Sequence[str]


def events(period: TimeRange, clients: ClientChoice | None = None, **filters: Value) -> str:
    """The list of client events of people, filtered as the figure was."""
    return _list("admin:client_events", period, clients, {"bot": "0", **filters})


def attendees(period: TimeRange, clients: ClientChoice | None = None, **filters: Value) -> str:
    return _list("admin:attendees", period, clients, {"bot": "0", **filters})


def meetings(period: TimeRange | None = None, **filters: Value) -> str:
    return _list("admin:meetings", period, None, filters)


def dashboard(period: TimeRange, clients: ClientChoice) -> str:
    return _list("admin:meetings_dashboard", period, clients, {})


def told(value: str) -> str:
    """As a filter's value: what a client left out has a sign of its own."""
    return value or NOT_TOLD


def _list(
    name: str,
    period: TimeRange | None,
    clients: ClientChoice | None,
    filters: Mapping[str, Value],
) -> str:
    parameters: dict[str, Value] = {}
    if period and period.query_string:
        parameters |= period.query
    if clients:
        parameters |= clients.query
    parameters |= filters
    query = urlencode(parameters, doseq=True)
    return f"{reverse(name)}?{query}" if query else reverse(name)


def events_of(meeting: Meeting, **filters: Value) -> str:
    """All events of a meeting, whatever the page's period."""
    filters = {"meeting": meeting.external_id, **filters}
    return _list("admin:client_events", _whole(meeting), None, filters)


def attendees_of(meeting: Meeting, **filters: Value) -> str:
    filters = {"meeting": meeting.external_id, **filters}
    return _list("admin:attendees", _whole(meeting), None, filters)


def of_person(external_user_id: str) -> str:
    """Everything known of a person in the longest period that is offered."""
    return _list("admin:attendees", TimeRange.preset("30d"), None, {"user": external_user_id})


def _whole(meeting: Meeting) -> TimeRange | None:
    """From the first to the last event of the meeting, to the second."""
    if meeting.first_event_at is None or meeting.last_event_at is None:
        return None
    end = meeting.last_event_at + timedelta(seconds=1)
    return TimeRange.between(meeting.first_event_at.isoformat(), end.isoformat())


def attendee(pk: int) -> str:
    return reverse("admin:attendee", args=[pk])
