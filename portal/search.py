"""The search box: apps register providers, the page /admin/search/ groups what they find."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from portal import navigation

LONGEST_QUERY = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found. `exact` says that the text is this thing's own id or name."""

    kind: str
    label: str
    detail: str
    url: str
    exact: bool = False


# The person is the installation's user model, which the frame does not know.
Provider = Callable[[str, Any], Iterable[Hit]]

_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Ask `provider(text, user)` at each search. It answers only what the user may see."""
    if provider not in _providers:
        _providers.append(provider)


def find(text: str, user: Any) -> list[Hit]:
    text = clean(text)
    if not text:
        return []
    return [hit for provider in _providers for hit in provider(text, user)]


def clean(text: str) -> str:
    """PostgreSQL refuses the NUL character, and nobody looks for a novel."""
    return text.replace("\x00", "").strip()[:LONGEST_QUERY]


def only_exact(hits: list[Hit]) -> Hit | None:
    """The hit to go to at once: the single exact one."""
    exact = [hit for hit in hits if hit.exact]
    return exact[0] if len(exact) == 1 else None


def grouped(hits: list[Hit]) -> dict[str, list[Hit]]:
    """By kind, in the order the kinds came; exact hits first in each."""
    groups: dict[str, list[Hit]] = {}
    for hit in sorted(hits, key=lambda one: not one.exact):
        groups.setdefault(hit.kind, []).append(hit)
    return groups


def find_pages(text: str, user: Any) -> list[Hit]:
    """The portal's own pages, by the words of the navigation."""
    wanted = text.casefold()
    return [
        Hit("Page", item.label, group, url)
        for group in navigation.GROUPS
        for item in navigation.items(group)
        if wanted in item.label.casefold()
        and (not item.permission or user.has_perm(item.permission))
        and (url := navigation.url_of(item)) is not None
    ]


register(find_pages)
