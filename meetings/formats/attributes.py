"""The attributes of an event: canonical names, honest types, bounded size."""

import json
import math
import re
from collections.abc import Iterable, Mapping

from meetings.formats.json_input import TooDeep, contains_deep
from meetings.formats.reading import JSON
from meetings.formats.timestamps import number
from meetings.formats.tokens import SECRET_NAMES, without_secrets
from meetings.vocabulary import (
    BOOLEANS,
    DURATIONS,
    JOIN_FAILED,
    KNOWN_ATTRIBUTES,
    MOBILE,
    NUMBERS,
    TEXTS,
    attribute_name,
    platform_of,
    status_name,
)

MAX_ATTRIBUTES = 200
MAX_KEY = 128
MAX_VALUE_BYTES = 8192

# Kept in the event's own fields, not among its attributes.
FIELDS = frozenset({"name", "meetingId", "attendeeId", "timestampMs", "meetingHistory"})

# Of the control characters, line breaks and tabs may stay: messages are made of lines. Characters
# that turn the direction of the text around them can disguise a name as another.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PLAIN_TEXTS = TEXTS - {"meetingStatus"}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def normalise(
    name: str,
    claimed: Mapping[str, JSON],
    *,
    drop: Iterable[str] = (),
    max_attributes: int = MAX_ATTRIBUTES,
) -> dict[str, JSON]:
    """The attributes of the event called `name`, without its fields and those to drop.

    What had to go is counted in "cutValues" and "droppedAttributes".
    """
    kept, cut, dropped = _kept(claimed, FIELDS.union(drop), max_attributes)
    _without_meaningless_zeros(name, kept)
    _derive_major_version(kept)
    if cut:
        kept["cutValues"] = cut
    if dropped:
        kept["droppedAttributes"] = dropped
    return kept


def _kept(
    claimed: Mapping[str, JSON], skipped: frozenset[str], max_attributes: int
) -> tuple[dict[str, JSON], int, int]:
    kept: dict[str, JSON] = {}
    cut = dropped = 0
    for key, value in _known_first(claimed, max_attributes):
        if _needs_no_care(key, value) and len(kept) < max_attributes:
            kept[key] = value
            continue
        if key in skipped or value is None or value == "" or key.lower() in SECRET_NAMES:
            continue
        canonical = attribute_name(key)
        if canonical != key and claimed.get(canonical) not in (None, ""):
            continue
        if isinstance(value, dict | list):
            value = _flat(value)
        if len(kept) >= max_attributes or isinstance(value, TooDeep):
            dropped += 1
            continue
        typed_key, typed = _typed(canonical, value)
        if len(typed_key) > MAX_KEY:
            typed_key, cut = typed_key[: MAX_KEY - 1] + "…", cut + 1
        if isinstance(typed, str):
            typed = _visible(typed)
            shortened = shorten(typed)
            cut += shortened != typed
            typed = shortened
        kept[typed_key] = typed
    return kept, cut, dropped


def _needs_no_care(key: str, value: JSON) -> bool:
    """What nearly every attribute is: a short, plain text where one belongs."""
    return (
        type(value) is str
        and key in _PLAIN_TEXTS
        and 0 < len(value) <= MAX_VALUE_BYTES // 4
        and value.isprintable()
    )


def _visible(text: str) -> str:
    return text if text.isprintable() else _CONTROL.sub("\ufffd", text)


def shorten(text: str, max_bytes: int = MAX_VALUE_BYTES) -> str:
    """The text, or its beginning and an ellipsis that fit into so many bytes of UTF-8."""
    if len(text) * 4 <= max_bytes or len(encoded := text.encode()) <= max_bytes:
        return text
    return encoded[: max_bytes - 3].decode(errors="ignore") + "…"


def _known_first(claimed: Mapping[str, JSON], max_attributes: int) -> Iterable[tuple[str, JSON]]:
    if len(claimed) <= max_attributes:
        return claimed.items()
    return sorted(claimed.items(), key=lambda item: attribute_name(item[0]) not in KNOWN_ATTRIBUTES)


def _flat(value: JSON) -> JSON:
    """A nested value without credentials, or its text where it is too large to keep its shape."""
    if contains_deep(value):
        return TooDeep()
    value = without_secrets(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value if len(text) * 4 <= MAX_VALUE_BYTES else text


def _typed(key: str, value: JSON) -> tuple[str, JSON]:
    """Known numbers and booleans that cannot be read move to "<key>Text" and stay visible."""
    if key in NUMBERS:
        read = readable_number(value)
        return (key, read) if read is not None else (f"{key}Text", _text(value))
    if key in BOOLEANS:
        truth = _TRUTH.get(_text(value).strip().lower())
        return (key, truth) if truth is not None else (f"{key}Text", _text(value))
    if key == "meetingStatus":
        return key, status_name(_text(value))
    if key in TEXTS:
        return key, _text(value)
    return key, value


def readable_number(value: JSON) -> int | float | None:
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared first: an integer may be beyond what a double can hold.
    if abs(value) >= 2**63 or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def readable_text(value: JSON) -> str:
    """A known text as it is kept, unless it is too long."""
    return _visible(_text(value))


def _text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_meaningless_zeros(name: str, attributes: dict[str, JSON]) -> None:
    if platform_of(attributes.get("sdkName")) in MOBILE:
        for duration in meaningless_zeros(name, attributes):
            del attributes[duration]


def meaningless_zeros(name: str, attributes: Mapping[str, JSON]) -> list[str]:
    """The mobile SDKs report 0, not nothing, for what was never measured."""
    started = attributes.get("meetingStartDurationMs", 1) != 0 and name != JOIN_FAILED
    return [
        duration
        for duration in DURATIONS & attributes.keys()
        if attributes[duration] == 0 and not (started and duration == "meetingDurationMs")
    ]


def _derive_major_version(attributes: dict[str, JSON]) -> None:
    """The ingestion format leaves browserMajorVersion out, and pages group by it."""
    version = attributes.get("browserVersion")
    if isinstance(version, str) and "browserMajorVersion" not in attributes:
        major = version.split(".", 1)[0].strip()
        if major.isascii() and major.isdecimal():
            attributes["browserMajorVersion"] = major[:MAX_KEY]
