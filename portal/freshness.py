"""How far the figures of a page reach: what has come in and is not counted yet makes them old.

Whoever turns what comes in into rows registers a source; pages ask for it by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from portal import figures

DRAIN = "drain"
_LATE = timedelta(seconds=30)  # a source needs a second or two; more than this is worth a word

Behind = Callable[[datetime], timedelta]

_sources: dict[str, Behind] = {}


@dataclass(frozen=True, slots=True)
class Freshness:
    behind: timedelta
    read_at: datetime

    @property
    def as_of(self) -> datetime:
        return self.read_at - self.behind

    @property
    def stale(self) -> str:
        """Why the figures are old; nothing if they are not."""
        if self.behind <= _LATE:
            return ""
        return f"What came in the last {figures.duration(self.behind)} is not counted yet"


def register(name: str, behind: Behind) -> None:
    """Add a source: `behind(now)` is the age of the oldest thing it has not dealt with."""
    _sources[name] = behind


def of(name: str) -> Freshness:
    now = timezone.now()
    return Freshness(_sources[name](now), now)
