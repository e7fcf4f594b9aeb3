"""The time that a client claims for an event."""

import math
import re
from datetime import UTC, datetime, timedelta

from meetings.formats.reading import JSON

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,4})?")
_MIN, _MAX = -(2**63), 2**63 - 1


def claimed_ms(value: JSON) -> int | None:
    """Epoch milliseconds from a number, its text or ISO 8601, cut to 64 bits, else None.

    Absurd dates are returned as they are: whoever stores the event can see and flag them.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _clamped(value)
    if isinstance(value, str):
        return _from_text(value.strip())
    return None


def number(text: str) -> int | float | None:
    """The finite number that a text spells in plain digits, else None."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    if len(text) <= 18 and text.lstrip("+-").isdecimal():
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else value


def _from_text(text: str) -> int | None:
    value = number(text)
    if value is not None:
        return _clamped(value)
    # At most "2021-02-01T00:00:00.000000+00:00:00.000000", at least a date with its dashes.
    if not 10 <= len(text) <= 42 or text[4] != "-":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _clamped(value: float) -> int | None:
    try:
        whole = int(value)
    except (OverflowError, ValueError):  # infinite, or no number
        return None
    return max(_MIN, min(_MAX, whole))
