"""Plain factories of what clients send."""

import json
from typing import Any

MEETING = "5f3c2a10-7d1e-4b0a-9c55-2b7f8f1a0706"
ATTENDEE = "c1a8b5a2-3d0e-1f4c-8a77-90c4f0f3b1de"
AT = 1795252656830


def make_item(name: Any = "meetingEnded", **attributes: Any) -> dict[str, Any]:
    """An item of format A."""
    known = {"meetingId": MEETING, "attendeeId": ATTENDEE, "timestampMs": AT}
    return {"name": name, "attributes": {**known, **attributes}}


def make_array(*items: Any) -> bytes:
    return json.dumps(items).encode()


def make_record(*payloads: Any, **metadata: Any) -> bytes:
    """A body of format B."""
    known = {"meetingId": MEETING, "attendeeId": ATTENDEE}
    return json.dumps(
        {
            "metadata": {**known, **metadata},
            "events": [{"type": "Meet", "v": 1, "payloads": payloads}],
        }
    ).encode()


def make_line(message: Any = "m", sequence: Any = 0, **fields: Any) -> dict[str, Any]:
    line = {"sequenceNumber": sequence, "message": message, "timestampMs": AT, "logLevel": "INFO"}
    return {**line, **fields}


def make_logs(*lines: Any, **envelope: Any) -> bytes:
    """A body of format C."""
    known = {"appName": "SDKEvent", "meetingId": MEETING, "attendeeId": ATTENDEE}
    return json.dumps({**known, "logs": lines, **envelope}).encode()
