"""Events that have come in through a door and have been drained, for tests that only read."""

from typing import Any

from django.utils import timezone

from meetings.models import ClientEvent
from portal.inbox.services import Envelope, store
from tests.inbox.sending import array, drain_everything


def now_ms() -> int:
    return int(timezone.now().timestamp() * 1000)


def make_event(name: str = "meetingStartRequested", **attributes: Any) -> dict[str, Any]:
    """An item of format A, of two seconds ago."""
    known = {
        "meetingId": "m-1",
        "attendeeId": "a-1",
        "timestampMs": now_ms() - 2000,
        "externalUserId": "ada",
        "sdkName": "amazon-chime-sdk-js",
        "sdkVersion": "3.32.0",
        "browserName": "Chrome",
        "browserMajorVersion": "131",
        "osName": "Windows",
        "osVersion": "11",
    }
    return {"name": name, "attributes": {**known, **attributes}}


def arrive(*items: Any, door: str = "meetingevents") -> list[ClientEvent]:
    """All events there are after these have come in one body, newest first."""
    store(array(*items), Envelope(door=door))
    drain_everything()
    return list(ClientEvent.objects.with_everything().newest_first())
