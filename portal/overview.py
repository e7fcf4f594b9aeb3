"""The overview page is made of panels which apps register."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.safestring import SafeString

from portal.errors import OperationError
from portal.timerange import TimeRange

logger = logging.getLogger(__name__)

# Answers rendered markup, or an empty string if it has nothing to show.
Panel = Callable[[HttpRequest, TimeRange], SafeString | str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands: by `order`, over the whole width or half of it."""

    panel: Panel
    order: int
    permission: str
    wide: bool
    poll_seconds: int

    @property
    def name(self) -> str:
        return getattr(self.panel, "__name__", type(self.panel).__name__).replace("_", "-")


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel as rendered; `problem` stands in its place if it could not be read."""

    place: Place
    content: SafeString | str
    problem: str = ""


_places: list[Place] = []


def register_panel(
    panel: Panel,
    order: int = 100,
    *,
    permission: str = "",
    wide: bool = True,
    poll_seconds: int = 30,
) -> None:
    """Show what `panel(request, timerange)` renders. The same panel again replaces itself."""
    _places[:] = [place for place in _places if place.panel is not panel]
    _places.append(Place(panel, order, permission, wide, poll_seconds))
    _places.sort(key=lambda place: place.order)


def render(request: HttpRequest, timerange: TimeRange) -> list[Shown]:
    shown = [
        _render(place, request, timerange)
        for place in _places
        if not place.permission or request.user.has_perm(place.permission)
    ]
    return [one for one in shown if one.content or one.problem]


def _render(place: Place, request: HttpRequest, timerange: TimeRange) -> Shown:
    """One panel that cannot be read must not hide the others."""
    try:
        return Shown(place, place.panel(request, timerange))
    except OperationError as error:
        return Shown(place, "", str(error))
    except DatabaseError as error:
        logger.warning("The panel %s could not be read: %s", place.name, error)
        return Shown(place, "", "The database did not answer. Reload the page.")
