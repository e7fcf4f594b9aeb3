"""What the API says about meetings, attendees and events.

Each `*_record` function is the one place that turns a row into its public form, for JSON, CSV and
NDJSON alike. The serializers describe the same forms for the schema at /api/schema/.
"""

from typing import Any

from rest_framework import serializers

from meetings.models import Attendee, Client, ClientEvent, Meeting

Record = dict[str, Any]

CLIENT_FIELDS = {
    "sdk_name": "amazon-chime-sdk-js, amazon-chime-sdk-ios, amazon-chime-sdk-android, or another.",
    "sdk_version": "",
    "platform": "JavaScript, iOS, Android, Other; empty if the client did not tell.",
    "browser_name": "",
    "browser_major": "",
    "browser_version": "",
    "os_name": "",
    "os_version": "",
    "device_name": "",
}


def client_record(client: Client | None) -> Record:
    return {name: getattr(client, name) if client else "" for name in CLIENT_FIELDS}


def event_record(event: ClientEvent) -> Record:
    """All typed columns. The row must come `with_everything`."""
    attendee, meeting = event.attendee, event.meeting
    return {
        "id": event.pk,
        "name": event.name.value,
        "happened_at": event.happened_at,
        "received_at": event.received_at,
        "client_ms": event.client_ms,
        "sequence": event.sequence,
        "skewed": event.skewed,
        "meeting_id": meeting.external_id,
        "external_meeting_id": meeting.external_meeting_id,
        "attendee_id": attendee.external_id,
        "external_user_id": attendee.external_user_id,
        "attendee": attendee.pk,
        "is_bot": attendee.is_bot,
        "status": event.status.value if event.status else "",
        "reason": event.reason,
        "start_duration_ms": event.start_duration_ms,
        "meeting_duration_ms": event.meeting_duration_ms,
        "signaling_open_ms": event.signaling_open_ms,
        "retry_count": event.retry_count,
        "poor_connection_count": event.poor_connection_count,
        **client_record(event.client),
        "delivery": event.delivery_id,
        "ordinal": event.ordinal,
    }


def meeting_record(meeting: Meeting) -> Record:
    return {
        "meeting_id": meeting.external_id,
        "external_meeting_id": meeting.external_meeting_id,
        "media_region": meeting.media_region,
        "first_event_at": meeting.first_event_at,
        "last_event_at": meeting.last_event_at,
        "started_at": meeting.started_at,
        "ended_at": meeting.ended_at,
        "attendee_count": meeting.attendee_count,
        "bot_count": meeting.bot_count,
        "joined_count": meeting.joined_count,
        "present_count": meeting.present_count,
        "failed_count": meeting.failed_count,
        "dropped_count": meeting.dropped_count,
        "device_failed_count": meeting.device_failed_count,
    }


def attendee_record(attendee: Attendee) -> Record:
    """The row must come with its meeting and client."""
    return {
        "id": attendee.pk,
        "meeting_id": attendee.meeting.external_id,
        "external_meeting_id": attendee.meeting.external_meeting_id,
        "attendee_id": attendee.external_id,
        "external_user_id": attendee.external_user_id,
        "is_bot": attendee.is_bot,
        "outcome": attendee.outcome,
        "first_event_at": attendee.first_event_at,
        "last_event_at": attendee.last_event_at,
        "requested_at": attendee.requested_at,
        "joined_at": attendee.joined_at,
        "left_at": attendee.left_at,
        "event_count": attendee.event_count,
        "log_line_count": attendee.log_line_count,
        "join_failure_count": attendee.join_failure_count,
        "drop_count": attendee.drop_count,
        "audio_failure_count": attendee.audio_failure_count,
        "video_failure_count": attendee.video_failure_count,
        "reconnect_count": attendee.reconnect_count,
        "clock_offset_ms": attendee.clock_offset_ms,
        **client_record(attendee.client),
    }


class ClientSerializer(serializers.Serializer[Any]):
    """The SDK, browser, system and device of a client; empty where it did not tell."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        own = super().get_fields()
        client = {
            name: serializers.CharField(allow_blank=True, help_text=text)
            for name, text in CLIENT_FIELDS.items()
        }
        return {**own, **client}


class EventSerializer(ClientSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField(help_text="In the JavaScript SDK's vocabulary.")
    happened_at = serializers.DateTimeField(
        help_text="The client's time; ours where its clock cannot be right (then `skewed`)."
    )
    received_at = serializers.DateTimeField()
    client_ms = serializers.IntegerField(
        help_text="Epoch milliseconds as the client claims; 0 where it claims none."
    )
    sequence = serializers.IntegerField(
        help_text="0 for events; the sequence number plus 1 for log lines."
    )
    skewed = serializers.BooleanField()
    meeting_id = serializers.CharField()
    external_meeting_id = serializers.CharField(allow_blank=True)
    attendee_id = serializers.CharField(help_text="The attendee id of the meeting service.")
    external_user_id = serializers.CharField(allow_blank=True)
    attendee = serializers.IntegerField(help_text="For /api/v1/attendees/{attendee}/.")
    is_bot = serializers.BooleanField()
    status = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    start_duration_ms = serializers.FloatField(allow_null=True)
    meeting_duration_ms = serializers.FloatField(allow_null=True)
    signaling_open_ms = serializers.FloatField(allow_null=True)
    retry_count = serializers.IntegerField(allow_null=True)
    poor_connection_count = serializers.IntegerField(allow_null=True)
    delivery = serializers.IntegerField(help_text="The delivery that brought it.")
    ordinal = serializers.IntegerField(help_text="Its position in that delivery's body.")
    attributes = serializers.DictField(
        required=False,
        allow_null=True,
        help_text="Everything the client sent with it, with `include=attributes`; null where "
        "retention has taken the delivery.",
    )

    def to_representation(self, instance: ClientEvent) -> Record:
        return event_record(instance)


class MeetingSerializer(serializers.Serializer[Meeting]):
    meeting_id = serializers.CharField()
    external_meeting_id = serializers.CharField(allow_blank=True)
    media_region = serializers.CharField(allow_blank=True, help_text="Empty where nobody told.")
    first_event_at = serializers.DateTimeField(allow_null=True)
    last_event_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True, help_text="The first join.")
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="When the last attendee was gone; null while anybody is there."
    )
    attendee_count = serializers.IntegerField(help_text="People, without bots.")
    bot_count = serializers.IntegerField()
    joined_count = serializers.IntegerField()
    present_count = serializers.IntegerField()
    failed_count = serializers.IntegerField(help_text="Attendees who never got in.")
    dropped_count = serializers.IntegerField(help_text="Attendees who were thrown out.")
    device_failed_count = serializers.IntegerField()

    def to_representation(self, instance: Meeting) -> Record:
        return meeting_record(instance)


class AttendeeSerializer(ClientSerializer):
    id = serializers.IntegerField()
    meeting_id = serializers.CharField()
    external_meeting_id = serializers.CharField(allow_blank=True)
    attendee_id = serializers.CharField()
    external_user_id = serializers.CharField(allow_blank=True)
    is_bot = serializers.BooleanField()
    outcome = serializers.ChoiceField(choices=Attendee.Outcome.choices)
    first_event_at = serializers.DateTimeField(allow_null=True)
    last_event_at = serializers.DateTimeField(allow_null=True)
    requested_at = serializers.DateTimeField(allow_null=True)
    joined_at = serializers.DateTimeField(allow_null=True)
    left_at = serializers.DateTimeField(allow_null=True)
    event_count = serializers.IntegerField()
    log_line_count = serializers.IntegerField()
    join_failure_count = serializers.IntegerField()
    drop_count = serializers.IntegerField()
    audio_failure_count = serializers.IntegerField()
    video_failure_count = serializers.IntegerField()
    reconnect_count = serializers.IntegerField()
    clock_offset_ms = serializers.IntegerField(
        allow_null=True, help_text="How far the client's clock is ahead of ours; null if right."
    )

    def to_representation(self, instance: Attendee) -> Record:
        return attendee_record(instance)


def columns_of(serializer: type[serializers.Serializer[Any]]) -> list[str]:
    """The columns of a CSV file, also of one without rows."""
    return list(serializer().fields)
