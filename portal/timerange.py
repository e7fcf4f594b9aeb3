"""The period a page speaks about: chosen in the header, kept in the URL."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

PARAMETERS = ("range", "from", "to")
DEFAULT = "24h"
PRESETS = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
_LONGEST = timedelta(days=400)
_STEPS = [
    *(timedelta(seconds=seconds) for seconds in (10, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7)),
]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` up to, not including, `end`; both aware.

    `query` holds the URL parameters that choose it, `problem` a sentence if they made no sense.
    """

    start: datetime
    end: datetime
    label: str
    query: dict[str, str]
    problem: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Read `?range=15m|1h|24h|7d|30d` or `?from=&to=`; what makes no sense gives 24 hours."""
        if "from" in request.GET:
            try:
                return cls.between(request.GET["from"], request.GET.get("to", ""))
            except ValueError as error:
                return cls.preset(DEFAULT, problem=str(error))
        name = request.GET.get("range", DEFAULT)
        if name not in PRESETS:
            return cls.preset(DEFAULT, problem="This time range is not known.")
        return cls.preset(name)

    @classmethod
    def preset(cls, name: str, *, problem: str = "") -> Self:
        label, span = PRESETS[name]
        end = timezone.now().replace(microsecond=0)
        return cls(end - span, end, label, {"range": name}, problem)

    @classmethod
    def between(cls, first: str, last: str) -> Self:
        """From two ISO 8601 texts; without an offset they are in the viewer's zone.

        An empty `last` means now. Raises ValueError with a sentence for the reader.
        """
        start = read_moment(first)
        end = read_moment(last) if last else timezone.now().replace(microsecond=0)
        if start == end:
            raise ValueError("The time range is empty: its start is its end.")
        if start > end:
            start, end = end, start
        if end - start > _LONGEST:
            raise ValueError(f"The time range is longer than {_LONGEST.days} days.")
        query = {"from": _text(start), "to": _text(end)}
        return cls(start, end, _span_label(start, end), query)

    @property
    def query_string(self) -> str:
        """What a link carries. Empty for the usual range, so that usual URLs stay short."""
        return "" if self.query == {"range": DEFAULT} else urlencode(self.query)

    @property
    def name(self) -> str:
        """The preset's name, or nothing for an own range."""
        return self.query.get("range", "")

    @property
    def short_label(self) -> str:
        """For narrow screens: 24 h, 7 d."""
        return f"{self.name[:-1]} {self.name[-1]}".replace(" m", " min") if self.name else "Own"

    @property
    def span(self) -> timedelta:
        return self.end - self.start

    @property
    def before(self) -> "TimeRange":
        """The period of the same length that ends where this one starts."""
        start = self.start - self.span
        query = {"from": _text(start), "to": _text(self.start)}
        return TimeRange(start, self.start, "The period before", query)

    def step(self, most: int = 96) -> timedelta:
        """The smallest round width that cuts the range into at most `most` buckets."""
        return next((step for step in _STEPS if self.span / step <= most), self.span / most)

    def buckets(self, most: int = 96) -> list[datetime]:
        """Starts of the buckets, on round UTC times; the first may lie before `start`."""
        step = self.step(most)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        moment = epoch + (self.start - epoch) // step * step
        found = []
        while moment < self.end:
            found.append(moment)
            moment += step
        return found


def read_moment(text: str) -> datetime:
    """An aware moment from ISO 8601. Raises ValueError with a sentence for the reader."""
    text = text.strip()
    if "T" in text:  # a plus sign typed into a URL arrives as a space
        text = text.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("A time must look like 2026-01-31T14:30.") from error


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _span_label(start: datetime, end: datetime) -> str:
    first, last = timezone.localtime(start), timezone.localtime(end)
    form = "%-d %b, %H:%M" if first.year == last.year else "%-d %b %Y, %H:%M"
    until = last.strftime("%H:%M" if first.date() == last.date() else form)
    return f"{first.strftime(form)} to {until}"
