"""What browsers need of the doors: an answer to every preflight, CORS headers on every answer.

A browser hides an answer without Access-Control-Allow-Origin from the client, which then can
neither see a 503 nor retry. So the headers are put on here, outside of everything that can fail.
No door reads cookies, and credentials are never allowed: `*` gives nothing away. Which origins may
send is decided by the key (portal.access), not by these headers.
"""

import re
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from portal.inbox.paths import keyed_paths

DOOR_PATH = re.compile(r"/(ingest/|(prod/)?meetingevents/?$)")
# Clients ask for `authorization`; some applications add headers of their own to their logger.
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,500}")
_PREFLIGHT_SECONDS = "86400"


class DoorHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not DOOR_PATH.match(request.path_info):
            return self.get_response(request)
        if request.method == "OPTIONS":
            return _allow(preflight(request))
        response = self.get_response(request)
        if response.status_code >= 400 and "json" not in response.get("Content-Type", ""):
            response = _as_json(response.status_code)
        return _allow(response)


def preflight(request: HttpRequest) -> HttpResponse:
    """Answer without looking anything up: a preflight tells nothing and costs nothing."""
    response = HttpResponse(status=204)
    asked = request.headers.get("Access-Control-Request-Headers", "")
    listed = "authorization, content-type"
    if asked and _HEADER_NAMES.fullmatch(asked):
        listed += f", {asked}"
    response["Access-Control-Allow-Headers"] = listed
    response["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    return response


def _allow(response: HttpResponseBase) -> HttpResponseBase:
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Methods"] = "OPTIONS,POST"
    return response


_MESSAGES = {
    400: "The request could not be read. Send an ordinary HTTP POST.",
    404: "There is no such door.",
    500: "Something went wrong here, and nothing was stored. Send it again later.",
}


def _as_json(status: int) -> JsonResponse:
    message = _MESSAGES.get(status, "The request was refused.")
    if status == HTTPStatus.NOT_FOUND:
        message += f" Send to one of {', '.join(keyed_paths())}, with an ingest key for KEY."
    return JsonResponse({"error": {"code": f"http-{status}", "message": message}}, status=status)
