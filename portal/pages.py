"""Own pages under /admin/ that belong to no model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Page:
    """`path` is a pattern below /admin/; reverse it as `admin:<name>`."""

    path: str
    view: View
    name: str
    permission: str


_pages: list[Page] = []


def register_page(path: str, view: View, name: str, permission: str = "") -> None:
    """Serve `view` at /admin/<path> to staff who have the permission (empty: to all staff)."""
    _pages[:] = [page for page in _pages if page.name != name]
    _pages.append(Page(path, view, name, permission))


def registered() -> list[Page]:
    return list(_pages)


def guarded(page: Page) -> View:
    if not page.permission:
        return page.view

    @wraps(page.view)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(page.permission):
            raise PermissionDenied
        return page.view(request, *args, **kwargs)

    return view
