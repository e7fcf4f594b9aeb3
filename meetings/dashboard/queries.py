"""Every query of the dashboard. People only: the events of bots (`aws:` users) never count."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from meetings import vocabulary
from meetings.dashboard.shapes import (
    Bucket,
    Choices,
    ClientChoice,
    DeviceTrouble,
    Durations,
    Freshness,
    Heard,
    Live,
    Period,
    Share,
    Shares,
    StartDurations,
    Tally,
    Trend,
)
from meetings.models import Attendee, Client, ClientEvent, Meeting
from meetings.presence import SILENT_FOR
from portal.inbox.models import Delivery
from portal.listing import counted
from portal.timerange import TimeRange

SHORTEST_STEP = timedelta(seconds=300)  # as the percentiles of the CloudWatch dashboard
MOST_POINTS = 300
# The first event of a period that is compared with comes within this share of it.
_EARLY = 0.2
_TREND_POINTS = 48
_MOST_SDKS = 5
_MOST_SHARES = {"sdk": 50, "version": 50, "browser": 10, "system": 10}
_MOST_CHOICES = 300

_COUNTED = [
    vocabulary.JOIN_REQUESTED,
    vocabulary.JOIN_SUCCEEDED,
    vocabulary.JOIN_FAILED,
    vocabulary.DROPPED,
    vocabulary.AUDIO_FAILED,
    vocabulary.VIDEO_FAILED,
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Names first: the index on (name, happened_at) then yields the rows of the period alone.
_EVENTS = """
    FROM meetings_clientevent e
    JOIN meetings_eventname n ON n.id = e.name_id
    JOIN meetings_attendee a ON a.id = e.attendee_id
    JOIN meetings_client c ON c.id = e.client_id
    WHERE n.value = ANY(%(names)s)
        AND e.happened_at >= %(start)s AND e.happened_at < %(end)s
        AND NOT a.is_bot
        AND {clients}
"""
_STARTED = "(WHERE n.value = 'meetingStartSucceeded' AND e.start_duration_ms > 0)"
_PERCENTILES = f"""
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY e.start_duration_ms)
        FILTER {_STARTED}
"""
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
            {"names": _COUNTED, **parameters, **chosen},
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


_TOTALS = f"""
    SELECT e.happened_at >= %(middle)s, n.value, count(*), count(DISTINCT e.attendee_id),
        {_PERCENTILES}
    {_EVENTS}
    GROUP BY 1, 2
"""

_SHUT_OUT = """
    SELECT count(*) FILTER (WHERE a.last_event_at >= %(middle)s),
        count(*) FILTER (WHERE a.first_event_at < %(middle)s),
        EXISTS (SELECT FROM meetings_clientevent WHERE happened_at < %(early)s)
    FROM meetings_attendee a
    LEFT JOIN meetings_client c ON c.id = a.client_id
    WHERE a.last_event_at >= %(start)s AND a.first_event_at < %(end)s
        AND a.outcome = 'failed' AND NOT a.is_bot AND {clients}
"""


def totals(period: TimeRange, clients: ClientChoice) -> tuple[Period, Period]:
    """Totals of the period and of the one before, of the same length. Two queries.

    Counted are events: an attendee who tries three times makes three attempts.
    """
    before = period.before
    found: dict[tuple[bool, str], tuple[Tally, list[float] | None]] = {}
    bounds = {"start": before.start, "middle": period.start, "end": period.end}
    for is_now, name, times, people, percentiles in _rows(_TOTALS, clients, **bounds):
        found[is_now, name] = (Tally(times, people), percentiles)
    early = before.start + before.span * _EARLY
    [(shut_out, shut_out_before, is_whole)] = _rows(_SHUT_OUT, clients, **bounds, early=early)

    def period_of(is_now: bool, people_shut_out: int, *, is_whole: bool) -> Period:
        def tally(name: str) -> Tally:
            return found.get((is_now, name), (Tally(), None))[0]

        _, percentiles = found.get((is_now, vocabulary.JOIN_SUCCEEDED), (None, None))
        p50, p95 = percentiles or (None, None)
        return Period(
            requested=tally(vocabulary.JOIN_REQUESTED),
            succeeded=tally(vocabulary.JOIN_SUCCEEDED),
            failed=tally(vocabulary.JOIN_FAILED),
            dropped=tally(vocabulary.DROPPED),
            audio_failed=tally(vocabulary.AUDIO_FAILED),
            video_failed=tally(vocabulary.VIDEO_FAILED),
            start_p50_ms=p50,
            start_p95_ms=p95,
            shut_out=people_shut_out,
            is_whole=is_whole,
        )

    return (
        period_of(True, shut_out, is_whole=True),
        period_of(False, shut_out_before, is_whole=is_whole),
    )


_TREND = f"""
    SELECT date_bin(%(step)s, e.happened_at, %(origin)s),
        count(*) FILTER (WHERE n.value = 'meetingStartSucceeded'),
        count(*) FILTER (WHERE n.value = 'meetingStartFailed'),
        count(*) FILTER (WHERE n.value = 'meetingFailed'),
        count(*) FILTER (WHERE n.value = 'audioInputFailed'),
        count(*) FILTER (WHERE n.value = 'videoInputFailed'),
        {_PERCENTILES}
    {_EVENTS}
    GROUP BY 1
"""


def trend(period: TimeRange, clients: ClientChoice) -> Trend:
    """The tiles' figures in about fifty buckets, for sparklines and the success rate over time."""
    step = max(period.step(_TREND_POINTS), timedelta(seconds=10))
    moments = _moments(period, step)
    buckets: dict[datetime, Bucket] = {}
    for row in _rows(_TREND, clients, **_bounds(period, step)):
        moment, succeeded, failed, dropped, audio_failed, video_failed, percentiles = row
        p50, p95 = percentiles or (None, None)
        buckets[moment] = Bucket(succeeded, failed, dropped, audio_failed, video_failed, p50, p95)
    return Trend(moments, step, [buckets.get(moment) for moment in moments])


_DURATIONS = f"""
    SELECT date_bin(%(step)s, e.happened_at, %(origin)s), c.sdk_name, count(*), {_PERCENTILES}
    {_EVENTS} AND e.start_duration_ms > 0
    GROUP BY GROUPING SETS ((1, 2), (2))
"""


def start_durations(period: TimeRange, clients: ClientChoice) -> StartDurations:
    """p50 and p95 of meetingStartDurationMs for each SDK, in buckets of at least 300 s.

    As the original counts it: attempts that succeeded and told a duration above zero. The bucket
    grows with the period, so that about 100 points are drawn at most. The five busiest SDKs.
    """
    step = max(period.step(MOST_POINTS), SHORTEST_STEP)
    moments = _moments(period, step)
    rows = _rows(
        _DURATIONS, clients, **_bounds(period, step) | {"names": [vocabulary.JOIN_SUCCEEDED]}
    )
    # Rows without a moment are of the whole period.
    weights = {sdk: count for moment, sdk, count, _ in rows if moment is None}
    points = {(sdk, moment): percentiles for moment, sdk, _, percentiles in rows}
    busiest = sorted(weights, key=lambda sdk: (-weights[sdk], sdk))[:_MOST_SDKS]
    return StartDurations(
        moments,
        step,
        [
            Durations(
                sdk,
                [points.get((sdk, moment), (None, None))[0] for moment in moments],
                [points.get((sdk, moment), (None, None))[1] for moment in moments],
                *points[sdk, None],
            )
            for sdk in busiest
        ],
    )


def _bounds(period: TimeRange, step: timedelta) -> dict[str, Any]:
    return {"start": period.start, "end": period.end, "step": step, "origin": _EPOCH}


def _moments(period: TimeRange, step: timedelta) -> list[datetime]:
    """Starts of the buckets, on round UTC times; the first may lie before the period."""
    moment = _EPOCH + (period.start - _EPOCH) // step * step
    found = []
    while moment < period.end:
        found.append(moment)
        moment += step
    return found


def _shares_of(kind: str, name: str, version: str, condition: str = "true") -> str:
    return f"""
        (SELECT '{kind}', {name}, {version}, sum(requested), sum(succeeded), sum(failed)
        FROM used WHERE {condition}
        GROUP BY 2, 3 HAVING sum(requested) > 0
        ORDER BY 4 DESC, 2, 3 LIMIT {_MOST_SHARES[kind]})
    """  # noqa: S608 - parts of our own, values are parameters


_SHARES = f"""
    WITH used AS (
        SELECT c.platform, c.sdk_name, c.sdk_version, c.browser_name, c.browser_major, c.os_name,
            count(*) FILTER (WHERE n.value = 'meetingStartRequested') AS requested,
            count(*) FILTER (WHERE n.value = 'meetingStartSucceeded') AS succeeded,
            count(*) FILTER (WHERE n.value = 'meetingStartFailed') AS failed
        {_EVENTS}
        GROUP BY 1, 2, 3, 4, 5, 6
    )
    {_shares_of("sdk", "sdk_name", "''")}
    UNION ALL
    {_shares_of("version", "sdk_name", "sdk_version")}
    UNION ALL
    {_shares_of("browser", "browser_name", "browser_major", "platform = 'JavaScript'")}
    UNION ALL
    {_shares_of("system", "os_name", "''")}
"""
_ATTEMPTS = [vocabulary.JOIN_REQUESTED, vocabulary.JOIN_SUCCEEDED, vocabulary.JOIN_FAILED]


def shares(period: TimeRange, clients: ClientChoice) -> Shares:
    """Attempts to join (meetingStartRequested) by SDK, its version, browser and system.

    Browsers are those of JavaScript clients, with their major version. All but SDKs: top ten.
    """
    found: dict[str, list[Share]] = {kind: [] for kind in _MOST_SHARES}
    rows = _rows(_SHARES, clients, names=_ATTEMPTS, start=period.start, end=period.end)
    for kind, name, version, *counts in rows:
        found[kind].append(Share(name, version, *(int(count) for count in counts)))
    return Shares(found["sdk"], found["version"], found["browser"], found["system"])


_DEVICE_TROUBLE = f"""
    SELECT c.browser_name, c.browser_major, count(*), count(DISTINCT e.attendee_id)
    {_EVENTS} AND c.platform = 'JavaScript'
    GROUP BY 1, 2
    ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT 10
"""


def device_trouble(period: TimeRange, clients: ClientChoice) -> list[DeviceTrouble]:
    """Browsers by how many attendees could not use a microphone or camera in them: the top ten."""
    names = [vocabulary.AUDIO_FAILED, vocabulary.VIDEO_FAILED]
    rows = _rows(_DEVICE_TROUBLE, clients, names=names, start=period.start, end=period.end)
    return [DeviceTrouble(*row) for row in rows]


def heard(period: TimeRange) -> Heard:
    """As the lists of meetings and of attendees count them, without bots. Two queries."""
    bounds = {"last_event_at__gte": period.start, "first_event_at__lt": period.end}
    meetings = Meeting.objects.filter(**bounds)
    people = Attendee.objects.filter(**bounds, is_bot=False)
    return Heard(counted(meetings), counted(people))


def newest(
    names: Sequence[str], period: TimeRange, clients: ClientChoice, *, most: int
) -> list[ClientEvent]:
    """The newest events of these names, with what a row of a table shows."""
    events = ClientEvent.objects.named(*names).by_people().between(period.start, period.end)
    if lookups := _lookups(clients):
        events = events.filter(client__in=Client.objects.filter(**lookups))
    if clients.region:
        events = events.filter(meeting__media_region=clients.values["region"])
    return list(events.with_everything().newest_first()[:most])


def _lookups(clients: ClientChoice) -> dict[str, str]:
    """What is chosen of the client itself."""
    return {
        _COLUMNS[name].removeprefix("c."): value
        for name, value in clients.values.items()
        if name != "region"
    }


def live() -> Live:
    """Meetings with people in them who were heard of in the last day, and how many people."""
    meetings = Meeting.objects.live(since=timezone.now() - SILENT_FOR)
    found = meetings.aggregate(meetings=Count("pk"), people=Sum("present_count"))
    return Live(found["meetings"], found["people"] or 0)


def freshness(doors: Sequence[str]) -> Freshness:
    """When the last body of these doors came, and how long the drain's next one has waited."""
    now = timezone.now()
    received = (
        Delivery.objects.filter(door__in=doors)
        .order_by("-received_at")
        .values_list("received_at", flat=True)
    )
    return Freshness(received.first(), Delivery.objects.all().oldest_waiting_age(now=now), now)


_CHOICES = f"""
    (SELECT DISTINCT 'sdk', sdk_name, '' FROM meetings_client WHERE sdk_name <> ''
        ORDER BY 2 LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'version', sdk_version, '' FROM meetings_client WHERE sdk_version <> ''
        ORDER BY 2 DESC LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'browser', browser_name, browser_major FROM meetings_client
        WHERE browser_name <> '' ORDER BY 2, 3 DESC LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'system', os_name, '' FROM meetings_client WHERE os_name <> ''
        ORDER BY 2 LIMIT {_MOST_CHOICES})
    UNION ALL
    (SELECT DISTINCT 'region', media_region, '' FROM meetings_meeting WHERE media_region <> ''
        ORDER BY 2 LIMIT {_MOST_CHOICES})
"""  # noqa: S608 - a number of ours


def choices() -> Choices:
    """What there is to choose from in the filters. One query on the small table of clients."""
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in (*_MOST_SHARES, "region")}
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
