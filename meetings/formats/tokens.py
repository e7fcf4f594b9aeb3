"""Join tokens: whoever holds one can enter the meeting, so none is ever kept."""

import re

from meetings.formats.json_input import TooDeep
from meetings.formats.reading import JSON

# In lower case.
SECRET_NAMES = frozenset({"authorization", "jointoken"})

# The last is how a name may be spelled with escapes; then only decoding can tell.
_HINTS = (b"authorization", b"jointoken", b"bearer", b"\\u00")
_BLANK = rb"(blanked)"
# A join token is a long run of base64; nothing else in a body of events is.
_LONG_RUN = 80
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_BASE64 = re.compile(rb"()[%b]{%d,}={0,2}" % (re.escape(_LETTERS), _LONG_RUN))
# All letters of base64 become one, so that a long run is found without looking at each place.
_AS_RUNS = bytes(ord("a") if letter in _LETTERS else 0 for letter in range(256))
_RUN = b"a" * _LONG_RUN
_VALUES = (
    re.compile(rb"(?i)(\bbearer[ \t]{1,8})[^\s\"'\\,;{}\[\]]+"),
    re.compile(
        rb"(?i)((?:authorization|jointoken)\\{0,8}[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,8}[\"']?)"
        rb"[^\"'\\,;&{}\[\]\r\n]+"
    ),
    _BASE64,
)


def may_hold_token(body: bytes) -> bool:
    """Whether a closer look is needed. Quick, as nearly all bodies hold none."""
    return any(_has_run_or_hint(spelling) for spelling in _spellings(body))


def _has_run_or_hint(body: bytes) -> bool:
    lower = body.lower()
    return _RUN in body.translate(_AS_RUNS) or any(hint in lower for hint in _HINTS)


def without_secrets(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {
            key: without_secrets(child)
            for key, child in value.items()
            if key.lower() not in SECRET_NAMES
        }
    if isinstance(value, list):
        return [without_secrets(child) for child in value]
    if isinstance(value, TooDeep):
        return TooDeep(blank_tokens(value.encode()).decode())
    return value


def blank_tokens(body: bytes) -> bytes:
    """The bytes without anything that looks like a token, whatever else they are."""
    for spelling in _spellings(body):
        blanked = spelling
        for pattern in _VALUES:
            blanked = pattern.sub(rb"\1" + _BLANK, blanked)
        if blanked != spelling:
            return blanked
    return body


def _spellings(body: bytes) -> list[bytes]:
    """The body, and without NULs, as UTF-16 puts one beside each letter."""
    return [body, body.replace(b"\0", b"")] if b"\0" in body else [body]
