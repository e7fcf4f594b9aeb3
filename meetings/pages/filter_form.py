"""Filters above a list: which can be chosen, and which are in force as removable chips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from meetings import wording
from meetings.filters import NOT_TOLD
from meetings.models import Attendee
from meetings.pages import clients
from meetings.sightings import KINDS
from portal.listing import Chip

_PAGING = ("after",)
_LABELS = {
    "name": "Event",
    "kind": "Failure",
    "failed": "Only failures",
    "status": "Status",
    "meeting": "Meeting",
    "attendee": "Attendee",
    "user": "Person",
    "sdk": "SDK",
    "sdk_version": "SDK version",
    "platform": "Platform",
    "browser": "Browser",
    "browser_major": "Browser version",
    "os": "System",
    "os_version": "System version",
    "region": "Region",
    "skewed": "Wrong clock",
    "outcome": "Outcome",
    "live": "In progress",
    "bot": "Bots",
    "q": "Text",
}
_YES_NO = {"failed", "skewed", "live", "bot"}
_YES = {"1", "true", "True"}
_OUTCOMES = dict(Attendee.Outcome.choices)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of the filter form: a select, or free text where `options` is None."""

    name: str
    label: str
    options: Sequence[Option] | None
    chosen: str = ""

    @property
    def shown(self) -> list[Option]:
        """What is chosen is offered, even where it is not among the options."""
        options = list(self.options or ())
        if self.chosen and self.chosen not in {option.value for option in options}:
            options.append(Option(self.chosen, told(self.name, self.chosen)))
        return options


def chips(parameters: QueryDict, in_force: Mapping[str, str | Sequence[str]]) -> list[Chip]:
    """One chip a filter in force, with the URL that takes it away."""
    found = []
    for name, value in in_force.items():
        values = [value] if isinstance(value, str) else list(value)
        kept = parameters.copy()
        for dropped in (name, *_PAGING):
            kept.pop(dropped, None)
        text = ", ".join(told(name, one) for one in values)
        found.append(Chip(_LABELS.get(name, name), text, f"?{kept.urlencode()}"))
    return found


def told(name: str, value: str) -> str:
    """A filter's value in the words that the tables use."""
    if value in {"", NOT_TOLD}:
        return "not told"
    if name in _YES_NO:
        return "yes" if value in _YES else "no"
    match name:
        case "name":
            return wording.event_label(value)
        case "status":
            return wording.status_label(value)
        case "sdk":
            return clients.sdk(value)
        case "outcome":
            return str(_OUTCOMES.get(value, value))
        case "kind":
            return next((kind.label for kind in KINDS.values() if kind.slug == value), value)
        case _:
            return value
