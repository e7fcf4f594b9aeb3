from django.urls import path

from meetings import doors

_log_streams = doors.LogStreamsDoor.as_view()

urlpatterns = [
    path("meetingevents", doors.MeetingEventsDoor.as_view(), name="door-anonymous"),
    path("prod/meetingevents", doors.MeetingEventsDoor.as_view()),
    path("ingest/<str:key>/meetingevents", doors.MeetingEventsDoor.as_view(), name="door-events"),
    path(
        "ingest/<str:key>/client-events",
        doors.ClientEventsDoor.as_view(),
        name="door-client-events",
    ),
    path("ingest/<str:key>/log_meeting_event", doors.LogLinesDoor.as_view(), name="door-log-lines"),
    path("ingest/<str:key>/create_log_stream", _log_streams, name="door-log-streams"),
    path("ingest/<str:key>/create_browser_event_log_stream", _log_streams),
    path("ingest/<str:key>/create_browser_event_ingestion_log_stream", _log_streams),
]
