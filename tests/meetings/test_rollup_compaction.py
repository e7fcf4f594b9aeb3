"""Bringing roll-ups together while drains go on, and counting them anew by the command."""

import json
import random
import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from meetings import dashboard
from meetings.dashboard import ClientChoice
from meetings.models import ClientEvent
from meetings.rollups import compactor, kinds
from meetings.rollups.models import (
    ClientKind,
    RollupCell,
    RollupDirty,
    RollupStale,
    RollupSum,
    RollupTrouble,
)
from portal.inbox.drain import drain_once
from portal.inbox.models import Delivery
from portal.inbox.services import Envelope, store
from portal.timerange import TimeRange
from tests.inbox.sending import array
from tests.meetings import dashboard_reference as reference
from tests.meetings.factories import (
    CHROME,
    FIREFOX,
    IPHONE,
    joined,
    make_client,
    minutes_ago,
    post,
    shut_out,
    thrown_out,
    told,
)

EVERYONE = ClientChoice()
REBUILD = ("rollups", "rebuild")


def last_day() -> TimeRange:
    return TimeRange.preset("24h")


def cells() -> set[tuple[Any, ...]]:
    """All cells that are not empty, each added up."""
    columns = [one.name for one in RollupCell._meta.fields if one.name.endswith("ed")]
    people = [one.name for one in RollupCell._meta.fields if one.name.startswith("people_")]
    sums = {name: Sum(name) for name in (*columns, *people)}
    rows = RollupCell.objects.values_list("bucket", "kind", "region").annotate(**sums)
    return {row for row in rows if any(row[3:])}


def compact_everything() -> None:
    while compactor.compact():
        pass


def make_sums() -> None:
    """As if nothing had come in for a while."""
    compact_everything()
    compactor.compact(now=timezone.now() + timedelta(days=2))


@pytest.mark.django_db
def test_new_cells_become_one_and_figures_stay() -> None:
    for number in range(5):
        post(joined(minutes_ago(60), attendee=f"a-{number}", start_ms=1000 + number))
    before = dashboard.read(last_day(), EVERYONE).now

    compact_everything()

    assert not RollupCell.objects.filter(is_new=True).exists()
    assert RollupCell.objects.count() <= 2
    assert dashboard.read(last_day(), EVERYONE).now == before


@pytest.mark.django_db
def test_a_late_event_counts_at_once_and_in_the_sums_later() -> None:
    post(joined(minutes_ago(60 * 20), attendee="a-1"))
    make_sums()
    assert RollupSum.objects.exists()

    post(joined(minutes_ago(60 * 20), attendee="a-2"))
    at_once = dashboard.read(last_day(), EVERYONE).now.requested.times
    compactor.compact()
    meanwhile = dashboard.read(last_day(), EVERYONE).now.requested.times
    make_sums()

    assert not RollupStale.objects.exists()
    in_the_end = dashboard.read(last_day(), EVERYONE).now.requested.times
    assert (at_once, meanwhile, in_the_end) == (2, 2, 2)


@pytest.mark.django_db
def test_who_turns_out_to_be_a_bot_counts_no_more() -> None:
    post(thrown_out(minutes_ago(60), attendee="a-1", person=None))
    compact_everything()

    post([told("appStateChanged", minutes_ago(50), attendee="a-1", person="aws:recorder")])

    assert dashboard.read(last_day(), EVERYONE).now.is_empty
    compact_everything()
    assert dashboard.read(last_day(), EVERYONE).now.is_empty
    assert not RollupDirty.objects.exists()
    assert not RollupTrouble.objects.exists()


@pytest.mark.django_db
def test_a_region_that_is_told_later_counts_for_what_was_before() -> None:
    post(thrown_out(minutes_ago(60), attendee="a-1"))
    compact_everything()
    europe = ClientChoice(region="eu-west-1")

    post([told("appStateChanged", minutes_ago(50), attendee="a-2", mediaRegion="eu-west-1")])

    at_once = dashboard.read(last_day(), europe).now
    compact_everything()
    assert at_once == dashboard.read(last_day(), europe).now
    assert (at_once.dropped.times, at_once.dropped.people) == (1, 1)
    assert dashboard.read(last_day(), ClientChoice(region="-")).now.is_empty


@pytest.mark.django_db
def test_a_meeting_that_tells_its_region_from_the_first_makes_nothing_dirty() -> None:
    post(joined(minutes_ago(60), mediaRegion="eu-west-1"))

    assert not RollupDirty.objects.exists()


@pytest.mark.django_db
def test_a_fuller_copy_moves_an_event_to_the_kind_of_client_that_it_tells() -> None:
    at = minutes_ago(60)
    post([told("meetingFailed", at, client={})])
    compact_everything()

    post([told("meetingFailed", at, client=FIREFOX)])

    board = dashboard.read(last_day(), ClientChoice(browser="Firefox"))
    compact_everything()
    assert (board.now.dropped.times, board.now.dropped.people) == (1, 1)
    assert dashboard.read(last_day(), ClientChoice(sdk="-")).now.is_empty


@pytest.mark.django_db
def test_a_fuller_copy_looks_at_no_other_clients() -> None:
    at = minutes_ago(60)
    post([told("meetingFailed", at, client={})])
    stranger = make_client(sdk_name="of nobody whom this batch tells of")

    post([told("meetingFailed", at, client=FIREFOX)])

    assert not ClientKind.objects.filter(sdk_name=stranger.sdk_name).exists()
    assert RollupTrouble.objects.get().kind.browser_name == "Firefox"


@pytest.mark.django_db
def test_texts_as_long_as_the_columns_take_them_make_a_kind() -> None:
    names = ("sdkName", "sdkVersion", "browserName", "osName", "osVersion")
    draw = random.Random(3)  # noqa: S311 - has to be hard to compress, no more
    client = {
        name: "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(200)) for name in names
    }

    post(thrown_out(minutes_ago(60), client=client))
    compact_everything()

    assert ClientKind.objects.get().os_name == client["osName"]
    assert dashboard.read(last_day(), EVERYONE).now.dropped.times == 1


@pytest.mark.django_db(transaction=True)
def test_kinds_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_MOST_KNOWN", 3)
    clients = [make_client(sdk_name=f"sdk {number}").pk for number in range(9)]

    for pk in clients:
        kinds.of_clients([pk])

    assert len(kinds.of_clients(clients[-1:])) < 5
    assert kinds.of_clients(clients).keys() >= set(clients)


def make_story(number: int) -> list[dict[str, Any]]:
    """Some minutes of one attendee, of whom little is told at first."""
    client = [CHROME, FIREFOX, IPHONE, {}][number % 4]
    who: dict[str, Any] = {
        "meeting": f"m-{number % 5}",
        "attendee": f"a-{number % 13}",
        "client": client,
    }
    at = minutes_ago(20 + 5 * (number % 7)).replace(microsecond=0)
    if number % 11 == 0:
        who["mediaRegion"] = ["eu-west-1", "us-east-1"][number % 2]
    who["person"] = "aws:recorder" if number % 29 == 0 else None
    story = thrown_out if number % 3 else shut_out
    return [
        *story(at, **who),
        told("audioInputFailed", at + timedelta(minutes=number % 6), **who),
    ]


def send(numbers: list[int]) -> None:
    """Each story twice: first without a part of what it tells."""
    for number in numbers:
        story = make_story(number)
        short = [
            {**one, "attributes": {k: v for k, v in one["attributes"].items() if k != "osName"}}
            for one in story
        ]
        store(array(*short), Envelope(door="meetingevents"))
        store(array(*story), Envelope(door="meetingevents"))


@pytest.mark.django_db(transaction=True)
def test_drains_and_compactors_at_once_count_everything_once() -> None:
    numbers = list(range(60))
    random.Random(7).shuffle(numbers)  # noqa: S311 - shuffles a test's input
    send(numbers)
    drained = threading.Event()
    problems: list[BaseException] = []

    def work(loop: Any) -> None:
        try:
            loop()
        except BaseException as error:
            problems.append(error)
            raise
        finally:
            connection.close()

    def drain() -> None:
        while Delivery.objects.waiting().exists():
            drain_once()

    def compact() -> None:
        while not drained.is_set():
            with compactor.only_one() as is_chosen:
                if is_chosen:
                    compactor.compact()

    def rebuild() -> None:
        while not drained.is_set():
            call_command(*REBUILD, stdout=StringIO())

    drains = [threading.Thread(target=work, args=[drain]) for _ in range(3)]
    others = [threading.Thread(target=work, args=[loop]) for loop in (compact, compact, rebuild)]
    for thread in (*drains, *others):
        thread.start()
    for thread in drains:
        thread.join()
    drained.set()
    for thread in others:
        thread.join()
    compact_everything()

    kept = cells()
    call_command(*REBUILD, stdout=StringIO())
    assert not problems
    assert kept == cells()
    found = dashboard.read(last_day(), EVERYONE).now
    expected = reference.totals(last_day(), EVERYONE)
    assert (found.requested, found.dropped) == (expected.requested, expected.dropped)
    assert (found.failed, found.audio_failed) == (expected.failed, expected.audio_failed)
    assert found.requested.times > 0


@pytest.mark.django_db
def test_the_command_counts_anew_what_was_lost() -> None:
    post(thrown_out(minutes_ago(60)))
    before = dashboard.read(last_day(), EVERYONE).now
    RollupCell.objects.all().delete()
    RollupTrouble.objects.all().delete()
    answer = StringIO()

    call_command(*REBUILD, "--json", stdout=answer)

    assert json.loads(answer.getvalue())["buckets"] >= 1
    assert dashboard.read(last_day(), EVERYONE).now == before


@pytest.mark.django_db
def test_the_command_counts_only_the_time_that_is_named() -> None:
    post(thrown_out(minutes_ago(60 * 5)) + thrown_out(minutes_ago(60 * 2), attendee="a-2"))
    RollupCell.objects.all().delete()

    call_command(*REBUILD, "--from", minutes_ago(60 * 3).isoformat(), stdout=StringIO())

    assert dashboard.read(last_day(), EVERYONE).now.dropped.times == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments", [["--from", "soon"], ["--from", "2026-02-02", "--to", "2026-01-01"]]
)
def test_the_command_says_what_is_wrong_with_a_time(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"must look like|must be before"):
        call_command(*REBUILD, *arguments)


@pytest.mark.django_db
def test_without_any_fact_there_is_nothing_to_count() -> None:
    answer = StringIO()

    call_command(*REBUILD, "--json", stdout=answer)

    assert json.loads(answer.getvalue()) == {"buckets": 0}


@pytest.mark.django_db
def test_figures_older_than_their_events_are_never_counted_anew(settings: Any) -> None:
    settings.RETENTION_EVENTS_DAYS = 2
    four_days = 4 * 24 * 60
    post(thrown_out(minutes_ago(four_days), attendee="old"), received_at=minutes_ago(four_days - 5))
    post(joined(minutes_ago(60), attendee="young"))
    compact_everything()
    before = cells()
    week = dashboard.read(TimeRange.preset("7d"), EVERYONE).now
    ClientEvent.objects.filter(happened_at__lt=minutes_ago(3 * 24 * 60)).delete()

    call_command(*REBUILD)
    call_command(*REBUILD, "--from", f"{minutes_ago(5 * 24 * 60):%Y-%m-%dT%H:%M}")
    RollupDirty.objects.bulk_create(RollupDirty(bucket=bucket) for bucket, *_ in before)
    at_once = dashboard.read(TimeRange.preset("7d"), EVERYONE).now
    compact_everything()

    assert not RollupDirty.objects.exists()
    assert cells() == before
    assert at_once == week == dashboard.read(TimeRange.preset("7d"), EVERYONE).now
    assert (week.requested.times, week.dropped.people) == (2, 1)
