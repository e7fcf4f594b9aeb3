"""Where the pages about meetings stand in the portal."""

from django.urls import register_converter

from meetings import search
from meetings.pages import attendee, dashboard, lists, meeting, overview
from meetings.pages.converters import MeetingIdConverter
from portal import navigation
from portal.navigation import NavItem
from portal.overview import register_panel
from portal.pages import register_page
from portal.search import register as register_search

_MEETING = "meetings.view_meeting"
_ATTENDEE = "meetings.view_attendee"
_EVENT = "meetings.view_clientevent"


def register() -> None:
    """Called when Django starts."""
    register_converter(MeetingIdConverter, "meeting_id")
    register_page("meetings/", dashboard.dashboard_page, "meetings_dashboard", _EVENT)
    register_page("meetings/all/", lists.meetings_page, "meetings", _MEETING)
    register_page("meetings/attendees/", lists.attendees_page, "attendees", _ATTENDEE)
    register_page("meetings/attendees/<int:pk>/", attendee.attendee_page, "attendee", _ATTENDEE)
    register_page("meetings/events/", lists.events_page, "client_events", _EVENT)
    # Takes whatever is left, so it comes last.
    register_page("meetings/<meeting_id:external_id>/", meeting.meeting_page, "meeting", _MEETING)

    navigation.register(
        "Meetings", NavItem("Dashboard", "admin:meetings_dashboard", _EVENT, order=10)
    )
    navigation.register(
        "Meetings",
        NavItem("Meetings", "admin:meetings", _MEETING, order=20, pages=("admin:meeting",)),
    )
    navigation.register("Meetings", NavItem("Attendees", "admin:attendees", _ATTENDEE, order=30))
    navigation.register(
        "Meetings", NavItem("Client events", "admin:client_events", _EVENT, order=40)
    )
    register_panel(overview.meetings_panel, order=10, permission=_EVENT, poll_seconds=20)
    register_search(search.find)
