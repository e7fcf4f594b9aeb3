"""Content-Security-Policy from settings.SECURE_CSP, as Django 6.0 does it.

On Django 6.0 put `django.middleware.csp.ContentSecurityPolicyMiddleware` in its place and delete
this file. Nonces are left out: nothing of ours is inline.
"""

from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

HEADER = "Content-Security-Policy"

Directives = Mapping[str, str | bool | Iterable[str] | None]


def build_policy(directives: Directives) -> str:
    """None and False leave a directive out; True gives its bare name."""
    parts = []
    for name, values in directives.items():
        if values is None or values is False:
            continue
        if values is True:
            parts.append(name)
        else:
            words = [values] if isinstance(values, str) else values
            parts.append(f"{name} {' '.join(words)}".rstrip())
    return "; ".join(parts)


class ContentSecurityPolicyMiddleware:
    """Add the header unless the view has set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.policy = build_policy(settings.SECURE_CSP)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # The debug pages style themselves inline; no stranger ever sees them.
        debug_page = settings.DEBUG and response.status_code in {404, 500}
        if self.policy and not debug_page:
            response.headers.setdefault(HEADER, self.policy)
        return response
