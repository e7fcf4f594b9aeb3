"""Paging through rows that keep coming: by where one stands, never by counting rows.

The order is descending by a column and the primary key, which has an index of its own. New rows
neither shift a page nor repeat one.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet

ModelT = TypeVar("ModelT", bound=Model)

OLDER, NEWER = "older", "newer"


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
    """Rows, newest first, and the cursors that lead on; empty where there is nothing more."""

    rows: Sequence[ModelT]
    newer: str
    older: str


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


def _beyond(column: str, at: Cursor) -> Q:
    """The plain bound on the column is what lets the index begin in the right place."""
    compare = "lt" if at.direction == OLDER else "gt"
    further = Q(**{f"{column}__{compare}": at.moment}) | Q(**{f"id__{compare}": at.pk})
    return Q(**{f"{column}__{compare}e": at.moment}) & further


def _cursor(direction: str, row: Any, column: str) -> str:
    return Cursor(direction, getattr(row, column), row.pk).encode()
