"""Figures and durations in words: one way for tiles, tables and charts."""

import math
from datetime import timedelta

NOTHING = "\u2013"  # no data, which is never zero
_SPACE = "\u00a0"
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def figure(value: float | None, unit: str = "") -> str:
    """A number with its unit.

    Units with a form of their own: "%" (from a fraction 0 to 1), "bytes", "s" (a duration).
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "%":
        return percent(value)
    if unit == "bytes":
        return size(value)
    if unit == "s":
        return duration(value)
    text = number(value)
    return f"{text}{_SPACE}{unit}" if unit else text


def number(value: float) -> str:
    """Grouped by thousands, with as many decimals as its size deserves: 1,234 or 12.3 or 0.12."""
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def percent(fraction: float) -> str:
    """Never rounded to 100 % when something is missing, nor to 0 % when something is there."""
    hundredths = fraction * 100
    if 0 < hundredths < 0.1:
        return f"<{_SPACE}0.1{_SPACE}%"
    if 99.9 < hundredths < 100:
        hundredths = 99.9
    return f"{hundredths:.1f}".removesuffix(".0") + f"{_SPACE}%"


def size(count: float) -> str:
    power = 0
    while abs(count) >= 1024 and power < len(_BYTES) - 1:
        count /= 1024
        power += 1
    return f"{number(count)}{_SPACE}{_BYTES[power]}"


def duration(length: float | timedelta | None) -> str:
    """Seconds in the two largest units: 2.4 s, 12 min 05 s, 3 h 10 min, 2 d 4 h."""
    if length is None:
        return NOTHING
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 0:
        return f"\u2212{duration(-seconds)}"
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}{_SPACE}ms"
    if seconds < 10:
        return f"{number(round(seconds, 1))}{_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_SPACE}s"
    if whole < 3600:
        return _two(whole, 60, "min", 1, "s")
    if whole < 86400:
        return _two(whole, 3600, "h", 60, "min")
    return _two(whole, 86400, "d", 3600, "h")


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    first, rest = divmod(seconds, large)
    second = rest // small
    text = f"{first}{_SPACE}{large_unit}"
    return f"{text} {second}{_SPACE}{small_unit}" if second else text


def share(part: float, whole: float) -> str:
    """A small whole is told as a count (5 of 212), a large one as a share."""
    if whole <= 0:
        return NOTHING
    if whole < 1000:
        return f"{number(part)} of {number(whole)}"
    return percent(part / whole)
