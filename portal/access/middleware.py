"""Nobody sees anything without being signed in, unless a view says otherwise."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from portal.access import second_factor, sessions
from portal.access.models import User

# What a person can reach who has yet to choose a password or set up the authenticator.
_ALWAYS = {"admin:logout", "admin:login", "admin:jsi18n"}
_PASSWORD = {"admin:password_change", "admin:password_change_done"}
_SECOND_FACTOR = {"admin:second_factor"}


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Default deny for every URL whose view lacks `login_not_required`.

    API views carry it, because they know their callers by key as well (portal.access
    .authentication). On the others this also ends idle sessions, and leads people to choosing a
    password of their own and to the second factor where these are obligatory.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True):
            return None
        user = request.user
        if not isinstance(user, User) or not user.is_staff or sessions.end_if_idle(request):
            return self.handle_no_permission(request, view_func)
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in _ALWAYS:
            return None
        if user.must_change_password:
            return None if name in _PASSWORD else redirect("admin:password_change")
        if second_factor.satisfied_by(user) or name in _SECOND_FACTOR:
            return None
        if second_factor.is_enrolled(user):
            logout(request)  # signed in before there was a second factor: sign in with it
            return self.handle_no_permission(request, view_func)
        return redirect("admin:second_factor")
