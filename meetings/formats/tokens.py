"""Join tokens: whoever holds one can enter the meeting, so none is ever kept."""

import re

from meetings.formats.json_input import TooDeep
from meetings.formats.reading import JSON

# In lower case.
SECRET_NAMES = frozenset({"authorization", "jointoken"})

_NAME = re.compile(rb"authorization|jointoken", re.IGNORECASE)
# A name may also be spelled with escapes; then only decoding can tell.
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]", re.IGNORECASE)
_BLANK = rb"(blanked)"
_VALUES = (
    re.compile(rb"(?i)(\bbearer[ \t]{1,8})[^\s\"'\\,;{}\[\]]+"),
    re.compile(
        rb"(?i)((?:authorization|jointoken)\\{0,8}[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,8}[\"']?)"
        rb"[^\"'\\,;&{}\[\]\r\n]+"
    ),
    # A join token is a long run of base64; nothing else in a body of events is.
    re.compile(rb"()[A-Za-z0-9+/_-]{80,}={0,2}"),
)


def may_hold_token(body: bytes) -> bool:
    return any(
        pattern.search(spelling)
        for spelling in _spellings(body)
        for pattern in (_NAME, _ESCAPED_LETTER, *_VALUES)
    )


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
