from django.urls import path

from meetings import views

urlpatterns = [
    path("meetings/", views.MeetingsView.as_view(), name="api-meetings"),
    path(
        "meetings/<path:external_id>/events/",
        views.MeetingEventsView.as_view(),
        name="api-meeting-events",
    ),
    path("meetings/<path:external_id>/", views.MeetingView.as_view(), name="api-meeting"),
    path("attendees/", views.AttendeesView.as_view(), name="api-attendees"),
    path(
        "attendees/<path:attendee_id>/events/",
        views.AttendeeEventsView.as_view(),
        name="api-attendee-events",
    ),
    path("attendees/<path:attendee_id>/", views.AttendeeView.as_view(), name="api-attendee"),
    path("events/", views.EventsView.as_view(), name="api-events"),
]
