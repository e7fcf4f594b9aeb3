"""What the search box finds here: a meeting, an attendee or a person by any id they go by."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Q, Value, When

from meetings.models import Attendee, Meeting
from meetings.pages import links
from portal import moments
from portal.search import Hit

# Shorter beginnings fit too much to be of help.
_SHORTEST_BEGINNING = 3
_MOST = 10


def find(text: str, user: Any) -> Iterator[Hit]:
    """Exact ids first, then ids that begin so. Three queries, each by indexes."""
    if user.has_perm("meetings.view_meeting"):
        yield from meetings(text)
    if user.has_perm("meetings.view_attendee"):
        yield from people(text)
        yield from attendees(text)


def meetings(text: str) -> Iterator[Hit]:
    wanted = Q(external_id=text) | Q(external_meeting_id=text)
    if len(text) >= _SHORTEST_BEGINNING:
        wanted |= Q(external_id__startswith=text) | Q(external_meeting_id__startswith=text)
    is_exact = Q(external_id=text) | Q(external_meeting_id=text)
    found = Meeting.objects.filter(wanted).order_by(_exact_first(is_exact), "-last_event_at")
    for meeting in found[:_MOST]:
        people = f"{meeting.attendee_count} {'person' if meeting.attendee_count == 1 else 'people'}"
        yield Hit(
            "Meetings",
            str(meeting),
            _joined(*_second_id(meeting), people, _ago(meeting)),
            meeting.get_absolute_url(),
            exact=text in {meeting.external_id, meeting.external_meeting_id},
        )


def people(text: str) -> Iterator[Hit]:
    """The application's own ids: one person in any number of meetings."""
    wanted = Q(external_user_id=text)
    if len(text) >= _SHORTEST_BEGINNING:
        wanted |= Q(external_user_id__startswith=text)
    found = (
        Attendee.objects.filter(wanted)
        .values("external_user_id")
        .annotate(
            meetings=Count("meeting", distinct=True), last=Max("last_event_at"), newest=Max("pk")
        )
        .order_by(_exact_first(Q(external_user_id=text)), "-last")
    )
    for person in found[:_MOST]:
        name, count = person["external_user_id"], person["meetings"]
        heard = f"last heard {moments.relative(person['last'])}" if person["last"] else ""
        yield Hit(
            "People",
            name,
            _joined(f"in {count} {'meeting' if count == 1 else 'meetings'}", heard),
            links.attendee(person["newest"]) if count == 1 else links.of_person(name),
            exact=name == text,
        )


def attendees(text: str) -> Iterator[Hit]:
    wanted = Q(external_id=text)
    if len(text) >= _SHORTEST_BEGINNING:
        wanted |= Q(external_id__startswith=text)
    found = Attendee.objects.filter(wanted).select_related("meeting")
    for attendee in found.order_by(_exact_first(Q(external_id=text)), "-last_event_at")[:_MOST]:
        yield Hit(
            "Attendees",
            attendee.external_id,
            _joined(
                attendee.external_user_id,
                attendee.get_outcome_display(),
                f"in {attendee.meeting}",
                _ago(attendee),
            ),
            attendee.get_absolute_url(),
            exact=attendee.external_id == text,
        )


def _second_id(meeting: Meeting) -> list[str]:
    """The service's id, where the application's stands first."""
    return [meeting.external_id] if meeting.external_meeting_id else []


def _exact_first(is_exact: Q) -> Case:
    return Case(When(is_exact, then=Value(0)), default=Value(1), output_field=IntegerField())


def _ago(subject: Meeting | Attendee) -> str:
    last = subject.last_event_at
    return f"last heard {moments.relative(last)}" if last else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
