"""Which new facts are failures, and what each is reported as."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from meetings import vocabulary, wording
from meetings.facts import Fact
from meetings.formats import Event
from portal.failures.kinds import Kind
from portal.failures.sightings import Sighting

if TYPE_CHECKING:
    from portal.failures.models import Failure


def _events_behind(failure: "Failure") -> str:
    return f"{reverse('admin:client_events')}?{urlencode({'kind': failure.kind, 'range': '30d'})}"


KINDS = {
    "meetingStartFailed": Kind(
        "meetings.join_failed",
        "Join failed",
        "Look at the breakdown: one browser or SDK version points at a release, one system or "
        "device at its settings, everybody at once at the service or the network in between.",
        _events_behind,
    ),
    "meetingFailed": Kind(
        "meetings.dropped",
        "Dropped out",
        "People were in and were thrown out. Ask for their network first; if many drop at the "
        "same moment, look at the service status of that time.",
        _events_behind,
    ),
    "audioInputFailed": Kind(
        "meetings.audio_input_failed",
        "Microphone failed",
        "The reason says whether the browser or system blocked the microphone, another program "
        "holds it, or there is none. The attendee's page shows what they chose before.",
        _events_behind,
    ),
    "videoInputFailed": Kind(
        "meetings.video_input_failed",
        "Camera failed",
        "The reason says whether the browser or system blocked the camera, another program "
        "holds it, or there is none. The attendee's page shows what they chose before.",
        _events_behind,
    ),
}


def sightings(facts: Iterable[Fact]) -> list[Sighting]:
    """Join failures, dropped attendees and device failures among new facts; bots left out."""
    return [
        sighting(fact, KINDS[fact.arrival.event.name].slug)
        for fact in facts
        if fact.arrival.event.name in KINDS and not fact.is_bot
    ]


def sighting(fact: Fact, kind: str) -> Sighting:
    event = fact.arrival.event
    status = _text(event, "meetingStatus")
    reason = vocabulary.failure_reason(event)
    platform = vocabulary.platform_of(_text(event, "sdkName"))
    explanation = wording.explain(event.name, status, reason)
    return Sighting(
        kind=kind,
        title=f"{explanation.title} ({platform})",
        reason=explanation.technical,
        key=f"{fact.attendee_id}:{fact.client_ms}:{event.name}",
        happened_at=fact.happened_at,
        person=fact.person,
        version=_text(event, "sdkVersion"),
        tags=_tags(event),
        url=reverse("admin:attendee", args=[fact.attendee_id]),
        detail=reason,
        fingerprint=(event.name, wording.cause_of(status, reason), platform),
    )


def _tags(event: Event) -> dict[str, str]:
    def told(*names: str) -> str:
        return " ".join(filter(None, (vocabulary.told(event, name) for name in names)))

    tags = {
        "SDK": f"{vocabulary.platform_of(told('sdkName'))} {told('sdkVersion')}".strip(),
        "Browser": told("browserName", "browserMajorVersion"),
        "System": told("osName", "osVersion"),
        "Device": told("deviceName"),
        "Meeting": told("externalMeetingId") or event.meeting_id,
    }
    return {name: value for name, value in tags.items() if value}


def _text(event: Event, name: str) -> str:
    value = event.attributes.get(name)
    return "" if value is None else str(value)
