"""What the pieces of a page are made of. portal/templatetags/pieces.py draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["ok", "warn", "bad", "unknown", "info"]

STATES: tuple[State, ...] = ("ok", "warn", "bad", "unknown", "info")
CellKind = Literal["text", "number", "time", "duration", "id", "state"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. `kind` decides how plain values are shown; `unit` as in figures.

    A `spare` column is left out where the table would be wider than a small screen; as a card
    the row shows it again.
    """

    label: str
    kind: CellKind = "text"
    unit: str = ""
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row; the first cell links to `url`, `state` marks its left edge.

    A cell is a plain value or rendered markup (SafeString); for kind "state" a (state, word).
    """

    cells: Sequence[Any]
    url: str = ""
    state: State | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Step:
    """A step in something's life."""

    label: str
    at: datetime | None = None
    phase: Literal["done", "now", "ahead", "failed", "skipped"] = "ahead"


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page stands in its rows. `total` None: not counted."""

    shown: int
    total: int | None = None
    capped: bool = False
    newer_url: str = ""
    older_url: str = ""
    noun: str = "rows"

    @property
    def counted_noun(self) -> str:
        """One row, several rows; every noun here ends in a plain s."""
        return self.noun.removesuffix("s") if (self.total or self.shown) == 1 else self.noun
