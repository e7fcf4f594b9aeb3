import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.baseline.models import ClientEvent


class AttributesSerializer(serializers.Serializer[Any]):
    """What the table has columns for."""

    meetingId = serializers.CharField(max_length=200, source="meeting_id")  # noqa: N815 - as sent
    attendeeId = serializers.CharField(max_length=200, source="attendee_id")  # noqa: N815
    externalUserId = serializers.CharField(  # noqa: N815
        max_length=200, required=False, allow_blank=True, source="external_user_id"
    )
    timestampMs = serializers.IntegerField(source="timestamp_ms")  # noqa: N815
    sdkName = serializers.CharField(max_length=200, required=False, source="sdk_name")  # noqa: N815
    sdkVersion = serializers.CharField(  # noqa: N815
        max_length=200, required=False, source="sdk_version"
    )
    browserName = serializers.CharField(  # noqa: N815
        max_length=200, required=False, source="browser_name"
    )
    browserMajorVersion = serializers.CharField(  # noqa: N815
        max_length=200, required=False, source="browser_major_version"
    )
    osName = serializers.CharField(max_length=200, required=False, source="os_name")  # noqa: N815
    osVersion = serializers.CharField(  # noqa: N815
        max_length=200, required=False, source="os_version"
    )
    meetingStatus = serializers.CharField(  # noqa: N815
        max_length=128, required=False, source="meeting_status"
    )
    meetingStartDurationMs = serializers.IntegerField(  # noqa: N815
        required=False, source="meeting_start_duration_ms"
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        return {**super().to_internal_value(data), "attributes": data}


class EventListSerializer(serializers.ListSerializer[Any]):
    def create(self, validated_data: list[dict[str, Any]]) -> list[ClientEvent]:
        events = [_row(item["name"], item["attributes"]) for item in validated_data]
        return ClientEvent.objects.bulk_create(events, ignore_conflicts=True)


class EventSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=128)
    attributes = AttributesSerializer()

    class Meta:
        list_serializer_class = EventListSerializer


class EventsView(APIView):
    def post(self, request: Request) -> Response:
        serializer = EventSerializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response({})


def _row(name: str, values: dict[str, Any]) -> ClientEvent:
    columns = dict(values)
    at_ms = columns.pop("timestamp_ms")
    identity = f"{columns['meeting_id']}/{columns['attendee_id']}/{name}/{at_ms}"
    return ClientEvent(
        key=uuid.UUID(bytes=hashlib.sha256(identity.encode()).digest()[:16]),
        name=name,
        happened_at=datetime.fromtimestamp(at_ms / 1000, UTC),
        **columns,
    )
