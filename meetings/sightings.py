"""Which new facts are failures, and what each is reported as."""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from meetings import vocabulary, wording
from meetings.facts import Fact
from meetings.formats.gists import ClientColumns
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
        sighting(fact, KINDS[fact.gist.name].slug)
        for fact in facts
        if fact.gist.name in KINDS and not fact.is_bot
    ]


def sighting(fact: Fact, kind: str) -> Sighting:
    gist = fact.gist
    client = ClientColumns(*gist.client)
    platform = client.platform or vocabulary.platform_of(None)
    explanation, cause = _cause(gist.name, gist.status, gist.reason)
    return Sighting(
        kind=kind,
        title=f"{explanation.title} ({platform})",
        reason=explanation.technical,
        key=f"{fact.attendee_id}:{fact.client_ms}:{gist.name}",
        happened_at=fact.happened_at,
        person=fact.person,
        version=client.sdk_version,
        tags=_tags(fact, client, platform),
        url=_attendee_url().replace(_ANY, str(fact.attendee_id)),
        detail=gist.reason,
        fingerprint=(gist.name, cause, platform),
    )


@lru_cache(maxsize=512)
def _cause(name: str, status: str, reason: str) -> tuple[wording.Explanation, str]:
    """The same few, again and again."""
    return wording.explain(name, status, reason), wording.cause_of(status, reason)


def _tags(fact: Fact, client: ClientColumns, platform: str) -> dict[str, str]:
    tags = {
        "SDK": f"{platform} {client.sdk_version}".strip(),
        "Browser": f"{client.browser_name} {client.browser_major}".strip(),
        "System": f"{client.os_name} {client.os_version}".strip(),
        "Device": client.device_name,
        "Meeting": vocabulary.known(fact.gist.external_meeting_id) or fact.gist.meeting_id,
    }
    return {name: value for name, value in tags.items() if value}


_ANY = "987654321"


@cache
def _attendee_url() -> str:
    """With `_ANY` in the place of the id, as looking an URL up costs more than all the rest."""
    return reverse("admin:attendee", args=[int(_ANY)])
