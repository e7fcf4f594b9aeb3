"""What the search box finds here: a meeting, an attendee or a person by any id they go by."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Q, Value, When
from django.utils import timezone

from meetings.models import Attendee, Meeting
from meetings.pages import links
from portal import moments
from portal.search import Hit

# Shorter beginnings fit too much to be of help.
_SHORTEST_BEGINNING = 3
_MOST = 10
# Fewer hits by beginnings than this are little: names are then looked into as well.
_LITTLE = 8
# No index finds the middle of a name, so only what is fresh is read, and never more than this.
_FRESH = timedelta(days=30)
_MOST_READ = 5000
_MOST_WORDS = 8


def find(text: str, user: Any) -> list[Hit]:
    """Exact ids first, then ids that begin so: three queries, each by indexes.

    Only where these give little, words anywhere in the names of meetings and people.
    """
    sees_meetings = user.has_perm("meetings.view_meeting")
    sees_people = user.has_perm("meetings.view_attendee")
    hits: list[Hit] = []
    if sees_meetings:
        hits += meetings(text)
    if sees_people:
        hits += [*people(text), *attendees(text)]
    is_enough = len(hits) >= _LITTLE or any(hit.exact for hit in hits)
    if is_enough or len(text) < _SHORTEST_BEGINNING:
        return hits
    known = {hit.url for hit in hits}
    named: list[Hit] = []
    if sees_meetings:
        named += meetings_named(text)
    if sees_people:
        named += people_named(text)
    return hits + [hit for hit in named if hit.url not in known]


def meetings(text: str) -> Iterator[Hit]:
    wanted = Q(external_id=text) | Q(external_meeting_id=text)
    if len(text) >= _SHORTEST_BEGINNING:
        wanted |= Q(external_id__startswith=text) | Q(external_meeting_id__startswith=text)
    is_exact = Q(external_id=text) | Q(external_meeting_id=text)
    found = Meeting.objects.filter(wanted).order_by(_exact_first(is_exact), "-last_event_at")
    for meeting in found[:_MOST]:
        yield _meeting(meeting, exact=text in {meeting.external_id, meeting.external_meeting_id})


def meetings_named(text: str) -> Iterator[Hit]:
    """Those heard of lately whose name has all the words, in any case and order."""
    fresh = Meeting.objects.filter(last_event_at__gte=timezone.now() - _FRESH)
    newest = fresh.order_by("-last_event_at", "-id").values_list("pk", "external_meeting_id")
    found = [pk for pk, name in newest[:_MOST_READ] if _has_words(name, text)][:_MOST]
    if found:
        named = Meeting.objects.filter(pk__in=found).order_by("-last_event_at", "-id")
        for meeting in named:
            yield _meeting(meeting, exact=False)


def _meeting(meeting: Meeting, *, exact: bool) -> Hit:
    people = f"{meeting.attendee_count} {'person' if meeting.attendee_count == 1 else 'people'}"
    return Hit(
        "Meetings",
        str(meeting),
        _joined(*_second_id(meeting), people, _ago(meeting)),
        meeting.get_absolute_url(),
        exact=exact,
    )


def people(text: str) -> Iterator[Hit]:
    """The application's own ids: one person in any number of meetings."""
    wanted = Q(external_user_id=text)
    if len(text) >= _SHORTEST_BEGINNING:
        wanted |= Q(external_user_id__startswith=text)
    return _people(wanted, text)


def people_named(text: str) -> Iterator[Hit]:
    """Those heard of lately whose id has all the words, in any case and order."""
    fresh = Attendee.objects.filter(last_event_at__gte=timezone.now() - _FRESH)
    newest = fresh.order_by("-last_event_at", "-id").values_list("external_user_id", flat=True)
    # Of one person there may be many rows.
    names = dict.fromkeys(newest[:_MOST_READ])
    found = list(islice((name for name in names if _has_words(name, text)), _MOST))
    return _people(Q(external_user_id__in=found), text) if found else iter(())


def _people(wanted: Q, text: str) -> Iterator[Hit]:
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


def _has_words(name: str, text: str) -> bool:
    """Here rather than in the database, which would weigh reading the whole table against it."""
    folded = name.casefold()
    return all(word in folded for word in text.casefold().split()[:_MOST_WORDS])


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
