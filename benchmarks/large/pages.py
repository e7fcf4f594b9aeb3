"""Server time of pages, lists and figures: in process, through all of the portal's middleware."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from types import FrameType
from typing import Any

from django.db import connection
from django.test import Client
from django.utils import timezone

from meetings.models import Attendee, ClientEvent, Meeting
from portal.access.models import User
from portal.failures.models import Failure
from portal.inbox.models import Delivery
from portal.keyset import OLDER, Cursor

_TIMES = 7


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    url: str
    sort: str  # "page", "list" or "attendee": they have different bars


@dataclass(slots=True)
class Watch:
    """How long the statements of one request took, by the function of ours that asked."""

    by_caller: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    statements: int = 0

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.statements += 1
            self.by_caller[_caller()] += (time.perf_counter() - begun) * 1000


def measure() -> Iterator[dict[str, Any]]:
    """One row for each address: its name, sort, ms, and ms of what the database was asked."""
    person, _ = User.objects.get_or_create(
        username="bench", defaults={"is_superuser": True, "is_staff": True}
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    for address in addresses():
        yield _measured(client, address)


def addresses() -> Iterator[Address]:
    yield Address("overview", "/admin/", "page")
    for period in ("1h", "24h", "7d", "30d"):
        yield Address(f"dashboard, {period}", f"/admin/meetings/?range={period}", "page")
    for what in ("browser=Chrome", "sdk_version=3.31.0", "region=eu-central-1"):
        url = f"/admin/meetings/?range=30d&{what}"
        yield Address(f"dashboard, 30d, {what}", url, "page")

    meeting = Meeting.objects.order_by("-last_event_at")[9]
    attendee = Attendee.objects.order_by("-last_event_at")[99]
    failure = Failure.objects.order_by("-occurrences").first()
    delivery = Delivery.objects.order_by("-received_at")[99]
    yield Address("meeting", meeting.get_absolute_url(), "page")
    yield Address("attendee", attendee.get_absolute_url(), "attendee")
    yield Address("doors", "/admin/doors/", "page")
    if failure:
        yield Address("one failure, 24h", f"{failure.get_absolute_url()}?range=24h", "page")
        yield Address("one failure, 30d", f"{failure.get_absolute_url()}?range=30d", "page")
    yield Address("one delivery", f"/admin/inbox/delivery/{delivery.pk}/change/", "page")

    yield from _lists("meetings", "/admin/meetings/all/", Meeting, "last_event_at", _MEETINGS)
    yield from _lists("attendees", "/admin/meetings/attendees/", Attendee, "last_event_at", _PEOPLE)
    yield from _lists(
        "client events", "/admin/meetings/events/", ClientEvent, "happened_at", _EVENTS
    )
    deliveries = "/admin/inbox/delivery/"
    yield Address("deliveries", deliveries, "list")
    yield Address("deliveries, waiting", f"{deliveries}?state__exact=waiting", "list")
    yield Address("deliveries, page 20", f"{deliveries}?p=20", "list")
    yield Address("quarantine", "/admin/inbox/quarantine/", "list")
    for period in ("24h", "30d"):
        yield Address(f"failures, {period}", f"/admin/failures/?range={period}", "list")
    search = "/admin/failures/?range=30d&q=permission"
    yield Address("failures, 30d, searched", search, "list")
    yield Address("API: meetings", "/api/v1/meetings/", "list")
    yield Address("API: events", "/api/v1/events/", "list")
    yield Address("search for an attendee", f"/admin/search/?q={attendee.external_id}", "page")


# The last of each matches nothing: the worst that can be asked of a list.
_MEETINGS = ("region=eu-central-1", "failed=1", "browser=Safari", "sdk_version=1.0.0")
_PEOPLE = ("outcome=dropped", "failed=1", "browser=Safari", "sdk_version=1.0.0")
_EVENTS = (
    "name=meetingFailed",
    "failed=1&browser=Safari",
    "name=meetingStartSucceeded&sdk_version=2.26.0",
    "q=permission",
    "sdk_version=1.0.0",
)


def _lists(
    name: str, url: str, model: type[Any], column: str, filters: tuple[str, ...]
) -> Iterator[Address]:
    for period in ("24h", "30d"):
        yield Address(f"{name}, {period}", f"{url}?range={period}", "list")
        for chosen in filters:
            yield Address(f"{name}, {period}, {chosen}", f"{url}?range={period}&{chosen}", "list")
    for period, back in (("24h", timedelta(hours=12)), ("30d", timedelta(days=5))):
        moment = timezone.now() - back
        cursor = Cursor(OLDER, moment, 2**62).encode()
        if model._default_manager.filter(**{f"{column}__lt": moment}).exists():
            where = f"{url}?range={period}&after={cursor}"
            yield Address(f"{name}, {period}, deep in it", where, "list")


def _measured(client: Client, address: Address) -> dict[str, Any]:
    runs, watches = [], []
    for number in range(_TIMES + 1):
        with _watched() as watch:
            begun = time.perf_counter()
            response = client.get(address.url)
            spent = (time.perf_counter() - begun) * 1000
        if response.status_code not in {200, 302}:  # a search that finds one thing leads there
            raise RuntimeError(f"{address.url}: {response.status_code}")
        if number:  # the first one fills what is cached
            runs.append(spent)
            watches.append(watch)
    figures = {
        caller: median(watch.by_caller.get(caller, 0.0) for watch in watches)
        for caller in watches[-1].by_caller
    }
    return {
        "name": address.name,
        "sort": address.sort,
        "ms": median(runs),
        "most": max(runs),
        "statements": watches[-1].statements,
        "figures": figures,
    }


@contextmanager
def _watched() -> Iterator[Watch]:
    watch = Watch()
    with connection.execute_wrapper(watch):
        yield watch


def _caller() -> str:
    """The function of the portal that asked, those of the dashboard's figures before all others."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the standard library's own way
    nearest = ""
    while frame is not None:
        module: str = frame.f_globals.get("__name__", "")
        name = f"{module}.{frame.f_code.co_name}"
        if module.startswith(("meetings.dashboard", "meetings.rollups")):
            if not frame.f_code.co_name.startswith("_"):
                return name
            nearest = nearest or name
        elif not nearest and module.startswith(("meetings.", "portal.")):
            nearest = name
        frame = frame.f_back
    return nearest or "Django"
