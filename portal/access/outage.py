"""Doors without the database: where deliveries are kept elsewhere, it is not needed to take them.

They go on by what a process remembers of keys and quotas. Nobody can revoke a key meanwhile, as
that needs the database too; but a key that was revoked before may have been remembered since then.
Hence the limit.

To find out that the database is away takes as long as a connection may take. So requests must not
each find out for themselves: after a failure nobody asks for AWAY_SECONDS, and then one does.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from portal.database.faults import is_the_databases

# Since the key was read last.
KEYS_ARE_GOOD_SECONDS = 3600
AWAY_SECONDS = 5.0


class AwayError(OperationalError):
    """The database was away a moment ago, and has not been asked."""


def goes_on() -> bool:
    return bool(settings.INBOX != "database")


class Breaker:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_away = False
        self._ask_again_at = -math.inf
        self.failed_at = -math.inf

    def admits(self) -> bool:
        """Whether to ask. Whoever is let through after a failure finds out for all others."""
        if not self._is_away:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._ask_again_at:
                return False
            self._ask_again_at = now + 2 * AWAY_SECONDS  # should it never come back to tell
            return True

    def note_failure(self) -> None:
        with self._lock:
            self._is_away = True
            self.failed_at = time.monotonic()
            self._ask_again_at = self.failed_at + AWAY_SECONDS

    def note_answer(self) -> None:
        if self._is_away:
            with self._lock:
                self._is_away = False
                self._ask_again_at = -math.inf


_breaker = Breaker()


@contextmanager
def asking() -> Iterator[None]:
    """Around statements that doors can do without. Raises AwayError where there is no use."""
    if goes_on() and not _breaker.admits():
        raise AwayError("The database was away a moment ago.")
    try:
        yield
    except AwayError:
        raise
    except (DatabaseError, InterfaceError) as error:
        if is_the_databases(error):
            _breaker.note_failure()
        raise
    _breaker.note_answer()


@contextmanager
def in_turn(lock: threading.Lock) -> Iterator[None]:
    """Wait for one's turn to ask; what has failed meanwhile is not tried again."""
    began = time.monotonic()
    with lock:
        if _breaker.failed_at > began:
            raise AwayError("The database was found to be away.")
        yield
