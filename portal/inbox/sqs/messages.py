"""What lies on the queue: one delivery a message, as JSON with a version.

The body is inside, compressed and in base64, unless the message would grow too large. Then it is
an object in the bucket, of which the message holds the name.
"""

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import zstandard
from django.conf import settings
from msgspec import Meta

from portal.inbox.handlers import RefusedItem
from portal.inbox.models import compress, digest_of
from portal.inbox.services import Envelope, clean

VERSION = 1
# A body of this size would have been refused by every door: who writes such messages?
MOST_BYTES = 256 * 1024 * 1024
_DETAIL_LENGTH = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = int((datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1))
# XML has no place for these, nor has SQS.
_NOT_FOR_SQS = str.maketrans({"\ufffe": "\ufffd", "\uffff": "\ufffd"})


class UnreadableMessageError(Exception):
    """A message that this portal cannot make a delivery of."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Refusal(msgspec.Struct):
    """Why the client was told that its body is wrong."""

    reason: Annotated[str, Meta(max_length=64)]
    detail: str


class Message(msgspec.Struct, omit_defaults=True):
    """`v` says how the rest is to be read: a portal takes no message of a later one."""

    v: int
    door: Annotated[str, Meta(min_length=1, max_length=64)]
    received_us: Annotated[int, Meta(ge=0, le=_LAST_US)]
    size: Annotated[int, Meta(ge=0, le=MOST_BYTES)]
    sha256: Annotated[bytes, Meta(min_length=32, max_length=32)]
    key: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    address: str | None = None
    origin: Annotated[str, Meta(max_length=200)] = ""
    agent: Annotated[str, Meta(max_length=300)] = ""
    type: Annotated[str, Meta(max_length=100)] = ""
    refusal: Refusal | None = None
    body: bytes = b""  # zstd
    object: Annotated[str, Meta(max_length=1024)] = ""

    @property
    def received_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.received_us)


class _Version(msgspec.Struct):
    v: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A message ready to be sent; `body` is to be put into the bucket before, where it is set."""

    text: str
    object: str = ""
    body: bytes = b""


def pack(
    body: bytes, envelope: Envelope, *, received_us: int, refusal: RefusedItem | None = None
) -> Packed:
    message = Message(
        v=VERSION,
        door=envelope.door,
        received_us=received_us,
        size=len(body),
        sha256=digest_of(body),
        key=envelope.key.pk if envelope.key else None,
        address=envelope.address,
        origin=_text(envelope.origin, 200),
        agent=_text(envelope.user_agent, 300),
        type=_text(envelope.content_type, 100),
        body=compress(body),
    )
    if refusal:
        message.refusal = Refusal(refusal.reason, _text(refusal.detail, _DETAIL_LENGTH))
    encoded = msgspec.json.encode(message)
    if len(encoded) <= settings.INBOX_SQS_MAX_BYTES:
        return Packed(encoded.decode())
    compressed, message.body = message.body, b""
    # Of this message alone, so that it can go when this message has been dealt with.
    message.object = (
        f"{settings.INBOX_S3_PREFIX}{message.received_at:%Y/%m/%d}/"
        f"{message.sha256.hex()}-{secrets.token_hex(4)}"
    )
    return Packed(msgspec.json.encode(message).decode(), message.object, compressed)


def unpack(text: str | bytes) -> Message:
    """Read a message, whose body may still lie in the bucket."""
    _check_version(text)
    try:
        message = msgspec.json.decode(text, type=Message)
        if message.address is not None:
            ipaddress.ip_address(message.address)
    except ValueError as error:
        raise UnreadableMessageError(
            "sqs-unreadable", f"Not one of our messages: {error}"
        ) from None
    values: list[Any] = [message.door, message.origin, message.agent, message.type]
    if any("\0" in value for value in values):
        raise UnreadableMessageError("sqs-unreadable", "Not one of our messages: a NUL in its text")
    if bool(message.body) == bool(message.object):
        detail = "Not one of our messages: it must hold a body, or the name of an object."
        raise UnreadableMessageError("sqs-unreadable", detail)
    return message


def _check_version(text: str | bytes) -> None:
    try:
        version = msgspec.json.decode(text, type=_Version).v
    except ValueError as error:
        raise UnreadableMessageError(
            "sqs-unreadable", f"Not one of our messages: {error}"
        ) from None
    if version != VERSION:
        detail = f"A message of version {version}; this portal reads version {VERSION}."
        raise UnreadableMessageError("sqs-version", detail)


def check(message: Message) -> bytes:
    """The body as a client sent it. Whatever happened to it on the way is found here."""
    try:
        size = zstandard.frame_content_size(message.body)
        if size != message.size:
            raise UnreadableMessageError(
                "sqs-body-damaged", f"The body claims {size:,} bytes, the message {message.size:,}."
            )
        body = zstandard.ZstdDecompressor().decompress(message.body) if size else b""
    except zstandard.ZstdError as error:
        raise UnreadableMessageError("sqs-body-damaged", f"The body: {error}") from None
    if digest_of(body) != message.sha256:
        raise UnreadableMessageError("sqs-body-damaged", "The body is not the one that was sent.")
    return body


def _text(text: str, longest: int) -> str:
    return clean(text, longest).translate(_NOT_FOR_SQS)
