"""Moments in words: how long ago, and when exactly, in the viewer's zone."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.utils import timezone

from portal.figures import duration

_ABSOLUTE = "%-d %b %Y, %H:%M:%S"


def relative(moment: datetime, now: datetime | None = None) -> str:
    """ "5 min ago", "in 2 h"; beyond a week the date, which says more."""
    now = now or timezone.now()
    seconds = (now - moment).total_seconds()
    if abs(seconds) >= 7 * 86400:
        return day(moment, now)
    if -5 < seconds < 10:
        return "just now"
    text = _coarse(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def _coarse(seconds: float) -> str:
    for unit in (86400, 3600, 60):
        if seconds >= unit:
            return duration(seconds // unit * unit)
    return duration(int(seconds))


def day(moment: datetime, now: datetime) -> str:
    local = timezone.localtime(moment)
    same_year = local.year == timezone.localtime(now).year
    return local.strftime("%-d %b" if same_year else "%-d %b %Y")


def absolute(moment: datetime) -> str:
    return timezone.localtime(moment).strftime(_ABSOLUTE)


def absolutes(moments: Iterable[datetime]) -> list[str]:
    """Of many, with one look at the viewer's zone."""
    zone = timezone.get_current_timezone()
    return [moment.astimezone(zone).strftime(_ABSOLUTE) for moment in moments]


def clock(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%H:%M:%S")


def both_zones(moment: datetime) -> str:
    """For the hover: the viewer's zone and UTC."""
    local = timezone.localtime(moment)
    here = f"{absolute(moment)} {local.tzname()}"
    if local.utcoffset() == UTC.utcoffset(None):
        return here
    return f"{here} · {moment.astimezone(UTC).strftime('%-d %b, %H:%M:%S')} UTC"
