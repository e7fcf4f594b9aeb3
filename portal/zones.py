"""Each person reads times in a zone of their own; everything is stored in UTC."""

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

COOKIE = "time_zone"


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """All zones people may choose, UTC first. Reading them takes some 50 ms, once."""
    places = sorted(name for name in available_timezones() if "/" in name and name[:3] != "Etc")
    return ("UTC", *places)


def known(name: str) -> bool:
    return name in names()


def of(request: HttpRequest) -> str:
    """The person's own choice, else the browser's cookie, else the installation's zone."""
    chosen = ""
    # Touching the user loads the session: not for clients, who have none.
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        chosen = getattr(request.user, "time_zone", "")
    for name in (chosen, request.COOKIES.get(COOKIE, "")):
        if name and known(name):
            return name
    return settings.DEFAULT_VIEWER_ZONE


class TimeZoneMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with timezone.override(ZoneInfo(of(request))):
            return self.get_response(request)
