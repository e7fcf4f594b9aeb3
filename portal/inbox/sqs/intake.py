"""The drains' side: messages become deliveries, and only then leave the queue.

Several intakes may run, on any number of hosts. One that dies leaves its messages to the others
once their visibility time-out has passed; what it had stored already is known by its digest.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import connection, transaction

from portal.database.faults import is_the_databases
from portal.inbox.handlers import RefusedItem
from portal.inbox.sqs import archive, cloud
from portal.inbox.sqs.archive import Letter
from portal.inbox.sqs.cloud import Received
from portal.inbox.sqs.held import hold, letter_of, refusal_of
from portal.inbox.sqs.messages import UnreadableMessageError, unpack

logger = logging.getLogger(__name__)

# What is held in memory at a time, compressed.
_BATCH_BYTES = 16 * 1024 * 1024
_LONGEST_PAUSE_SECONDS = 30.0
# A body that S3 does not hand out is tried again after so long, and then later each time.
_BODY_PAUSE_SECONDS = 30
_LONGEST_BODY_PAUSE_SECONDS = 900


@dataclass(slots=True)
class Batch:
    """What is stored in one transaction, and then deleted from the queue."""

    letters: list[Letter] = field(default_factory=list)
    refused: list[RefusedItem] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    size: int = 0


class Hand:
    """Messages that this intake has taken, and that others must not get meanwhile."""

    def __init__(self, received: Sequence[Received]) -> None:
        self._receipts = [one.receipt for one in received]
        self._due = self._next()

    def keep_hold(self) -> None:
        if self._receipts and time.monotonic() >= self._due:
            seconds = settings.INBOX_SQS_VISIBILITY_SECONDS
            cloud.hide(settings.INBOX_SQS_URL, self._receipts, seconds)
            self._due = self._next()

    def let_go(self, receipts: Sequence[str]) -> None:
        self._receipts = [one for one in self._receipts if one not in receipts]

    def give_back(self) -> None:
        cloud.hide(settings.INBOX_SQS_URL, self._receipts, 0)

    @staticmethod
    def _next() -> float:
        return time.monotonic() + settings.INBOX_SQS_VISIBILITY_SECONDS / 3


def run(stop: threading.Event) -> None:
    """Take in messages until told to stop. SQS being away is waited for."""
    failures = 0
    while not stop.is_set():
        try:
            take_once(stop)
            failures = 0
        except (BotoCoreError, ClientError) as error:
            failures += 1
            logger.warning("The intake waits for AWS: %s", error)
            stop.wait(_pause(failures))
    connection.close()


def take_once(stop: threading.Event, *, wait_seconds: int = cloud.WAIT_SECONDS) -> int:
    """Take one lot of messages; returns how many left the queue."""
    received = cloud.receive(settings.INBOX_SQS_URL, wait_seconds=wait_seconds)
    hand = Hand(received)
    count = 0
    for batch in _batches(received, hand):
        if not _keep(batch, hand, stop):
            hand.give_back()
            break
        cloud.delete(settings.INBOX_SQS_URL, batch.receipts)
        hand.let_go(batch.receipts)
        cloud.delete_objects(batch.objects)
        count += len(batch.receipts)
    return count


def _batches(received: Sequence[Received], hand: Hand) -> Iterator[Batch]:
    """Open messages one after the other, as many as fit in memory together."""
    batch = Batch()
    for one in received:
        hand.keep_hold()
        _open(one, batch, hand)
        if batch.size > _BATCH_BYTES:
            yield batch
            batch = Batch()
    if batch.receipts:
        yield batch


def _open(one: Received, batch: Batch, hand: Hand) -> None:
    """Find out what becomes of a message. Asks S3, but not the database."""
    try:
        message = unpack(one.text)
        if one.times > settings.INBOX_MAX_ATTEMPTS:
            batch.refused.append(_too_often(one))
        else:
            name, letter = message.object, letter_of(message)
            batch.letters.append(letter)
            batch.size += len(letter.message.body)
            batch.objects += [name] if name else []
    except UnreadableMessageError as error:
        batch.refused.append(refusal_of(one.text, error.reason, error.detail))
    except (BotoCoreError, ClientError) as error:
        logger.warning("A body could not be fetched, and is tried again later: %s", error)
        seconds = min(_LONGEST_BODY_PAUSE_SECONDS, _BODY_PAUSE_SECONDS * 2 ** (one.times - 1))
        hand.let_go([one.receipt])
        cloud.hide(settings.INBOX_SQS_URL, [one.receipt], seconds)
        return
    batch.receipts.append(one.receipt)


def _too_often(one: Received) -> RefusedItem:
    detail = (
        f"It was taken from the queue {one.times - 1} times and never dealt with: the process died "
        "each time, or its body could not be fetched. Look at the logs of the drains at those "
        "times before replaying."
    )
    return refusal_of(one.text, "sqs-too-often", detail)


def _keep(batch: Batch, hand: Hand, stop: threading.Event) -> bool:
    """Commit, however long the database is away. False if told to stop meanwhile.

    The messages stay in hand: giving them back and taking them again would count as tries.
    """
    failures = 0
    while True:
        try:
            _store(batch)
        except Exception as error:
            if not is_the_databases(error):
                raise
            failures += 1
            logger.warning("The intake waits for the database: %s", error)
            connection.close()
            if stop.wait(_pause(failures)):
                return False
            hand.keep_hold()
        else:
            return True


def _store(batch: Batch) -> None:
    try:
        with transaction.atomic():
            archive.keep(batch.letters)
            hold(batch.refused)
    except Exception as error:
        if is_the_databases(error):
            raise
        logger.warning("%d messages are stored one by one: %s", len(batch.letters), error)
        for letter in batch.letters:
            _store_alone(letter)
        hold(batch.refused)


def _store_alone(letter: Letter) -> None:
    try:
        archive.keep([letter])
    except Exception as error:
        if is_the_databases(error):
            raise
        logger.exception("A message could not be stored.")
        # With its body in it, because the object goes.
        hold([refusal_of(letter.message, "handling-failed", f"{type(error).__name__}: {error}")])


def _pause(failures: int) -> float:
    """Seconds. Random in its upper half, so that many intakes do not come back together."""
    longest: float = min(_LONGEST_PAUSE_SECONDS, 0.5 * 2.0 ** min(failures, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret
