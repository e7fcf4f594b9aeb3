"""Meeting ids in URLs. They come from outside: any text at all may be one."""

import base64
import binascii
import re

# Paths of other pages, which an id must not be taken for.
_TAKEN = frozenset({"all", "attendees", "events"})
_SIGN = "~"
# What browsers, proxies and Django leave alone in a path.
_PLAIN = re.compile(r"[A-Za-z0-9_:@+!][A-Za-z0-9_:@+!.\-]*")


class MeetingIdConverter:
    """A plain id stands as it is; any other is encoded, so that no proxy can mistake it.

    An id with slashes, dots alone or spaces at its ends would be changed on the way.
    """

    regex = ".+"

    def to_python(self, value: str) -> str:
        if not value.startswith(_SIGN):
            return value
        encoded = value[len(_SIGN) :].encode("ascii", "replace")
        try:
            return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", True).decode()
        except (ValueError, binascii.Error) as error:
            raise ValueError("This is not an encoded meeting id.") from error

    def to_url(self, value: str) -> str:
        if _PLAIN.fullmatch(value) and value not in _TAKEN:
            return value
        encoded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
        return f"{_SIGN}{encoded}"
