"""What a person chooses for themself: the zone of times, light or dark."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from portal import zones

THEME_COOKIE = "theme"
THEMES = {"auto": "As the device", "light": "Light", "dark": "Dark"}
_YEAR = 365 * 86400


def theme_of(request: HttpRequest) -> str:
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def save(request: HttpRequest) -> HttpResponse:
    """Take the form of the header or of the preferences page, and go back."""
    response = HttpResponseRedirect(_way_back(request))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        _remember(response, THEME_COOKIE, theme)
    zone = request.POST.get("time_zone", "")
    if zones.known(zone):
        _remember(response, zones.COOKIE, zone)
        _store_zone(request, zone)
    elif zone:
        messages.error(request, "This time zone is not known. Choose one from the list.")
    return response


def _way_back(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        return target
    return reverse("admin:index")


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=_YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _store_zone(request: HttpRequest, zone: str) -> None:
    """The person's choice follows them to other browsers."""
    if (pk := request.user.pk) is not None:
        get_user_model().objects.filter(pk=pk).update(time_zone=zone)
