"""What the dashboard asks of rows: people, newest events, what is going on. Each by an index.

People only: the events of bots (`aws:` users) never count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from meetings.dashboard.shapes import Choices, ClientChoice, Heard, Live
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.presence import SILENT_FOR
from meetings.rollups.cover import Stretch
from portal.inbox.models import Delivery
from portal.listing import counted
from portal.timerange import TimeRange

_MOST_CHOICES = 300
_OFFERED = ("sdk", "version", "browser", "system", "region")

_COLUMNS = {
    "platform": "c.platform",
    "sdk": "c.sdk_name",
    "sdk_version": "c.sdk_version",
    "browser": "c.browser_name",
    "browser_major": "c.browser_major",
    "os": "c.os_name",
    "os_version": "c.os_version",
    "region": "(SELECT m.media_region FROM meetings_meeting m WHERE m.id = a.meeting_id)",
}


def _rows(statement: str, clients: ClientChoice, **parameters: Any) -> list[tuple[Any, ...]]:
    conditions = [f"{_COLUMNS[name]} = %(client_{name})s" for name in clients.query]
    chosen = {f"client_{name}": value for name, value in clients.values.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            statement.replace("{clients}", " AND ".join(conditions) or "true"),
            {**parameters, **chosen},
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


_SHUT_OUT = """
    SELECT count(*) FILTER (WHERE a.last_event_at >= %(middle)s),
        count(*) FILTER (WHERE a.first_event_at < %(middle)s),
        EXISTS (SELECT FROM meetings_clientevent WHERE happened_at < %(early)s)
    FROM meetings_attendee a
    LEFT JOIN meetings_client c ON c.id = a.client_id
    WHERE a.last_event_at >= %(start)s AND a.first_event_at < %(end)s
        AND a.outcome = 'failed' AND NOT a.is_bot AND {clients}
"""
# The first event of a period that is compared with comes within this share of it.
_EARLY = 0.2


@dataclass(frozen=True, slots=True)
class ShutOut:
    """People who never got in, of the period and of the one before.

    `is_whole`: events came in already before the period before, or at its very start.
    """

    now: int
    before: int
    is_whole: bool


def shut_out(period: TimeRange, clients: ClientChoice) -> ShutOut:
    before = period.before
    [row] = _rows(
        _SHUT_OUT,
        clients,
        start=before.start,
        middle=period.start,
        end=period.end,
        early=before.start + before.span * _EARLY,
    )
    return ShutOut(*row)


def heard(period: TimeRange) -> Heard:
    """As the lists of meetings and of attendees count them, without bots. Two queries."""
    bounds = {"last_event_at__gte": period.start, "first_event_at__lt": period.end}
    meetings = Meeting.objects.filter(**bounds)
    people = Attendee.objects.filter(**bounds, is_bot=False)
    return Heard(counted(meetings), counted(people))


_NEWEST = """
    SELECT list, id, happened_at, client_ms FROM (
        SELECT wanted.list, e.id, e.happened_at, e.client_ms, row_number() OVER (
            PARTITION BY wanted.list ORDER BY e.happened_at DESC, e.id DESC) AS place
        FROM unnest(%(lists)s::text[], %(names)s::text[], %(starts)s::timestamptz[],
            %(ends)s::timestamptz[]) AS wanted (list, name, first, last)
        JOIN meetings_eventname n ON n.value = wanted.name
        CROSS JOIN LATERAL (
            SELECT * FROM meetings_clientevent event
            WHERE event.name_id = n.id
                AND event.happened_at >= wanted.first AND event.happened_at < wanted.last
            OFFSET 0
        ) AS e
        JOIN meetings_client c ON c.id = e.client_id
        JOIN LATERAL (
            SELECT * FROM meetings_attendee one WHERE one.id = e.attendee_id OFFSET 0
        ) AS a ON NOT a.is_bot
        WHERE {clients}
    ) AS found
    WHERE place <= %(most)s
    ORDER BY list, place
"""


class Wanted(NamedTuple):
    """Events of these names, to be looked for in these stretches of time."""

    list: str
    names: Sequence[str]
    stretches: Sequence[Stretch]


def newest(
    wanted: Sequence[Wanted], period: TimeRange, clients: ClientChoice, *, most: int
) -> dict[str, list[ClientEvent]]:
    """The newest events of each list, with what a row of a table shows. Two queries.

    The roll-ups know where to look: else, for a client that is rare, it would be everywhere.
    """
    found: dict[str, list[ClientEvent]] = {one.list: [] for one in wanted}
    places = [
        (one.list, name, max(stretch.start, period.start), min(stretch.end, period.end))
        for one in wanted
        for name in one.names
        for stretch in one.stretches
    ]
    if not places:
        return found
    lists, names, starts, ends = (list(column) for column in zip(*places, strict=True))
    keys = _rows(_NEWEST, clients, lists=lists, names=names, starts=starts, ends=ends, most=most)
    # By its time as well: the number alone has no index, and the client's time says which
    # partition has it.
    events = ClientEvent.objects.filter(
        pk__in=[key[1] for key in keys],
        happened_at__in={key[2] for key in keys},
        client_ms__in={key[3] for key in keys},
    )
    rows = {event.pk: event for event in events.with_everything()} if keys else {}
    for name, pk, _, _ in keys:
        found[name].append(rows[pk])
    return found


def live() -> Live:
    """Meetings with people in them who were heard of in the last day, and how many people."""
    meetings = Meeting.objects.live(since=timezone.now() - SILENT_FOR)
    found = meetings.aggregate(meetings=Count("pk"), people=Sum("present_count"))
    return Live(found["meetings"], found["people"] or 0)


def last_received_at(doors: Sequence[str]) -> datetime | None:
    """When the last body of these doors came."""
    received = (
        Delivery.objects.filter(door__in=doors)
        .order_by("-received_at")
        .values_list("received_at", flat=True)
    )
    return received.first()


# Regions are few and meetings are many: from one region to the next by the index.
_CHOICES = f"""
    WITH RECURSIVE region (name) AS (
        SELECT min(media_region::text) FROM meetings_meeting WHERE media_region <> ''
        UNION ALL
        SELECT (
            SELECT min(media_region::text) FROM meetings_meeting
            WHERE media_region <> '' AND media_region > region.name
        )
        FROM region WHERE region.name IS NOT NULL
    )
    (SELECT DISTINCT 'sdk', sdk_name, '' FROM meetings_clientkind WHERE sdk_name <> ''
        ORDER BY 2 LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'version', sdk_version, '' FROM meetings_clientkind WHERE sdk_version <> ''
        ORDER BY 2 DESC LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'browser', browser_name, browser_major FROM meetings_clientkind
        WHERE browser_name <> '' ORDER BY 2, 3 DESC LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'system', os_name, '' FROM meetings_clientkind WHERE os_name <> ''
        ORDER BY 2 LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT 'region', name, '' FROM region WHERE name IS NOT NULL LIMIT {_MOST_CHOICES})
"""  # noqa: S608 - a number of ours


def choices() -> Choices:
    """What there is to choose from in the filters. One query on the small table of clients."""
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in _OFFERED}
    with connection.cursor() as cursor:
        cursor.execute(_CHOICES)
        for kind, name, version in cursor.fetchall():
            found[kind].append((name, version))
    return Choices(
        sdks=[name for name, _ in found["sdk"]],
        versions=[name for name, _ in found["version"]],
        browsers=found["browser"],
        systems=[name for name, _ in found["system"]],
        regions=[name for name, _ in found["region"]],
    )


def troubled_now(*, most: int) -> list[Meeting]:
    """Meetings going on in which somebody could not join, dropped out or lacks a device."""
    trouble = Q(failed_count__gt=0) | Q(dropped_count__gt=0) | Q(device_failed_count__gt=0)
    meetings = Meeting.objects.live(since=timezone.now() - SILENT_FOR).filter(trouble)
    return list(meetings.order_by("-last_event_at", "-id")[:most])
