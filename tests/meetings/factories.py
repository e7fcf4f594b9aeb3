"""Made-up meetings: rows as small as a test needs them, and stories that come in by the door."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from meetings.models import Attendee, Client, ClientEvent, EventName, Meeting, MeetingStatus
from portal.inbox.models import Delivery, compress, digest_of
from tests.inbox.sending import array, drain_everything

_numbers = count(1)

CHROME = {
    "sdkName": "amazon-chime-sdk-js",
    "sdkVersion": "3.32.0",
    "browserName": "Chrome",
    "browserMajorVersion": "131",
    "osName": "Windows",
    "osVersion": "11",
}
FIREFOX = CHROME | {"browserName": "Firefox", "browserMajorVersion": "133", "osName": "Linux"}
IPHONE = {
    "sdkName": "amazon-chime-sdk-ios",
    "sdkVersion": "0.27.2",
    "osName": "iOS",
    "osVersion": "18.1",
    "deviceName": "iPhone 15",
}


def minutes_ago(number: float) -> datetime:
    return timezone.now() - timedelta(minutes=number)


# --- Rows -----------------------------------------------------------------------------------


def make_meeting(**fields: Any) -> Meeting:
    at = minutes_ago(5)
    known = {"external_id": f"m-{next(_numbers)}", "first_event_at": at, "last_event_at": at}
    return Meeting.objects.create(**{**known, **fields})


def make_attendee(**fields: Any) -> Attendee:
    at = minutes_ago(5)
    known = {"external_id": f"a-{next(_numbers)}", "first_event_at": at, "last_event_at": at}
    meeting = fields.pop("meeting", None) or make_meeting()
    return Attendee.objects.create(**{**known, "meeting": meeting, **fields})


def make_client(**fields: Any) -> Client:
    return Client.objects.create(digest=f"digest {next(_numbers)}".encode(), **fields)


def make_event(name: str = "meetingStartRequested", **fields: Any) -> ClientEvent:
    """Without a delivery behind it: the archive does not know it."""
    at = fields.pop("happened_at", None) or minutes_ago(5)
    status = fields.pop("status", "")
    attendee = fields.pop("attendee", None) or make_attendee()
    known = {
        "attendee": attendee,
        "meeting": attendee.meeting,
        "name": EventName.objects.get_or_create(value=name)[0],
        "status": MeetingStatus.objects.get_or_create(value=status)[0] if status else None,
        "client": fields.pop("client", None) or make_client(),
        "client_ms": int(at.timestamp() * 1000) + next(_numbers),
        "happened_at": at,
        "received_at": at,
        "delivery_id": 0,
        "ordinal": 0,
    }
    return ClientEvent.objects.create(**{**known, **fields})


# --- Stories, by the door and the drain -------------------------------------------------------


def told(
    name: str,
    at: datetime,
    *,
    meeting: Any = "m-1",
    attendee: Any = "a-1",
    client: Any = None,
    **attributes: Any,
) -> dict[str, Any]:
    """An item of format A. `person=None` leaves out who it is."""
    person = attributes.pop("person", f"{attendee}@example.com")
    return {
        "name": name,
        "attributes": {
            "meetingId": meeting,
            "attendeeId": attendee,
            "timestampMs": int(at.timestamp() * 1000),
            **({"externalUserId": person} if person else {}),
            **(CHROME if client is None else client),
            **attributes,
        },
    }


def post(items: Sequence[dict[str, Any]], *, received_at: datetime | None = None) -> None:
    """Bring the items in by the door of format A, as received at that moment, and drain them."""
    body = array(*items)
    at = received_at or timezone.now()
    Delivery.objects.create(
        door="meetingevents",
        received_at=at,
        queued_at=at,
        body=compress(body),
        size_bytes=len(body),
        digest=digest_of(body),
    )
    drain_everything()


def joined(at: datetime, *, start_ms: float = 1200, **who: Any) -> list[dict[str, Any]]:
    """Asked to join at that moment, and got in."""
    inside = at + timedelta(milliseconds=start_ms)
    return [
        told("meetingStartRequested", at, **who),
        told("meetingStartSucceeded", inside, meetingStartDurationMs=start_ms, **who),
    ]


def stayed(at: datetime, minutes: float = 10, **who: Any) -> list[dict[str, Any]]:
    end = at + timedelta(minutes=minutes)
    return [*joined(at, **who), told("meetingEnded", end, meetingStatus="Left", **who)]


def shut_out(at: datetime, *, status: str = "AudioCallAtCapacity", **who: Any) -> list[Any]:
    """Asked to join, and could not."""
    return [
        told("meetingStartRequested", at, **who),
        told(
            "meetingStartFailed",
            at + timedelta(seconds=8),
            meetingStatus=status,
            signalingOpenDurationMs=4000,
            retryCount=2,
            **who,
        ),
    ]


def thrown_out(at: datetime, **who: Any) -> list[Any]:
    """Got in, and dropped out four minutes later."""
    end = at + timedelta(minutes=4)
    return [
        *joined(at, **who),
        told(
            "meetingFailed",
            end,
            meetingStatus="AudioDisconnected",
            meetingDurationMs=240_000,
            retryCount=3,
            poorConnectionCount=5,
            **who,
        ),
    ]
