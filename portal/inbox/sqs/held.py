"""What of the queue goes to the quarantine, and how it comes back from there.

Held is the message itself, so that a replay does what the intake could not.
"""

import logging
import threading
from collections.abc import Mapping, Sequence

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from portal.inbox.handlers import WHOLE_BODY, RefusedItem
from portal.inbox.models import Delivery
from portal.inbox.services import quarantine
from portal.inbox.sqs import archive, cloud
from portal.inbox.sqs.archive import Letter
from portal.inbox.sqs.messages import Message, UnreadableMessageError, check, unpack

logger = logging.getLogger(__name__)

# The door of messages that are held: a replay takes them in again.
DOOR = "sqs"
IDLE_SECONDS = 20.0
_DEAD = (
    "SQS has moved it to the dead-letter queue: it was taken from the queue too often and never "
    "dealt with. Look at the logs of the drains at that time before replaying."
)


def refusal_of(message: Message | str, reason: str, detail: str) -> RefusedItem:
    raw = message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    return RefusedItem(WHOLE_BODY, reason, detail, raw)


def letter_of(message: Message) -> Letter:
    """The message with its body inside, fetched from the bucket if it lay there."""
    if message.object:
        try:
            message.body = cloud.get_object(message.object)
        except cloud.ObjectGoneError:
            detail = f"The bucket {settings.INBOX_S3_BUCKET} has no {message.object} any more."
            raise UnreadableMessageError("sqs-body-gone", detail) from None
        message.object = ""
    raw = check(message)
    return Letter(message, raw if message.refusal else None)


def hold(items: Sequence[RefusedItem]) -> None:
    """Quarantine messages. One whose body is in the archive was a copy, and needs no decision."""
    for item in items:
        message = _readable(item.raw)
        if message is None or not archive.is_known(message):
            quarantine(DOOR, item)


def _readable(raw: bytes) -> Message | None:
    try:
        return unpack(raw)
    except UnreadableMessageError:
        return None


def handle_again(deliveries: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
    """The drain's handler for replayed messages."""
    refused: dict[int, Sequence[RefusedItem]] = {}
    for delivery in deliveries:
        raw = delivery.raw()
        try:
            _take_in(unpack(raw))
        except UnreadableMessageError as error:
            item = RefusedItem(WHOLE_BODY, error.reason, error.detail, raw)
            refused[delivery.pk] = [item]
        except (BotoCoreError, ClientError) as error:
            detail = f"Its body could not be fetched. Replay it later. {error}"
            refused[delivery.pk] = [RefusedItem(WHOLE_BODY, "sqs-body-away", detail, raw)]
    return refused


def _take_in(message: Message) -> None:
    name = message.object
    archive.keep([letter_of(message)])
    if name:
        transaction.on_commit(lambda: cloud.delete_objects([name]))


def drain_dead_letters(stop: threading.Event) -> None:
    """Bring what lies on the dead-letter queue to the quarantine, until told to stop."""
    while not stop.is_set():
        try:
            count = take_dead_letters()
        except (BotoCoreError, ClientError, DatabaseError, InterfaceError) as error:
            logger.warning("The dead-letter queue waits: %s", error)
            connection.close()
            count = 0
        if not count:
            stop.wait(IDLE_SECONDS)
    connection.close()


def take_dead_letters() -> int:
    url = settings.INBOX_SQS_DEAD_LETTER_URL
    received = cloud.receive(url, wait_seconds=0)
    if received:
        with transaction.atomic():
            hold([refusal_of(one.text, "sqs-dead-letter", _DEAD) for one in received])
        cloud.delete(url, [one.receipt for one in received])
    return len(received)
