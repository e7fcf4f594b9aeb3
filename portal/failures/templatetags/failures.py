"""How failures are told in templates."""

import re
from datetime import timedelta

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from portal.failures import evidence
from portal.failures.models import Failure
from portal.failures.models import State as Triage
from portal.pieces import State
from portal.templatetags.pieces import shorten, state

register = template.Library()

_MACHINE_ID = re.compile(r"[0-9a-fA-F-]{20,}")

_STATES: dict[str, tuple[State, str]] = {
    Triage.OPEN: ("bad", "Open"),
    Triage.ACKNOWLEDGED: ("warn", "Acknowledged"),
    "muted": ("unknown", "Muted"),
    Triage.RESOLVED: ("ok", "Resolved"),
}


@register.filter
def tone(failure: Failure) -> str:
    """ok, warn, bad or unknown: for the edge of the row."""
    return _STATES[failure.standing][0]


@register.simple_tag
def standing(failure: Failure) -> SafeString:
    """The state by shape, colour and word."""
    kind, word = _STATES[failure.standing]
    return state(kind, word)


@register.filter
def is_new(failure: Failure) -> bool:
    """First seen within the last day, and nobody has taken any step about it."""
    untouched = failure.standing == Triage.OPEN and failure.revision == 0
    return untouched and failure.first_seen_at >= timezone.now() - timedelta(days=1)


register.filter("tag_label", evidence.tag_label)


@register.filter
def shorten_id(text: str) -> str:
    """Machines' ids are cut in the middle; names that people gave are shown whole."""
    return shorten(text) if _MACHINE_ID.fullmatch(text) else text
