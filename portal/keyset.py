"""Paging through rows that keep coming: by where one stands, never by counting rows.

The order is descending by a column and the primary key, which has an index of its own. New rows
neither shift a page nor repeat one.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet

from portal.patience import within

ModelT = TypeVar("ModelT", bound=Model)

OLDER, NEWER = "older", "newer"

# After so long a page no longer looks for rows wherever they are, but only in a stretch.
PATIENCE_MS = 50
# So many rows are read in a few hundredths of a second, whatever the filters are.
STRETCH = 5000


class CursorError(ValueError):
    """This cursor was not made by the portal. Start again without it."""

    def __init__(self) -> None:
        super().__init__((self.__doc__ or "").strip())


@dataclass(frozen=True, slots=True)
class Cursor:
    """Rows that lie on one side of a row, which is named by its moment and its key."""

    direction: str
    moment: datetime
    pk: int

    def encode(self) -> str:
        text = json.dumps([self.direction, self.moment.isoformat(), self.pk])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises CursorError on anything that `encode` does not make."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            direction, moment, pk = json.loads(base64.b64decode(padded, b"-_", validate=True))
            cursor = cls(direction, datetime.fromisoformat(moment), pk)
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            raise CursorError from error
        aware = cursor.moment.tzinfo is not None
        if direction not in {OLDER, NEWER} or type(pk) is not int or not aware or abs(pk) >= 2**63:
            raise CursorError
        return cursor


@dataclass(frozen=True, slots=True)
class Page(Generic[ModelT]):
    """Rows, newest first, and the cursors that lead on; empty where there is nothing more.

    With `searched_to` the page may be short: further rows were not looked for, and lie beyond.
    """

    rows: Sequence[ModelT]
    newer: str
    older: str
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which moments of the column all rows of a list lie, as far as that is known."""

    start: datetime | None = None
    end: datetime | None = None


def in_order(queryset: QuerySet[ModelT], column: str) -> QuerySet[ModelT]:
    return queryset.order_by(F(column).desc(), F("id").desc())


def page_of(queryset: QuerySet[ModelT], column: str, *, cursor: str, size: int) -> Page[ModelT]:
    """The page at the cursor (empty: the first). Reads one row more than it shows."""
    at = Cursor.decode(cursor) if cursor else None
    backwards = at is not None and at.direction == NEWER
    if at:
        queryset = queryset.filter(_beyond(column, at))
    if backwards:
        rows = list(queryset.order_by(F(column).asc(), F("id").asc())[: size + 1])
    else:
        rows = list(in_order(queryset, column)[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_newer = more if backwards else at is not None
    has_older = True if backwards else more
    return Page(
        rows,
        newer=_cursor(NEWER, rows[0], column) if rows and has_newer else "",
        older=_cursor(OLDER, rows[-1], column) if rows and has_older else "",
    )


def page_soon(
    queryset: QuerySet[ModelT], column: str, *, cursor: str, size: int, bounds: Bounds
) -> Page[ModelT]:
    """The page at the cursor or, where that takes too long, what the next stretch of rows has.

    Then the cursors lead on from the stretch's edge, so that nothing is left out or repeated.
    """
    page = within(PATIENCE_MS, lambda: page_of(queryset, column, cursor=cursor, size=size))
    return page or _page_of_stretch(queryset, column, cursor=cursor, size=size, bounds=bounds)


def _page_of_stretch(
    queryset: QuerySet[ModelT], column: str, *, cursor: str, size: int, bounds: Bounds
) -> Page[ModelT]:
    at = Cursor.decode(cursor) if cursor else None
    edge = edge_of(queryset.model, column, at, bounds, STRETCH)
    page = page_of(up_to(queryset, column, edge), column, cursor=cursor, size=size)
    if edge is None:
        return page
    beyond = page.newer if edge.direction == NEWER else page.older
    if len(page.rows) == size and beyond:
        return page  # full before the edge
    onwards = edge.encode()
    if edge.direction == NEWER:
        return replace(page, newer=onwards, searched_to=edge.moment)
    return replace(page, older=onwards, searched_to=edge.moment)


def edge_of(
    model: type[Model], column: str, at: Cursor | None, bounds: Bounds, stretch: int
) -> Cursor | None:
    """The last row of the stretch that begins at the cursor; None where it holds all the rest."""
    rows = model._default_manager.order_by()
    if bounds.start:
        rows = rows.filter(**{f"{column}__gte": bounds.start})
    if bounds.end:
        rows = rows.filter(**{f"{column}__lt": bounds.end})
    if at:
        rows = rows.filter(_beyond(column, at))
    direction = at.direction if at else OLDER
    sign = "" if direction == NEWER else "-"
    ordered = rows.order_by(f"{sign}{column}", f"{sign}id").values_list(column, "id")
    found = next(iter(ordered[stretch : stretch + 1]), None)
    return Cursor(direction, *found) if found else None


def up_to(queryset: QuerySet[ModelT], column: str, edge: Cursor | None) -> QuerySet[ModelT]:
    """The rows as far as the edge and with it."""
    if edge is None:
        return queryset
    compare = "gt" if edge.direction == OLDER else "lt"
    inside = Q(**{f"{column}__{compare}": edge.moment}) | Q(**{f"id__{compare}e": edge.pk})
    return queryset.filter(Q(**{f"{column}__{compare}e": edge.moment}) & inside)


def _beyond(column: str, at: Cursor) -> Q:
    """The plain bound on the column is what lets the index begin in the right place."""
    compare = "lt" if at.direction == OLDER else "gt"
    further = Q(**{f"{column}__{compare}": at.moment}) | Q(**{f"id__{compare}": at.pk})
    return Q(**{f"{column}__{compare}e": at.moment}) & further


def _cursor(direction: str, row: Any, column: str) -> str:
    return Cursor(direction, getattr(row, column), row.pk).encode()
