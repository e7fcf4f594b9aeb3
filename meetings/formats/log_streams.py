"""Format D: the demo's request for a log stream before its first batch: {meetingId, attendeeId}."""

from meetings.formats.items import MAX_ID, identifier
from meetings.formats.json_input import decode
from meetings.formats.reading import Event, Reading, UnreadableError
from meetings.vocabulary import LOG_STREAM_REQUESTED


def read(body: bytes) -> Reading:
    document = decode(body)
    if not isinstance(document, dict):
        raise UnreadableError("not-an-object", "The body is not a JSON object.")
    meeting_id = identifier(document.get("meetingId"))
    attendee_id = identifier(document.get("attendeeId"))
    if not meeting_id or not attendee_id:
        raise UnreadableError("missing-properties", "Required properties: meetingId, attendeeId.")
    if max(len(meeting_id), len(attendee_id)) > MAX_ID:
        raise UnreadableError("id-too-long", f"An id has more than {MAX_ID} characters.")
    return Reading([Event(0, LOG_STREAM_REQUESTED, meeting_id, attendee_id, client_ms=None)], [])
