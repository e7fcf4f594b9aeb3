"""What other apps put on the page of a meeting or an attendee."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.http import HttpRequest
from django.utils.safestring import SafeString

from meetings.models import Attendee, Meeting

SubjectT = TypeVar("SubjectT", Meeting, Attendee)


@dataclass(frozen=True, slots=True)
class Place(Generic[SubjectT]):
    """`panel(request, subject)` answers rendered markup, or an empty string for nothing to show."""

    panel: Callable[[HttpRequest, SubjectT], SafeString | str]
    order: int
    permission: str


_on_meeting: list[Place[Meeting]] = []
_on_attendee: list[Place[Attendee]] = []


def register_on_meeting(
    panel: Callable[[HttpRequest, Meeting], SafeString | str],
    *,
    order: int = 100,
    permission: str = "",
) -> None:
    """Show the panel on each meeting's page. The same panel again replaces itself."""
    _put(_on_meeting, Place(panel, order, permission))


def register_on_attendee(
    panel: Callable[[HttpRequest, Attendee], SafeString | str],
    *,
    order: int = 100,
    permission: str = "",
) -> None:
    """Show the panel on each attendee's page."""
    _put(_on_attendee, Place(panel, order, permission))


def of_meeting(request: HttpRequest, meeting: Meeting) -> list[SafeString | str]:
    return _render(_on_meeting, request, meeting)


def of_attendee(request: HttpRequest, attendee: Attendee) -> list[SafeString | str]:
    return _render(_on_attendee, request, attendee)


def _put(places: list[Place[SubjectT]], place: Place[SubjectT]) -> None:
    places[:] = sorted(
        [*(one for one in places if one.panel is not place.panel), place],
        key=lambda one: one.order,
    )


def _render(
    places: list[Place[SubjectT]], request: HttpRequest, subject: SubjectT
) -> list[SafeString | str]:
    shown = [
        place.panel(request, subject)
        for place in places
        if not place.permission or request.user.has_perm(place.permission)
    ]
    return [content for content in shown if content]
