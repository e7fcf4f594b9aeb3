"""What stands behind a failure in a period: how often, to whom, and what they have in common."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, DateTimeField, F, Func, IntegerField, Q, QuerySet, Value

from portal.failures.models import Failure, Occurrence
from portal.failures.versions import sort_key
from portal.patience import within
from portal.timerange import TimeRange

VERSION = "version"  # the occurrence's own column, offered beside its tags
PERSON = "person"
PAGE_SIZE = 25

_SAMPLE = 2000
_PATIENCE_MS = 100
_MOST_SHARES = 6
_FIRST = ["browser", "os", "system", "device", "sdk", "sdk_version", VERSION, "region"]
_TELLING = ["browser", "sdk", "system", "device"]  # the most specific first
_ACRONYMS = {"sdk": "SDK", "os": "OS", "id": "ID", "ip": "IP", "url": "URL", "aws": "AWS"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Share:
    """One value of a tag: how many occurrences had it, and how many people."""

    value: str
    occurrences: int
    people: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A tag's commonest values. ``known`` is the number of occurrences that have the tag."""

    name: str
    shares: list[Share]
    known: int
    others: int

    @property
    def label(self) -> str:
        return tag_label(self.name)


@dataclass(frozen=True, slots=True)
class Course:
    """Occurrences in each bucket. Nothing reported is zero here, and no gap."""

    starts: list[datetime]
    counts: list[int]
    step: timedelta

    @property
    def number(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class People:
    """How many. ``is_most``: it may be fewer."""

    number: int
    is_most: bool = False


@dataclass(frozen=True, slots=True)
class OccurrencePage:
    rows: list[Occurrence]
    older: str
    is_first: bool


def occurrences(
    failure: Failure, period: TimeRange, chosen: Mapping[str, str]
) -> QuerySet[Occurrence]:
    """Those in the period that have the chosen tag values (or version, or person)."""
    rows = Occurrence.objects.filter(
        failure=failure, happened_at__gte=period.start, happened_at__lt=period.end
    )
    for name, value in chosen.items():
        if name in {VERSION, PERSON}:
            rows = rows.filter(**{name: value})
        else:
            rows = rows.filter(tags__contains={name: value})
    return rows


def course(failure: Failure, period: TimeRange, chosen: Mapping[str, str]) -> Course:
    """Of all occurrences from the hours counted already; of chosen ones from themselves."""
    starts, step = period.buckets(48), period.step(48)
    if not chosen:
        rows = Failure.objects.filter(pk=failure.pk).with_trend(period, 48)
        return Course(starts, next((one.trend for one in rows), []), step)
    edges = Value(starts, output_field=ArrayField(DateTimeField()))
    bucket = Func(F("happened_at"), edges, function="width_bucket", output_field=IntegerField())
    numbered = occurrences(failure, period, chosen).order_by().annotate(bucket=bucket)
    counted = numbered.values("bucket").annotate(number=Count("pk"))
    found = dict(counted.values_list("bucket", "number"))
    return Course(starts, [found.get(at, 0) for at in range(1, len(starts) + 1)], step)


def people(failure: Failure, period: TimeRange, chosen: Mapping[str, str]) -> People:
    """Who were hit in the period, as far as they have names.

    For all occurrences from when each was first and last seen. That leaves open whether those
    hit before the period and after it were hit in it: then the occurrences say it, if they can
    soon.
    """

    def count() -> int:
        named = occurrences(failure, period, chosen).exclude(person="").order_by()
        return int(named.aggregate(number=Count("person", distinct=True))["number"])

    if chosen:
        return People(count())
    around = Q(first_seen_at__lt=period.start, last_seen_at__gte=period.end)
    seen = failure.affected_people.during(period).aggregate(
        number=Count("pk"), unsure=Count("pk", filter=around)
    )
    if not seen["unsure"]:
        return People(seen["number"])
    exact = within(_PATIENCE_MS, count)
    return People(seen["number"], is_most=True) if exact is None else People(exact)


def breakdowns(rows: QuerySet[Occurrence]) -> tuple[list[Breakdown], int]:
    """What those affected have in common, and from how many of the newest that was read."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    newest = rows.values_list("tags", "version", "person")[:_SAMPLE]
    sampled = 0
    for tags, version, person in newest:
        sampled += 1
        for name, value in _traits(tags, version):
            found[name][value] += 1
            if person:
                people[name, value].add(person)
    made = [
        Breakdown(
            name,
            [
                Share(value, number, len(people[name, value]))
                for value, number in values.most_common(_MOST_SHARES)
            ],
            known=values.total(),
            others=max(0, len(values) - _MOST_SHARES),
        )
        for name, values in found.items()
    ]
    return sorted(made, key=lambda one: (_rank(one.name), one.name)), sampled


def in_common(breakdowns: Iterable[Breakdown], sampled: int) -> list[tuple[str, str]]:
    """What nearly all of the sampled occurrences share: ("All of them", "Chrome 143").

    Nothing where it is not clear: a value counts from 90 % of all, and ten occurrences on.
    """
    known = {one.name.lower(): one.shares[0] for one in breakdowns if one.shares}
    found = []
    for name in _TELLING:
        share = known.get(name)
        if share is None or share.occurrences < max(10, sampled * 0.9):
            continue
        part = share.occurrences * 100 // sampled
        how_many = "All of them" if share.occurrences == sampled else f"{part} %"
        found.append((how_many, f"SDK {share.value}" if name == "sdk" else share.value))
    return found


def versions(failure: Failure) -> list[str]:
    """Of its newest occurrences, the newest version first."""
    newest = Occurrence.objects.filter(failure=failure).values_list("version", flat=True)
    return sorted({one for one in newest[:_SAMPLE] if one}, key=sort_key, reverse=True)[:20]


def since_resolved(failure: Failure) -> int:
    if not failure.still_happens:
        return 0
    after = Occurrence.objects.filter(failure=failure, happened_at__gt=failure.resolved_at)
    return after.count()


def _traits(tags: Mapping[str, str], version: str) -> Iterator[tuple[str, str]]:
    if version and VERSION not in tags:
        yield VERSION, version
    yield from tags.items()


def _rank(name: str) -> int:
    name = name.lower()
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def tag_label(name: str) -> str:
    """sdk_version -> SDK version."""
    words = name.replace("_", " ").replace("-", " ").split()
    label = " ".join(_ACRONYMS.get(word.lower(), word) for word in words)
    return label[:1].upper() + label[1:]


def page(rows: QuerySet[Occurrence], after: str) -> OccurrencePage:
    """Newest first; ``after`` is the ``older`` of the page before."""
    place = _place(after)
    if place:
        moment, number = place
        earlier = Q(happened_at__lt=moment) | Q(happened_at=moment, pk__lt=number)
        rows = rows.filter(earlier, happened_at__lte=moment)
    found = list(rows[: PAGE_SIZE + 1])
    last = found[PAGE_SIZE - 1] if len(found) > PAGE_SIZE else None
    return OccurrencePage(found[:PAGE_SIZE], _token(last) if last else "", place is None)


def _token(row: Occurrence) -> str:
    return f"{(row.happened_at - _EPOCH) // timedelta(microseconds=1)}-{row.pk}"


def _place(token: str) -> tuple[datetime, int] | None:
    """Nothing where the URL was tampered with: then it is the first page."""
    first, _, second = token.partition("-")
    if not (first + second).isascii() or not first.isdigit() or not second.isdigit():
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(first[:18])), int(second[:18])
    except OverflowError:
        return None
