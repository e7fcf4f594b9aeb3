"""What drf-spectacular cannot see by itself: what errors look like, and what doors take.

Who may call is told by portal.access.openapi.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView


class ErrorDetailSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable; for programs.")
    message = serializers.CharField(help_text="For people: what went wrong, what to do next.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="By parameter: what is wrong with it.",
    )
    request_id = serializers.CharField(required=False, help_text="For questions and for the log.")


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of an error."""

    error = ErrorDetailSerializer()


_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("A parameter makes no sense.", "invalid", "Some values are not right."),
    401: ("No key, or one that is unknown, expired or revoked.", "key-unknown", "Unknown key."),
    403: ("The key lacks the scope, or the person the permission.", "scope-missing", "No scope."),
    404: ("There is nothing here.", "not-found", "Check the address and the id."),
    409: ("The id is not enough to tell which is meant.", "conflict", "Say which one."),
    411: ("The body came without its length.", "length-required", "Send a Content-Length."),
    413: ("The body is too large.", "too-large", "Send fewer events at a time."),
    415: ("The body came with a Content-Encoding.", "encoded", "Send it as it is."),
    422: ("The body is not what this door takes.", "not-meeting-events", "Send an array."),
    429: ("The key's quota is used up. Wait as long as Retry-After says.", "throttled", "Wait."),
    503: ("Nothing was stored. Send it again.", "not-stored", "Send it again later."),
}


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """The responses of these statuses, each with an example."""
    return {status: _error(status) for status in statuses}


def _error(status: int) -> OpenApiResponse:
    meaning, code, message = _ERRORS[status]
    example = {"error": {"code": code, "message": message, "request_id": "5f0c1a9e"}}
    return OpenApiResponse(
        ErrorSerializer,
        description=meaning,
        examples=[OpenApiExample(code, value=example, response_only=True, status_codes=[status])],
    )


@dataclass(frozen=True, slots=True)
class DoorWords:
    """What a door takes, for the schema and for the page that lists the doors."""

    summary: str
    description: str
    example: Any


EXAMPLE_MS = 1_767_261_600_000

DOORS: Mapping[str, DoorWords] = {
    "meetingevents": DoorWords(
        "Meeting events, sent by an application",
        "The JSON array of events that an application posts when a meeting ends.",
        [
            {
                "name": "meetingStartSucceeded",
                "attributes": {
                    "meetingId": "7d7b1d12-6e11-4f5c-9c2b-2b3a64f1a2d0",
                    "attendeeId": "c9b5f0d2-2f6b-4d0e-8f7f-0a7c7d3e9b11",
                    "externalUserId": "ada",
                    "timestampMs": EXAMPLE_MS,
                    "sdkName": "amazon-chime-sdk-js",
                    "sdkVersion": "3.32.0",
                    "meetingStartDurationMs": 861,
                },
            }
        ],
    ),
    "client-events": DoorWords(
        "Client events, sent by an unmodified SDK",
        "Put this address into `MediaPlacement.EventIngestionUrl` of the meeting that you hand to "
        "the client. The join token that clients send along is never kept.",
        {
            "metadata": {"sdkName": "amazon-chime-sdk-js", "meetingId": "m", "attendeeId": "a"},
            "events": [
                {
                    "type": "Meet",
                    "v": 1,
                    "payloads": [{"name": "meetingStartRequested", "ts": EXAMPLE_MS}],
                }
            ],
        },
    ),
    "log-lines": DoorWords(
        "Log lines, sent by the SDK's POSTLogger",
        "Batches of log lines; those that hold a meeting event count as one.",
        {
            "appName": "demo",
            "meetingId": "m",
            "attendeeId": "a",
            "logs": [
                {
                    "sequenceNumber": 0,
                    "message": "{}",
                    "timestampMs": EXAMPLE_MS,
                    "logLevel": "INFO",
                }
            ],
        },
    ),
    "log-streams": DoorWords(
        "Request for a log stream, sent by the SDK's demo",
        "Noted, and otherwise without effect.",
        {"meetingId": "m", "attendeeId": "a"},
    ),
}


class DoorScheme(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    """Doors read their bodies themselves, so the schema has to be told."""

    target_class = "portal.inbox.doors.Door"
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        door = self.target.name
        words = DOORS.get(door) or DoorWords(door, "", {})
        extend = extend_schema(
            tags=["doors"],
            auth=[],
            summary=words.summary,
            description=f"{words.description}\n\nAnswers 200 only after the body is stored.",
            request={"application/json": Any, "text/plain": Any},
            responses={
                200: OpenApiResponse(
                    dict, "Stored.", examples=[OpenApiExample("stored", value={})]
                ),
                **errors(401, 403, 411, 413, 415, 422, 429, 503),
            },
            examples=[OpenApiExample(door, value=words.example, request_only=True)],
        )
        return type(self.target.__name__, (self.target,), {"post": extend(self.target.post)})
