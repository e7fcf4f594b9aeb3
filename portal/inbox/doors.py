"""The common part of every door: who, how large, what shape; keep it; only then answer."""

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from rest_framework import status
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.access.addresses import client_address
from portal.access.authentication import IngestKeyAuthentication
from portal.access.models import ApiKey
from portal.access.permissions import IngestAllowed
from portal.inbox.handlers import RefusedItem
from portal.inbox.services import Envelope, refuse, store
from portal.inbox.sqs.sender import NotSentError, send

if TYPE_CHECKING:
    from _typeshed import SupportsRead

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
POST_ONLY = (
    "This address takes POST only. Send the events as the body of a POST; the page Doors has a "
    "ready line."
)


class BodyTooLargeError(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"


class LengthRequiredError(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length-required"
    default_detail = "The body is empty. Send the events in it, with a Content-Length or in chunks."


class BodyCutError(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "body-cut"
    default_detail = "The body ended before its Content-Length. Send it again."


class EncodingError(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "encoded"
    default_detail = "Send the body as it is, without Content-Encoding."


class NotStoredError(APIException):
    wait = RETRY_SECONDS
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "not-stored"
    default_detail = "The delivery could not be stored. Send it again later."


class Door(APIView):
    """A POST endpoint that keeps what it is sent.

    Nothing of the body is read before the key, its origin and its quota are good. The answer says
    200 only after the body is committed; a database that is away makes it 503. With SQS as the
    inbox it is SQS that must have it.
    """

    name: ClassVar[str]
    required_scope: ClassVar[str] = "ingest"

    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [IngestAllowed]
    parser_classes = []  # the body is read here, whatever its type says
    renderer_classes = [JSONRenderer]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Someone who opens a door in a browser learns how it is used, with a key or without."""
        if request.method != "POST":
            raise MethodNotAllowed(str(request.method), detail=POST_ONLY)
        super().initial(request, *args, **kwargs)

    def post(self, request: Request, **_: str) -> Response:
        body = self.redact(read_body(request))
        if refusal := self.refusal(body):
            keep(body, self.envelope(request), refusal)
            return self.refused(refusal)
        keep(body, self.envelope(request))
        return Response({})

    @classmethod
    def quick(cls, body: bytes) -> bytes | None:
        """What is to be kept of a body that this door surely takes, found in microseconds.

        None leaves it to `redact` and `refusal`, which must come to the same.
        """
        return None

    def redact(self, body: bytes) -> bytes:
        """The body without what must not be kept."""
        return body

    def refusal(self, body: bytes) -> RefusedItem | None:
        """Why the client is to be told that this body is wrong; most doors never do."""
        return None

    def refused(self, refusal: RefusedItem) -> Response:
        error = {"code": refusal.reason, "message": refusal.detail}
        return Response({"error": error}, status=status.HTTP_422_UNPROCESSABLE_ENTITY)

    def envelope(self, request: Request) -> Envelope:
        return Envelope(
            door=self.name,
            key=request.auth if isinstance(request.auth, ApiKey) else None,
            address=client_address(request._request) or None,  # noqa: SLF001 - DRF's way to it
            origin=request.headers.get("Origin", ""),
            user_agent=request.headers.get("User-Agent", ""),
            content_type=request.headers.get("Content-Type", ""),
        )


def read_body(request: Request) -> bytes:
    """The whole body, at most `INGEST_MAX_BYTES`, with or without Content-Length."""
    limit = settings.INGEST_MAX_BYTES
    if request.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
        raise EncodingError
    stream = request.META["wsgi.input"]
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        body = _read(stream, limit + 1)
        length = len(body)
    else:
        length = _content_length(request)
        body = _read(stream, length) if length <= limit else b""
    if length > limit:
        raise BodyTooLargeError(
            f"The body has more than {limit:,} bytes. Send fewer events at a time."
        )
    if len(body) < length:
        raise BodyCutError
    return body


def _read(stream: "SupportsRead[bytes]", length: int) -> bytes:
    """Servers may hand over less than was asked for before the end is reached."""
    parts = []
    while length > 0 and (part := stream.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _content_length(request: Request) -> int:
    text = request.headers.get("Content-Length", "")
    if not (text.isascii() and text.isdigit()):
        raise LengthRequiredError
    return int(text[:18])


def keep(body: bytes, envelope: Envelope, refusal: RefusedItem | None = None) -> None:
    """Durably, in whichever inbox is set, before this returns."""
    try:
        if settings.INBOX == "sqs":
            send(body, envelope, refusal)
        elif refusal:
            refuse(body, envelope, refusal)
        else:
            store(body, envelope)
    except (DatabaseError, InterfaceError, NotSentError) as error:
        logger.warning("A delivery at %s was not stored: %s", envelope.door, error)
        raise NotStoredError from error
