"""What a delivery of client events led to, for its page: each event, and where it stands now."""

from django.urls import reverse

from meetings import handlers, wording
from meetings.formats import Event
from meetings.models import ClientEvent
from portal.inbox.models import Delivery
from portal.inbox.results import Result, Results

MOST_SHOWN = 50

Key = tuple[str, str, str, int, int]


def describe(delivery: Delivery) -> Results:
    reading, _ = handlers.read(delivery.door, delivery.raw())
    events = reading.events[:MOST_SHOWN]
    stored = _stored(events)
    return Results([_result(event, stored, delivery) for event in events], len(reading.events))


def _stored(events: list[Event]) -> dict[Key, ClientEvent]:
    """By the natural key: the same event may have come with another delivery first."""
    found = ClientEvent.objects.with_everything().filter(
        meeting__external_id__in={event.meeting_id for event in events},
        attendee__external_id__in={event.attendee_id for event in events},
        client_ms__in={event.client_ms or 0 for event in events},
    )
    return {
        (
            row.meeting.external_id,
            row.attendee.external_id,
            row.name.value,
            row.client_ms,
            row.sequence,
        ): row
        for row in found
    }


def _result(event: Event, stored: dict[Key, ClientEvent], delivery: Delivery) -> Result:
    key = (
        event.meeting_id,
        event.attendee_id,
        event.name,
        event.client_ms or 0,
        event.sequence,
    )
    row = stored.get(key)
    label = wording.event_label(event.name)
    person = str(event.attributes.get("externalUserId") or event.attendee_id)
    if row is None:
        return Result(label, person, became="Not stored, or deleted since")
    became = "An event"
    if row.delivery_id != delivery.pk:
        became = f"The event of delivery #{row.delivery_id}"
    url = reverse("admin:attendee", args=[row.attendee.pk])
    return Result(label, person, row.happened_at, url, became)
