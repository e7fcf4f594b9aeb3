"""Which failures the list shows, as its URL says: tab, filters, order, page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q
from django.http import QueryDict

from portal import search
from portal.access.models import User
from portal.failures.kinds import kind_of
from portal.failures.models import Failure, FailureQuerySet, Occurrence, State
from portal.listing import Chip
from portal.timerange import TimeRange

TABS = {
    "open": "Open",
    "acknowledged": "Acknowledged",
    "muted": "Muted",
    "resolved": "Resolved",
    "all": "All",
}
SORTS = {
    "reach": "People affected in the range",
    "last_seen": "Last seen",
    "first_seen": "First seen",
    "occurrences": "Occurrences in total",
    "people": "People in total",
}
OWNERS = {"me": "Me", "nobody": "Nobody"}
_COLUMNS = {
    "last_seen": "-last_seen_at",
    "first_seen": "-first_seen_at",
    "occurrences": "-occurrences",
    "people": "-people",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What the person chose. Anything unknown in the URL falls back to the usual."""

    tab: str = "open"
    kind: str = ""
    owner: str = ""
    version: str = ""
    text: str = ""
    sort: str = "reach"
    page: int = 1

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        tab, sort, page = query.get("state", ""), query.get("sort", ""), query.get("page", "")
        return cls(
            tab=tab if tab in TABS else "open",
            kind=search.clean(query.get("kind", "")),
            owner=owner if (owner := query.get("owner", "")) in OWNERS else "",
            version=search.clean(query.get("version", "")),
            text=search.clean(query.get("q", "")),
            sort=sort if sort in SORTS else "reach",
            page=min(int(page), 100_000)
            if page.isascii() and page.isdigit() and page != "0"
            else 1,
        )

    def failures(self, user: User | None, at: datetime) -> FailureQuerySet:
        """The failures of the chosen tab."""
        return self.in_every_tab(user).filter(in_tab(self.tab, at))

    def in_order(self, rows: FailureQuerySet, period: TimeRange) -> FailureQuerySet:
        if column := _COLUMNS.get(self.sort):
            return rows.order_by(column, "-id")
        return rows.by_reach(period)

    def in_every_tab(self, user: User | None) -> FailureQuerySet:
        rows = Failure.objects.all()
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.owner:
            rows = rows.filter(owner=user if self.owner == "me" else None)
        if self.version:
            seen = Occurrence.objects.filter(failure=OuterRef("pk"), version=self.version)
            rows = rows.filter(Exists(seen))
        if self.text:
            rows = rows.matching(self.text)
        return rows

    def counts(self, user: User | None, at: datetime) -> dict[str, int]:
        """How many failures each tab holds under the other filters."""
        tabs = {tab: Count("pk", filter=in_tab(tab, at)) for tab in TABS}
        counted: dict[str, int] = self.in_every_tab(user).order_by().aggregate(**tabs)
        return counted

    def filters(self) -> dict[str, str]:
        """The filters in force, under their names in the URL."""
        found = {
            "kind": self.kind,
            "owner": self.owner,
            "version": self.version,
            "q": self.text,
        }
        return {name: value for name, value in found.items() if value}

    def url(self, period: TimeRange, **changes: str) -> str:
        """The list's query string with some choices changed; empty takes one out.

        Any change leads back to the first page, unless it is the page that changes.
        """
        usual = Selection()
        chosen = {
            "state": self.tab if self.tab != usual.tab else "",
            **self.filters(),
            "sort": self.sort if self.sort != usual.sort else "",
            **(period.query if period.query_string else {}),
            **changes,
        }
        return f"?{urlencode({name: value for name, value in chosen.items() if value})}"

    def chips(self, period: TimeRange) -> list[Chip]:
        labels = {"kind": "Kind", "owner": "Owner", "version": "Seen in version", "q": "Text"}
        shown: Mapping[str, str] = {
            **self.filters(),
            **({"kind": kind_of(self.kind).label} if self.kind else {}),
            **({"owner": OWNERS[self.owner]} if self.owner else {}),
        }
        return [
            Chip(labels[name], value, self.url(period, **{name: ""}))
            for name, value in shown.items()
        ]


def in_tab(tab: str, at: datetime) -> Q:
    """Every failure stands in exactly one tab (beside "all")."""
    muted = Q(muted_until__isnull=False, muted_until__gt=at)
    match tab:
        case "open":
            return Q(state=State.OPEN) & ~muted
        case "acknowledged":
            return Q(state=State.ACKNOWLEDGED) & ~muted
        case "muted":
            return ~Q(state=State.RESOLVED) & muted
        case "resolved":
            return Q(state=State.RESOLVED)
        case _:
            return Q()
