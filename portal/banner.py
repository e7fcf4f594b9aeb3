"""The thin banner: only what is broken now, with the way to mend it."""

from django.core.cache import cache

from portal import health
from portal.health import Health

_KEY = "banner.problems"
_SECONDS = 10


def problems() -> list[Health]:
    """The failed checks, at most ten seconds old. What cannot be told is not shown as broken."""
    found: list[Health] | None = cache.get(_KEY)
    if found is None:
        found = [one for one in health.problems() if one.ok is False]
        cache.set(_KEY, found, _SECONDS)
    return found
