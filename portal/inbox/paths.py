"""Which paths lead to which door, read from the URLs themselves."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from portal.inbox.doors import Door

_KEY = "<str:key>"


def door_paths() -> Iterator[tuple[str, str]]:
    """Each door's name with a path to it, as "ingest/<str:key>/meetingevents"."""
    return ((view.name, path) for view, path in door_views())


def door_views() -> Iterator[tuple[type[Door], str]]:
    return _below(get_resolver().url_patterns)


def keyed_paths() -> list[str]:
    """The paths that take a key, as "/ingest/KEY/meetingevents"."""
    return sorted(f"/{path.replace(_KEY, 'KEY')}" for _, path in door_paths() if _KEY in path)


def _below(patterns: list[Any], prefix: str = "") -> Iterator[tuple[type[Door], str]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _below(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "view_class", None)
            if isinstance(view, type) and issubclass(view, Door):
                yield view, path
