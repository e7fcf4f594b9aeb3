"""Requests refused because of their origin, counted on the key without a hot row."""

import threading
import time

from django.db.models import F
from django.utils import timezone

from portal.access.models import ApiKey

WRITTEN_SECONDS = 1
_MOST_KEYS = 2048

_pending: dict[int, int] = {}
_written: dict[int, float] = {}
_lock = threading.Lock()


def note_refused_origin(key: ApiKey, origin: str) -> None:
    """Count a refusal; each process writes a key's count once a second at most.

    What comes after the last write of a burst is added by the next refusal, or lost with the
    process: the figure tells that something is wrong, and need not be exact.
    """
    now = time.monotonic()
    with _lock:
        number = _pending.get(key.pk, 0) + 1
        if _written.get(key.pk, -WRITTEN_SECONDS) > now - WRITTEN_SECONDS:
            _pending[key.pk] = number
            return
        if len(_written) >= _MOST_KEYS:
            _written.clear()
        _written[key.pk] = now
        _pending.pop(key.pk, None)
    ApiKey.objects.filter(pk=key.pk).update(
        refused_origin_count=F("refused_origin_count") + number,
        last_refused_origin=origin.replace("\0", "").encode("utf-8", "replace").decode()[:255],
        last_refused_at=timezone.now(),
    )
