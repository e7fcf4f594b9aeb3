"""How the queue is doing: for /readyz, the banner on pages, and Prometheus."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils import timezone

from portal.figures import duration
from portal.health import Health
from portal.inbox.models import Delivery
from portal.inbox.sqs import cloud
from portal.metrics import Figure

logger = logging.getLogger(__name__)

NAME = "queue"
# AWS is asked at most so often, and nobody waits for it longer than that.
_FRESH_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """Approximate, as AWS says. `error` is set where AWS did not tell."""

    at: float
    waiting: int = 0
    in_hand: int = 0
    dead: int = 0
    error: str = ""


def is_on() -> bool:
    return bool(settings.INBOX_SQS_URL)


class _Watcher:
    """Remembers the last look. Pages ask it: they must not hang while AWS does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="sqs-watch")
        self._future: Future[Look] | None = None
        self._last: Look | None = None

    def look(self) -> Look:
        with self._lock:
            if self._last and time.monotonic() - self._last.at < _FRESH_SECONDS:
                return self._last
            if self._future is None:
                self._future = self._asker.submit(_ask)
            future = self._future
        try:
            look = future.result(_PATIENCE_SECONDS)
        except TimeoutError:
            return Look(time.monotonic(), error="AWS does not answer.")
        finally:
            with self._lock:
                if self._future is future and future.done():
                    self._future = None
        with self._lock:
            self._last = look
        return look

    def forget(self) -> None:
        with self._lock:
            self._last = self._future = None


_watcher = _Watcher()
look = _watcher.look
forget = _watcher.forget


def _ask() -> Look:
    at = time.monotonic()
    try:
        inbox = cloud.attributes(settings.INBOX_SQS_URL)
        dead = settings.INBOX_SQS_DEAD_LETTER_URL
        return Look(
            at,
            int(inbox["ApproximateNumberOfMessages"]),
            int(inbox["ApproximateNumberOfMessagesNotVisible"]),
            int(cloud.attributes(dead)["ApproximateNumberOfMessages"]) if dead else 0,
        )
    except (BotoCoreError, ClientError) as error:
        return Look(at, error=str(error))
    except Exception as error:  # nobody else could tell that the queue cannot be asked
        logger.exception("The queue was asked in vain.")
        return Look(at, error=f"{type(error).__name__}: {error}")


def behind(now: datetime) -> timedelta:
    """For how long, as far as can be told, deliveries lie on the queue; SQS itself does not say.

    What lies there came, at the earliest, after the last delivery that was taken from it.
    """
    if not is_on() or not look().waiting:
        return timedelta()
    newest = Delivery.objects.filter(replay_of__isnull=True).order_by("-id")
    last = newest.values_list("received_at", flat=True).first()
    return max(now - last, timedelta()) if last else timedelta()


def check_queue() -> Health:
    """Doors can keep what they are sent, and what lies on the queue is taken soon."""
    if not is_on():
        return Health(NAME, ok=True, detail="The inbox is in the database.", essential=False)
    seen = look()
    if seen.error:
        return Health(
            NAME,
            ok=False,
            detail=f"The queue cannot be asked: {seen.error[:300]}",
            remedy="Run `manage.py doctor`: it tries each access and prints the policy needed.",
            essential=settings.INBOX == "sqs",
        )
    lag = behind(timezone.now())
    if lag.total_seconds() > settings.READY_MAX_LAG_SECONDS:
        return Health(
            NAME,
            ok=False,
            detail=(
                f"{seen.waiting:,} deliveries lie on the queue, for up to {duration(lag)}. Pages "
                "lag behind by as much."
            ),
            remedy="See that `manage.py drain` runs with INBOX_SQS_URL set, and look into its log.",
        )
    detail = f"{seen.waiting:,} deliveries lie on the queue." if seen.waiting else "It is empty."
    return Health(NAME, ok=True, detail=detail)


def figures() -> Iterator[Figure]:
    if not is_on():
        return
    seen = look()
    if seen.error:
        return  # absent is better than zero
    yield Figure(
        "greenroom_queue_messages",
        "Messages on the inbox's queue: waiting, in the hands of an intake, or dead letters.",
        [
            ({"state": "waiting"}, seen.waiting),
            ({"state": "in_hand"}, seen.in_hand),
            ({"state": "dead"}, seen.dead),
        ],
    )
    yield Figure(
        "greenroom_queue_lag_seconds",
        "For how long at most deliveries lie on the queue before they reach the archive.",
        [({}, behind(timezone.now()).total_seconds())],
    )
