"""How much of something there is, or goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from portal import figures


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows and bytes are estimates, unless rows were deleted one by one.

    `is_least`: counting stopped there.
    """

    rows: int = 0
    size_bytes: int = 0
    days: tuple[date, ...] = ()
    is_least: bool = False

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.rows + other.rows,
            self.size_bytes + other.size_bytes,
            tuple(sorted({*self.days, *other.days})),
            self.is_least or other.is_least,
        )

    def __bool__(self) -> bool:
        return bool(self.rows or self.days)

    def __str__(self) -> str:
        """2 days, 1.2 GiB, about 310,000 rows."""
        parts = []
        if self.days:
            parts.append(counted(len(self.days), "day"))
        if self.size_bytes:
            parts.append(figures.size(self.size_bytes))
        if self.rows and self.is_least:
            parts.append(f"more than {rows_in_words(self.rows)}")
        elif self.rows or not parts:
            parts.append(f"{'about ' if self.days else ''}{rows_in_words(self.rows)}")
        return ", ".join(parts)


def counted(number: int, noun: str) -> str:
    return f"{number:,}\u00a0{noun}{'' if number == 1 else 's'}"


def rows_in_words(number: int) -> str:
    return "no rows" if not number else counted(number, "row")


def day_in_words(day: date) -> str:
    return f"{day:%-d %B %Y}"


def days_in_words(days: Sequence[date]) -> str:
    """3 March 2026, or the first and the last of several."""
    if not days:
        return ""
    if len(days) == 1:
        return day_in_words(days[0])
    return f"{day_in_words(days[0])} to {day_in_words(days[-1])}"
