"""The doors of client meeting events. What each answers is decided by the clients that call it.

Wire formats and the clients' habits: docs/client-events.md.
"""

from rest_framework.response import Response

from meetings.formats import UnreadableError, event_array, ingestion
from meetings.formats.tokens import may_hold_token
from portal.inbox.doors import Door
from portal.inbox.handlers import WHOLE_BODY, RefusedItem

_ORIGINALS_422 = {"error": "Invalid input: Ensure that you pass a JSON array of meeting events"}


class MeetingEventsDoor(Door):
    """Format A: the JSON array that applications post when a meeting ends."""

    name = "meetingevents"

    @classmethod
    def quick(cls, body: bytes) -> bytes | None:
        return body if event_array.surely_accepts(body) else None

    def refusal(self, body: bytes) -> RefusedItem | None:
        try:
            document = event_array.decode(body)
        except UnreadableError as error:
            return RefusedItem(WHOLE_BODY, error.reason, str(error), body)
        if event_array.refuses(document):
            detail = (
                "Not an array of meeting events whose first one names its meeting and attendee. "
                "The client was told so with a 422."
            )
            return RefusedItem(WHOLE_BODY, "not-meeting-events", detail, body)
        return None

    def refused(self, refusal: RefusedItem) -> Response:
        return Response(_ORIGINALS_422, status=422)


class ClientEventsDoor(Door):
    """Format B: what unmodified SDKs send to `MediaPlacement.EventIngestionUrl`."""

    name = "client-events"

    @classmethod
    def quick(cls, body: bytes) -> bytes | None:
        return None if may_hold_token(body) else body

    def redact(self, body: bytes) -> bytes:
        return ingestion.redact(body)


class LogLinesDoor(Door):
    """Format C: batches of the SDK's POSTLogger, which resends for ever on anything but 200."""

    name = "log-lines"

    @classmethod
    def quick(cls, body: bytes) -> bytes | None:
        return body


class LogStreamsDoor(Door):
    """Format D: the demo's request for a log stream, sent before format C."""

    name = "log-streams"

    @classmethod
    def quick(cls, body: bytes) -> bytes | None:
        return body
