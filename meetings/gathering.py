"""The events of a batch, sorted by whom they tell of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings

from meetings import dimensions, vocabulary
from meetings.clocks import ClockRule, microseconds
from meetings.formats.gists import Gist
from meetings.written import Arrival, Fact


@dataclass(slots=True)
class Gathered:
    """An attendee with their facts of this batch."""

    meeting: str
    external_id: str
    facts: list[Fact] = field(default_factory=list)
    user_id: str = ""
    external_meeting_id: str = ""
    media_region: str = ""
    # Once they are stored:
    id: int = 0
    meeting_id: int = 0
    is_known: bool = False
    is_bot: bool = False
    first_ms: int = 0
    last_ms: int = 0

    def hear(self, gist: Gist) -> None:
        """The greatest of several ids counts, whichever event told it."""
        if gist.user_id != self.user_id:
            self.is_bot = self.is_bot or vocabulary.is_bot(gist.user_id)
            self.user_id = max(self.user_id, gist.user_id)
        if gist.external_meeting_id > self.external_meeting_id:
            self.external_meeting_id = gist.external_meeting_id
        if gist.media_region > self.media_region:
            self.media_region = gist.media_region

    def sign_facts(self) -> None:
        person = self.user_id or self.external_id
        for fact in self.facts:
            fact.attendee_id = self.id
            fact.meeting_id = self.meeting_id
            fact.is_bot = self.is_bot
            fact.person = person


def gather(arrivals: Sequence[Arrival]) -> list[Gathered]:
    """The attendees with their facts, each fact once."""
    gists = [gist for one in arrivals for gist in one.gists]
    names = dimensions.names({gist.name for gist in gists})
    clients = dimensions.clients({gist.client for gist in gists})
    statuses = dimensions.statuses({gist.status for gist in gists if gist.status})
    rule = clock_rule()
    attendees: dict[tuple[str, str], Gathered] = {}
    for one in arrivals:
        delivery_id, received_us = one.delivery.pk, microseconds(one.delivery.received_at)
        plausible = rule.plausible(received_us)
        attendee, client, client_id = _NOBODY, None, 0
        for gist in one.gists:
            if gist.attendee_id != attendee.external_id or gist.meeting_id != attendee.meeting:
                key = (gist.meeting_id, gist.attendee_id)
                attendee = attendees.get(key) or attendees.setdefault(key, Gathered(*key))
            if gist.client is not client:
                client, client_id = gist.client, clients[gist.client]
            happened_us, skewed = received_us, False  # who claims no time cannot be wrong
            if gist.client_ms is not None:
                if gist.client_ms * 1000 in plausible:
                    happened_us = gist.client_ms * 1000
                else:
                    skewed = True
            attendee.facts.append(
                Fact(
                    gist,
                    gist.client_ms or 0,
                    happened_us,
                    received_us,
                    skewed,
                    names[gist.name],
                    client_id,
                    statuses[gist.status] if gist.status else None,
                    delivery_id,
                )
            )
            attendee.hear(gist)
    for attendee in attendees.values():
        attendee.facts = _each_once(attendee.facts)
    return list(attendees.values())


_NOBODY = Gathered("", "")


def _each_once(facts: list[Fact]) -> list[Fact]:
    """Of several copies of one event the one that counts, in `fact_rows.insert_unknown` as well."""
    if len({(fact.client_ms, fact.name_id, fact.gist.sequence) for fact in facts}) == len(facts):
        return facts
    found: dict[tuple[int, int, int], Fact] = {}
    for fact in facts:
        key = (fact.client_ms, fact.name_id, fact.gist.sequence)
        rival = found.get(key)
        if rival is None or _rank(fact) > _rank(rival):
            found[key] = fact
    return list(found.values())


def _rank(fact: Fact) -> tuple[int, int, int, int]:
    """The fullest copy counts; of two equally full ones that received first."""
    return fact.gist.fullness, -fact.received_us, -fact.delivery_id, -fact.gist.ordinal


def clock_rule() -> ClockRule:
    return ClockRule(
        ahead=timedelta(seconds=settings.CLOCK_AHEAD_SECONDS),
        behind=timedelta(hours=settings.CLOCK_BEHIND_HOURS),
    )
