"""/livez, /readyz and /metrics.

They are answered before hosts are checked, http is sent to https, or anybody must sign in:
a load balancer asks by address and by plain http.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.module_loading import import_string

from portal import health, metrics

METRICS_SCOPE = "metrics:read"
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


class MonitoringMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = VIEWS.get(request.path)
        if view is None:
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        response = view(request)
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))  # keeps the connection open
        return response


def livez(request: HttpRequest) -> HttpResponse:
    """The process serves. Nothing else is asked: a restart would not mend a database."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 if every essential check passes, 503 otherwise, each with what to do about it."""
    checks = health.results()
    ready = all(check.ok for check in checks if check.essential)
    return JsonResponse(
        {"ready": ready, "checks": [asdict(check) for check in checks]},
        status=200 if ready else 503,
    )


def metrics_page(request: HttpRequest) -> HttpResponse:
    if not (_is_local(request) or _has_key(request)):
        return JsonResponse(
            {"detail": f"Send a secret key with the scope {METRICS_SCOPE} as bearer token."},
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    content_type = "text/plain; version=0.0.4; charset=utf-8"
    return HttpResponse(metrics.exposition(), content_type=content_type)


def _is_local(request: HttpRequest) -> bool:
    """Asked from this very machine, and not through a proxy on it."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_key(request: HttpRequest) -> bool:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    key = import_string("portal.access.services.find_key")(text.strip(), "secret")
    return key is not None and METRICS_SCOPE in key.scopes


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics_page,
}
