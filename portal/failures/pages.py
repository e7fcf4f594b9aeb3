"""The list of failures and the page of one."""

from datetime import timedelta
from typing import cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone

from portal import freshness, search
from portal.access.models import User
from portal.admin import render_page
from portal.charts.bars import Bar
from portal.charts.frame import Series
from portal.failures import evidence
from portal.failures.evidence import Breakdown
from portal.failures.kinds import kind_of
from portal.failures.listing import OWNERS, SORTS, TABS, Selection
from portal.failures.models import Failure
from portal.failures.steps import MUTES
from portal.failures.undo import take_offer
from portal.listing import Chip
from portal.pieces import Pager
from portal.timerange import TimeRange

PAGE_SIZE = 50
_HISTORY = 200
_MOST_TAGS = 8
_MOST_CHOICES = 200


def failures_page(request: HttpRequest) -> HttpResponse:
    """Groups of failures, what hits most people first; those that need somebody unless asked."""
    user, now, period = cast(User, request.user), timezone.now(), TimeRange.of(request)
    chosen = Selection.of(request.GET)
    counts = chosen.counts(user, now)
    first = (chosen.page - 1) * PAGE_SIZE
    order = chosen.in_order(chosen.failures(user, now), period).values_list("pk", flat=True)
    keys = list(order[first : first + PAGE_SIZE])
    # Apart, so that no more is counted than what the page shows.
    rows = Failure.objects.select_related("owner").with_trend(period).with_since_resolved()
    found = rows.in_bulk(keys)
    shown = [found[key] for key in keys if key in found]
    kinds, versions = _kinds_and_versions()
    return render_page(
        request,
        "failures/list.html",
        title="Failures",
        failures=shown,
        chosen=chosen,
        tabs=[
            (tab, label, counts[tab], chosen.url(period, state="" if tab == "open" else tab))
            for tab, label in TABS.items()
        ],
        sorts=SORTS,
        sort_urls={sort: chosen.url(period, sort=sort) for sort in SORTS},
        chips=chosen.chips(period),
        clear_url=chosen.url(period, **dict.fromkeys(chosen.filters(), "")),
        kinds=[(slug, kind_of(slug).label) for slug in kinds],
        versions=versions,
        owners=OWNERS,
        pager=_pager(chosen, period, len(shown), counts[chosen.tab]),
        mutes=MUTES,
        may_triage=user.has_perm("failures.triage_failure"),
        offer=take_offer(request),
        nothing_yet=not counts["all"] and not chosen.filters(),
    )


def _kinds_and_versions() -> tuple[list[str], list[str]]:
    """What the list can be filtered by."""
    pairs = list(Failure.objects.order_by().values_list("kind", "last_version").distinct())
    kinds, versions = {kind for kind, _ in pairs}, {version for _, version in pairs if version}
    return sorted(kinds)[:_MOST_CHOICES], sorted(versions)[:_MOST_CHOICES]


def _pager(chosen: Selection, period: TimeRange, shown: int, total: int) -> Pager:
    before, after = str(chosen.page - 1), str(chosen.page + 1)
    return Pager(
        shown,
        total,
        newer_url=chosen.url(period, page=before) if chosen.page > 1 else "",
        older_url=chosen.url(period, page=after) if chosen.page * PAGE_SIZE < total else "",
        noun="failures",
    )


def failure_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One failure: how bad, whom it hits, what to try, and what people have done about it."""
    failure = get_object_or_404(Failure.objects.select_related("owner"), pk=pk)
    user, period = cast(User, request.user), TimeRange.of(request)
    tags = _chosen_tags(request.GET)
    rows = evidence.occurrences(failure, period, tags)
    course = evidence.course(failure, period, tags)
    number, people = course.number, evidence.people(failure, period, tags)
    breakdowns, sampled = evidence.breakdowns(rows)
    newest = evidence.page(rows, request.GET.get("after", ""))
    link = failure.about.occurrences_url
    return render_page(
        request,
        "failures/detail.html",
        title=failure.title,
        failure=failure,
        number=number,
        people=people.number,
        people_note=f"At most, {period.label}" if people.is_most else period.label,
        course=course,
        common=evidence.in_common([one for one in breakdowns if one.name not in tags], sampled),
        since_resolved=evidence.since_resolved(failure),
        versions=evidence.versions(failure),
        series=[Series("Occurrences", course.counts, "bad")],
        breakdowns=[(one, _bars(one, tags, period)) for one in breakdowns if one.name not in tags],
        sampled=sampled if sampled < number else 0,
        newest=newest,
        pager=Pager(
            len(newest.rows),
            number,
            newer_url="" if newest.is_first else _url(period, tags),
            older_url=_url(period, tags, after=newest.older) if newest.older else "",
            noun="occurrences",
        ),
        chips=[
            Chip(evidence.tag_label(name), value, _url(period, _without(tags, name)))
            for name, value in tags.items()
        ],
        everything_url=link(failure) if link else "",
        rows_url="#occurrences" if number else "",
        freshness=freshness.of(freshness.DRAIN),
        all_time_url=_all_time(failure),
        last_seen_url=_around(failure, period),
        notes=failure.notes.all()[:_HISTORY],
        offer=take_offer(request),
        may_triage=user.has_perm("failures.triage_failure"),
        mutes=MUTES,
        staff=User.objects.filter(is_staff=True, is_active=True).order_by("username")[:300],
    )


def _bars(breakdown: Breakdown, tags: dict[str, str], period: TimeRange) -> list[Bar]:
    return [
        Bar(
            share.value,
            share.occurrences,
            _url(period, {**tags, breakdown.name: share.value}),
            note=_people(share.people),
            tone="bad",
        )
        for share in breakdown.shares
    ]


def _people(number: int) -> str:
    return "" if not number else "1 person" if number == 1 else f"{number:,} people"


def _chosen_tags(query: QueryDict) -> dict[str, str]:
    """``?tag=browser=Chrome&tag=os=iOS``."""
    pairs = [search.clean(text).partition("=") for text in query.getlist("tag")[:_MOST_TAGS]]
    return {name: value for name, _, value in pairs if name and value}


def _without(tags: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in tags.items() if other != name}


def _url(period: TimeRange, tags: dict[str, str], after: str = "") -> str:
    parts = [("tag", f"{name}={value}") for name, value in tags.items()]
    parts += list(period.query.items()) if period.query_string else []
    parts += [("after", after)] if after else []
    return f"?{urlencode(parts)}#occurrences"


def _all_time(failure: Failure) -> str:
    """The rows behind the totals; nothing where no page shows so long a time."""
    end = failure.last_seen_at + timedelta(seconds=1)
    try:
        return _url(TimeRange.between(failure.first_seen_at.isoformat(), end.isoformat()), {})
    except ValueError:
        return ""


def _around(failure: Failure, period: TimeRange) -> str:
    """Where to look when the chosen period holds nothing: the day before the last time."""
    last = failure.last_seen_at
    if period.start <= last < period.end:
        return ""
    start, end = last - timedelta(days=1), last + timedelta(minutes=1)
    return f"?{urlencode({'from': start.isoformat(), 'to': end.isoformat()})}"
