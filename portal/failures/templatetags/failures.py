"""How failures are told in templates."""

from datetime import timedelta

from django import template
from django.utils.safestring import SafeString

from portal.failures import evidence
from portal.failures.models import Failure
from portal.failures.models import State as Triage
from portal.pieces import State
from portal.templatetags.pieces import state
from portal.timerange import TimeRange

register = template.Library()

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
def is_new(failure: Failure, period: TimeRange) -> bool:
    """First seen in the period, or in its last day if it is longer than that."""
    return failure.first_seen_at >= max(period.start, period.end - timedelta(days=1))


register.filter("tag_label", evidence.tag_label)
