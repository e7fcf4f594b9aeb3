"""The left navigation: apps say where their pages stand, the frame draws them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

GROUPS = (
    "Overview",
    "Meetings",
    "Failures",
    "Recordings",
    "Chat",
    "Quality",
    "Deliveries",
    "Settings",
)
PERSON = "Person"  # not in the left navigation: the menu behind the person's name

_BADGE_SECONDS = 10  # a badge may be this old; it saves a count on each page


@dataclass(frozen=True, slots=True)
class NavItem:
    """A place in the navigation.

    `permission` is asked of the person ("meetings.view_meeting"); empty means all staff.
    `badge` counts what needs someone now; zero shows nothing. `pages` names further pages that
    belong here, where their URLs do not say so.
    """

    label: str
    url_name: str
    permission: str = ""
    badge: Callable[[HttpRequest], int] | None = None
    order: int = 100
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A NavItem as one person sees it on one page."""

    label: str
    url: str
    badge: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    entries: list[Entry]
    current: bool
    badge: str = ""


_items: dict[str, list[NavItem]] = {group: [] for group in (*GROUPS, PERSON)}


def register(group: str, item: NavItem) -> None:
    """Put an item into a group. The same url_name again replaces the first."""
    if group not in _items:
        raise ValueError(f"There is no navigation group {group!r}; choose of {', '.join(GROUPS)}.")
    kept = [other for other in _items[group] if other.url_name != item.url_name]
    _items[group] = sorted([*kept, item], key=lambda one: (one.order, one.label))


def items(group: str) -> list[NavItem]:
    return list(_items[group])


def url_of(item: NavItem) -> str | None:
    """None where the page does not exist in this installation."""
    try:
        return reverse(item.url_name)
    except NoReverseMatch:
        return None


def visible(request: HttpRequest, group: str) -> list[tuple[NavItem, str]]:
    return [
        (item, url)
        for item in _items[group]
        if (not item.permission or request.user.has_perm(item.permission))
        and (url := url_of(item)) is not None
    ]


def build(request: HttpRequest, query_string: str = "") -> list[Group]:
    """The groups this person may see. The time range in `query_string` is carried along."""
    shown = {label: visible(request, label) for label in GROUPS}
    current = _owner(request, shown.values()) or current_url(
        request.path, [url for rows in shown.values() for _, url in rows]
    )
    suffix = f"?{query_string}" if query_string else ""
    return [
        Group(
            label,
            [
                Entry(item.label, url + suffix, _badge(request, item), url == current)
                for item, url in rows
            ],
            any(url == current for _, url in rows),
        )
        for label, rows in shown.items()
        if rows
    ]


def _owner(request: HttpRequest, groups: Iterable[list[tuple[NavItem, str]]]) -> str:
    """The URL of the item that names this page as its own."""
    page = request.resolver_match.view_name if request.resolver_match else ""
    return next((url for rows in groups for item, url in rows if page in item.pages), "")


def current_url(path: str, urls: list[str]) -> str:
    """The longest of the URLs that leads to `path`; a page under /admin/x/ belongs to x."""
    home = reverse("admin:index")
    leading = [url for url in urls if path == url or (url != home and path.startswith(url))]
    return max(leading, key=len, default="")


def _badge(request: HttpRequest, item: NavItem) -> str:
    if item.badge is None:
        return ""
    key = f"navigation.badge.{item.url_name}.{request.user.pk}"
    count = cache.get(key)
    if count is None:
        count = item.badge(request)
        cache.set(key, count, _BADGE_SECONDS)
    if not count:
        return ""
    return "99+" if count > 99 else str(count)
