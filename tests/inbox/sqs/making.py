"""Messages of tests, and taking them in."""

import random
import threading
from typing import Any

import msgspec
from django.utils import timezone

from portal.inbox.models import Quarantine, compress, digest_of
from portal.inbox.sqs import intake
from portal.inbox.sqs.messages import VERSION, Message

DOOR = "log_meeting_event"  # takes any bytes


def take() -> int:
    return intake.take_once(threading.Event(), wait_seconds=0)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - not a secret


def make_message(**values: Any) -> Message:
    body = values.pop("raw", b'{"logs": []}')
    known: dict[str, Any] = {
        "v": VERSION,
        "door": "log-lines",
        "received_us": int(timezone.now().timestamp() * 1_000_000),
        "size": len(body),
        "sha256": digest_of(body),
        "body": compress(body),
    }
    return Message(**{**known, **values})


def text_of(message: Message) -> str:
    return msgspec.json.encode(message).decode()


def reasons() -> list[tuple[str, str]]:
    return list(Quarantine.objects.held().values_list("door", "reason"))
