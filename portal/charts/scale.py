"""Where values and moments stand on a chart, and which of them deserve a label."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_TIME_STEPS = [
    *(timedelta(seconds=seconds) for seconds in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * count for count in (1, 2, 3, 6, 12)),
    *(_DAY * count for count in (1, 2, 7, 14, 30, 90)),
]


@dataclass(frozen=True, slots=True)
class Tick:
    """`place` is a share of the axis, 0 to 1."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Ruler:
    """A stretch of time laid along a width."""

    start: datetime
    end: datetime

    def place(self, moment: datetime) -> float:
        """0 at the start, 1 at the end, kept within both."""
        whole = (self.end - self.start).total_seconds() or 1.0
        return float(min(1.0, max(0.0, (moment - self.start).total_seconds() / whole)))

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end

    def ticks(self, most: int = 7) -> list[Tick]:
        """Labels on round local times."""
        step = next(
            (step for step in _TIME_STEPS if (self.end - self.start) / step <= most),
            (self.end - self.start) / most,
        )
        zone = timezone.get_current_timezone()
        # Counted in local time without its offset, so that days begin at the viewer's midnight.
        first = self.start.astimezone(zone).replace(tzinfo=None)
        origin = datetime(first.year, 1, 1)  # noqa: DTZ001
        moment = origin + math.ceil((first - origin) / step) * step
        ticks = []
        last = self.end.astimezone(zone).replace(tzinfo=None)
        while moment <= last:
            real = timezone.make_aware(moment, zone).astimezone(UTC)
            ticks.append(Tick(self.place(real), _label(moment, step)))
            moment += step
        return ticks


def _label(moment: datetime, step: timedelta) -> str:
    if step >= _DAY or (moment.hour == moment.minute == moment.second == 0 and step >= _HOUR):
        return moment.strftime("%-d %b")
    return moment.strftime("%H:%M:%S" if step < _MINUTE else "%H:%M")


def round_top(values: Iterable[float | None], *, least: float = 0) -> float:
    """The first round number at or above all values: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 x 10^n."""
    highest = max((value for value in values if value is not None), default=0)
    highest = max(highest, least)
    if highest <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(highest))
    return next(
        step * power
        for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if step * power >= highest * 0.9999999
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """Values laid along a height, from `floor` (usually zero) to `top`."""

    top: float
    floor: float = 0

    def place(self, value: float) -> float:
        """0 at the floor, 1 at the top, kept within both."""
        return min(1.0, max(0.0, (value - self.floor) / (self.top - self.floor)))

    def levels(self) -> list[float]:
        """Gridlines: the floor, the middle and the top."""
        return [self.floor, (self.floor + self.top) / 2, self.top]
