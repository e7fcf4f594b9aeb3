"""The one shape of an error in the API: what went wrong, and what to do next."""

import logging
import re
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import server_error as html_server_error
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portal.errors import OperationError
from portal.logs import request_id

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
_API_PATH = re.compile(r"/(api|ingest|meetingevents|prod)(/|$)")


def error_body(code: str, message: str, fields: Any = None) -> dict[str, Any]:
    error = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    if current := request_id.get():
        error["request_id"] = current
    return {"error": error}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None leaves a fault of our own to Django: logged, and a 500."""
    response = _response_to(error)
    if response is not None:
        set_rollback()
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: JSON for programs, the page for people."""
    if not _API_PATH.match(request.path_info):
        return html_server_error(request)
    message = "Something went wrong here. Try again later; if it stays, report the request_id."
    return JsonResponse(error_body("internal", message), status=500)


def _response_to(error: Exception) -> Response | None:
    if isinstance(error, OperationError):
        return _response(error.status, _code_of(error), str(error))
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("The database did not answer: %s", error)
        message = f"The database is not available. Try again in {RETRY_SECONDS} seconds."
        return _response(503, "database-unavailable", message, retry_after=RETRY_SECONDS)
    if isinstance(error, Http404):
        return _response(404, "not-found", "There is nothing here. Check the address and the id.")
    if isinstance(error, PermissionDenied):
        return _response(403, "permission-missing", str(error) or "You may not do this.")
    if isinstance(error, exceptions.APIException):
        return _response_to_api_exception(error)
    return None


def _response_to_api_exception(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        message = "Some values are not right. Correct the fields listed and send again."
        return _response(error.status_code, "invalid", message, fields=_fields(error.detail))
    code = error.get_codes()
    response = _response(
        error.status_code,
        str(code).replace("_", "-") if isinstance(code, str) else "invalid",
        _sentence(error),
        retry_after=getattr(error, "wait", None),
    )
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    return response


def _response(
    status: int, code: str, message: str, *, fields: Any = None, retry_after: float | None = None
) -> Response:
    response = Response(error_body(code, message, fields), status=status)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, int(retry_after)))
    return response


def _code_of(error: OperationError) -> str:
    """ConflictError -> conflict, DoorClosedError -> door-closed."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _sentence(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated) and error.detail == error.default_detail:
        return "Send a secret key as `Authorization: Bearer grs_…`, or sign in to the portal."
    return str(error.detail if isinstance(error.detail, str) else error.default_detail)


def _fields(detail: Any) -> Any:
    return {"non_field_errors": detail} if isinstance(detail, list) else detail
