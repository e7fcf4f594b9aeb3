"""What other apps put on the page of a meeting or of an attendee."""

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


class Panels(Generic[SubjectT]):
    """The panels of one sort of page. Apps register theirs when Django starts."""

    def __init__(self) -> None:
        self._places: list[Place[SubjectT]] = []

    def register(
        self,
        panel: Callable[[HttpRequest, SubjectT], SafeString | str],
        *,
        order: int = 100,
        permission: str = "",
    ) -> None:
        """Show the panel to those who have the permission. The same again replaces itself."""
        self._places = [place for place in self._places if place.panel is not panel]
        self._places.append(Place(panel, order, permission))
        self._places.sort(key=lambda place: place.order)

    def render(self, request: HttpRequest, subject: SubjectT) -> list[SafeString | str]:
        shown = [
            place.panel(request, subject)
            for place in self._places
            if not place.permission or request.user.has_perm(place.permission)
        ]
        return [content for content in shown if content]


on_meeting: Panels[Meeting] = Panels()
on_attendee: Panels[Attendee] = Panels()
