"""The doors' quick way with SQS as the inbox: takes the place of `portal.inbox.writer.Writer`."""

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor

from portal.inbox.sqs.messages import Packed, pack
from portal.inbox.sqs.sender import Sender, sender
from portal.inbox.writer import Item

logger = logging.getLogger(__name__)

_MOST_WAITING = 2000
_MOST_WAITING_BYTES = 64 * 1024 * 1024
_THREADS = 2


class Courier:
    """Used from one event loop. Nothing of it waits; threads pack and send."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sender: Sender = sender()
        self._packers = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqs-packer")
        self._on_the_way = 0
        self._bytes_on_the_way = 0

    def has_room(self) -> bool:
        return (
            self._on_the_way < _MOST_WAITING
            and self._bytes_on_the_way < _MOST_WAITING_BYTES
            and not self._sender.is_paused()
        )

    def add(self, item: Item) -> None:
        self._on_the_way += 1
        self._bytes_on_the_way += len(item.body)
        self._packers.submit(self._pack, item)

    def stop(self, seconds: float) -> None:
        """No request is on the way any more."""
        self._packers.shutdown(wait=False)

    def _pack(self, item: Item) -> None:
        """Called in a thread, as `_sent`."""
        try:
            packed = pack(item.body, item.envelope, received_us=item.received_us)
        except Exception:  # nobody else could answer this request
            logger.exception("A delivery takes the long way.")
            self._tell(item, is_sent=False)
            return
        if packed.object:  # S3 takes its time: the ordinary way has threads to wait in
            self._tell(item, is_sent=False)
        else:
            self._send(item, packed)

    def _send(self, item: Item, packed: Packed) -> None:
        def sent(future: Future[str]) -> None:
            self._tell(item, is_sent=not future.result())

        self._sender.add(packed.text).add_done_callback(sent)

    def _tell(self, item: Item, *, is_sent: bool) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, item, is_sent)
        except RuntimeError:  # the server has ended; so has the connection
            return

    def _settle(self, item: Item, is_sent: bool) -> None:
        self._on_the_way -= 1
        self._bytes_on_the_way -= len(item.body)
        item.settle(is_sent)
