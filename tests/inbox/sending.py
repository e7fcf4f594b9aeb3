"""Sending to the doors as clients do, and looking at what became of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.test import Client

from portal.inbox.drain import drain_once
from portal.inbox.models import Delivery

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

CAPTURES = Path(__file__).resolve().parents[1] / "fixtures" / "chime"
ORIGIN = "https://app.example"
EVENT_DOORS = ["meetingevents", "client-events", "log_meeting_event"]
STREAM_DOORS = [
    "create_log_stream",
    "create_browser_event_log_stream",
    "create_browser_event_ingestion_log_stream",
]


def post(
    key: str,
    door: str,
    body: bytes,
    *,
    content_type: str = "text/plain;charset=UTF-8",
    headers: dict[str, str] | None = None,
    **environ: Any,
) -> "Answer":
    client = Client(raise_request_exception=False)
    if not body:
        environ = {"CONTENT_LENGTH": "0", **environ}  # as clients send it; Django's does not
    return client.generic(
        "POST",
        f"/ingest/{key}/{door}" if key else f"/{door}",
        body,
        content_type=content_type,
        headers={"Origin": ORIGIN, **(headers or {})},
        **environ,
    )


def assert_readable_by_browsers(response: "Answer") -> None:
    """A browser hides an answer without these from the client, which then can never retry."""
    assert response["Access-Control-Allow-Origin"] == "*", response.status_code
    assert "POST" in response["Access-Control-Allow-Methods"]


def drain_everything() -> None:
    """Drain until nothing is waiting, as if its attempts were not limited in time."""
    for _ in range(1000):
        if not Delivery.objects.waiting().exists():
            return
        Delivery.objects.waiting().update(claimed_at=None)
        drain_once()
    raise AssertionError("deliveries are waiting for ever")


def captured(name: str) -> list[dict[str, Any]]:
    """The POSTs of a capture of the real SDK, as they came."""
    document = json.loads((CAPTURES / "sdk-capture" / f"{name}.json").read_text())
    return [request for request in document["requests"] if request["method"] == "POST"]


def captured_array() -> bytes:
    return (CAPTURES / "sdk-capture" / "meetingevents-body-js-3.32.0.json").read_bytes()


def event(name: str = "meetingStartRequested", **attributes: Any) -> dict[str, Any]:
    """An item of format A."""
    known = {"meetingId": "m-1", "attendeeId": "a-1", "timestampMs": 1_795_252_656_926}
    return {"name": name, "attributes": {**known, "sdkName": "amazon-chime-sdk-js", **attributes}}


def array(*items: Any) -> bytes:
    return json.dumps(items).encode()


def record(payloads: Sequence[Any], **more: Any) -> bytes:
    """A body of format B."""
    metadata = {"meetingId": "m-1", "attendeeId": "a-1", "sdkName": "amazon-chime-sdk-js"}
    groups = [{"type": "Meet", "v": 1, "payloads": list(payloads)}]
    return json.dumps({"metadata": metadata, "events": groups, **more}).encode()


def log_batch(*messages: str) -> bytes:
    """A body of format C."""
    logs = [
        {
            "sequenceNumber": number,
            "message": message,
            "timestampMs": 1_795_252_656_926 + number,
            "logLevel": "INFO",
        }
        for number, message in enumerate(messages)
    ]
    ids = {"appName": "SDKEvent", "meetingId": "m-1", "attendeeId": "a-1"}
    return json.dumps({**ids, "logs": logs}).encode()
