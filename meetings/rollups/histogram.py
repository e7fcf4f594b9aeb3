"""Histograms of durations that can be added up, and what they tell of quantiles.

Bins are logarithmic: bin `b` holds the values from RATIO ** b up to RATIO ** (b + 1). A value is
told back as the point of its bin that no value of the bin is more than 1/101 (0.99 %) away from, so
that **a quantile is wrong by less than 1 % of its true value**, however many histograms were added.
That holds for quantiles between two values as well: they lie between the two values' bins.

Only the bins that hold anything are kept, as two lists: the numbers of the bins in their order, and
how many values there are up to and with each, so that a rank is found without adding.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

RATIO = 1.02
LOG_RATIO = math.log(RATIO)
# By how much a quantile may be wrong, as a share of the true value.
GREATEST_ERROR = (RATIO - 1) / (RATIO + 1)
_POINT = 2 * RATIO / (1 + RATIO)


def is_counted(value: float | None) -> bool:
    """Zero and less say that nothing was measured."""
    return value is not None and 0 < value < math.inf


def bin_of(value: float) -> int:
    """The bin of a value above zero."""
    return math.floor(math.log(value) / LOG_RATIO)


def value_of(number: int) -> float:
    """What stands for all values of a bin."""
    return float(RATIO**number * _POINT)


class Histogram(NamedTuple):
    bins: list[int]
    upto: list[int]
    """How many values there are in each bin and all below it."""

    @classmethod
    def of_counts(cls, counts: Mapping[int, int]) -> Self:
        """From how many values there are in each bin."""
        bins = sorted(counts)
        upto, total = [], 0
        for number in bins:
            total += counts[number]
            upto.append(total)
        return cls(bins, upto)

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        counts: dict[int, int] = {}
        for value in values:
            number = bin_of(value)
            counts[number] = counts.get(number, 0) + 1
        return cls.of_counts(counts)

    @property
    def counts(self) -> dict[int, int]:
        before = [0, *self.upto]
        return {
            number: upto - before[place]
            for place, (number, upto) in enumerate(zip(self.bins, self.upto, strict=True))
        }

    @property
    def total(self) -> int:
        return self.upto[-1] if self.upto else 0

    def __add__(self, other: "Histogram") -> "Histogram":  # type: ignore[override]
        counts = self.counts
        for number, count in other.counts.items():
            counts[number] = counts.get(number, 0) + count
        return Histogram.of_counts(counts)

    def quantile(self, share: float) -> float | None:
        """As PostgreSQL's percentile_cont: between two values in proportion; None without any."""
        if not self.total:
            return None
        rank = share * (self.total - 1)
        low, high = math.floor(rank), math.ceil(rank)
        return between(self._at(low), self._at(high), rank - low)

    def _at(self, rank: int) -> int:
        """The bin of the value of this rank, counted from 0."""
        return self.bins[bisect_right(self.upto, rank)]


def between(low: int, high: int, share: float) -> float:
    """A value so far on the way from one bin to another."""
    first = value_of(low)
    return first + share * (value_of(high) - first)
