"""Origins (scheme://host[:port]) that a key may be used from."""

import re
from urllib.parse import urlsplit

from django.http import HttpRequest

from portal.access.models import ApiKey
from portal.errors import OperationError

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,30})://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise_origin(text: str) -> str:
    """An origin as browsers send it: lower case, no default port, no path. Or OperationError."""
    candidate = text.strip().lower().removesuffix("/")
    if candidate == "null":
        return candidate
    match = _ORIGIN.fullmatch(candidate)
    if not match:
        raise OperationError(
            f"{text.strip()!r} is not an origin. Write scheme://host or scheme://host:port, for "
            "example https://app.example.com, without a path; non-Latin names in punycode."
        )
    try:
        port = urlsplit(candidate).port
    except ValueError as error:
        raise OperationError(f"The port or address in {text.strip()!r} is not valid.") from error
    suffix = "" if port is None or _DEFAULT_PORTS.get(match["scheme"]) == port else f":{port}"
    return f"{match['scheme']}://{match['host']}{suffix}"


def origin_allowed(key: ApiKey, request: HttpRequest) -> bool:
    """Whether the key's list lets this request in.

    An empty list allows any origin. Servers and mobile apps send no Origin and are allowed: the
    list keeps other web sites from using a key they have read in a page, and no more.
    """
    return is_listed(key, request.headers.get("Origin", ""))


def is_listed(key: ApiKey, origin: str) -> bool:
    if not origin or not key.origins:
        return True
    if origin in key.origins:
        return True
    try:
        return normalise_origin(origin) in key.origins
    except OperationError:
        return False
