"""The doors' side: a delivery counts as kept once SQS says that it has it.

What several requests send in the same moment goes in one request to SQS, each told of its own fate.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import cache

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from portal.inbox.handlers import RefusedItem
from portal.inbox.services import Envelope
from portal.inbox.sqs import cloud
from portal.inbox.sqs.messages import pack

logger = logging.getLogger(__name__)

THREADS = 4
# After SQS could not be reached nobody tries for so long: requests must not queue up behind that.
_PAUSE_SECONDS = 1.0
# More than the client's own time-outs and retries take together.
_LONGEST_SECONDS = 60.0


class NotSentError(Exception):
    """The queue has not acknowledged a delivery."""


def send(body: bytes, envelope: Envelope, refusal: RefusedItem | None = None) -> None:
    """Keep a body by the queue. When this returns, SQS has it, and S3 if it was large."""
    packed = pack(body, envelope, received_us=time.time_ns() // 1000, refusal=refusal)
    if sender().is_paused():
        raise NotSentError("SQS could not be reached a moment ago.")
    if packed.object:
        try:
            cloud.put_object(packed.object, packed.body)
        except (BotoCoreError, ClientError) as error:
            raise NotSentError(f"The body was not put into the bucket: {error}") from error
    try:
        error_text = sender().add(packed.text).result(_LONGEST_SECONDS)
    except TimeoutError:
        error_text = "SQS does not answer."
    if error_text:
        raise NotSentError(error_text)


class Sender:
    """A few threads, each with one request to SQS on the way at a time."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Future[str]]] = deque()
        self._changed = threading.Condition()
        self._paused_until = 0.0
        for number in range(THREADS):
            threading.Thread(target=self._run, name=f"sqs-sender-{number}", daemon=True).start()

    def add(self, text: str) -> Future[str]:
        """Its result is what went wrong; empty once SQS has the message."""
        future: Future[str] = Future()
        with self._changed:
            self._waiting.append((text, future))
            self._changed.notify()
        return future

    def is_paused(self) -> bool:
        return time.monotonic() < self._paused_until

    def waiting(self) -> int:
        return len(self._waiting)

    def _run(self) -> None:
        while True:
            group = self._next_group()
            for some in _requests(group):
                errors = self._send([text for text, _ in some])
                for (_, future), error in zip(some, errors, strict=True):
                    future.set_result(error)

    def _next_group(self) -> list[tuple[str, Future[str]]]:
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            number = min(len(self._waiting), cloud.MOST_TOGETHER)
            return [self._waiting.popleft() for _ in range(number)]

    def _send(self, texts: Sequence[str]) -> list[str]:
        if self.is_paused():
            return ["SQS could not be reached a moment ago."] * len(texts)
        try:
            return cloud.send(texts)
        except (BotoCoreError, ClientError) as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            return [str(error)] * len(texts)
        except Exception as error:  # nobody else could answer these requests
            logger.exception("A group of %d messages was not sent.", len(texts))
            return [repr(error)] * len(texts)


def _requests(
    group: Sequence[tuple[str, Future[str]]],
) -> Iterator[list[tuple[str, Future[str]]]]:
    """The limit for one message holds for those of a request together."""
    some: list[tuple[str, Future[str]]] = []
    size = 0
    for text, future in group:
        length = len(text.encode())
        if some and size + length > settings.INBOX_SQS_MAX_BYTES:
            yield some
            some, size = [], 0
        some.append((text, future))
        size += length
    yield some


@cache
def sender() -> Sender:
    """One for each process."""
    return Sender()
