"""The dashboard's figures as slow queries over all facts tell them: what they are held against."""

from datetime import timedelta
from typing import Any

from django.db import connection

from meetings import vocabulary
from meetings.dashboard.shapes import (
    Bucket,
    ClientChoice,
    DeviceTrouble,
    Period,
    Share,
    Shares,
    Tally,
    Trend,
)
from portal.timerange import TimeRange

_COUNTED = [
    vocabulary.JOIN_REQUESTED,
    vocabulary.JOIN_SUCCEEDED,
    vocabulary.JOIN_FAILED,
    vocabulary.DROPPED,
    vocabulary.AUDIO_FAILED,
    vocabulary.VIDEO_FAILED,
]
_TROUBLE = {vocabulary.DROPPED, vocabulary.AUDIO_FAILED, vocabulary.VIDEO_FAILED}

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
_PERCENTILES = """
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY e.start_duration_ms)
        FILTER (WHERE n.value = 'meetingStartSucceeded' AND e.start_duration_ms > 0)
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
    SELECT n.value, count(*), count(DISTINCT e.attendee_id), {_PERCENTILES} {_EVENTS} GROUP BY 1
"""
_SHUT_OUT = """
    SELECT count(*) FROM meetings_attendee a LEFT JOIN meetings_client c ON c.id = a.client_id
    WHERE a.last_event_at >= %(start)s AND a.first_event_at < %(end)s
        AND a.outcome = 'failed' AND NOT a.is_bot AND {clients}
"""


def totals(period: TimeRange, clients: ClientChoice, *, people: bool = True) -> Period:
    """As the dashboard has them, except for `is_whole`."""
    bounds = {"start": period.start, "end": period.end}
    found = {name: told for name, *told in _rows(_TOTALS, clients, **bounds)}

    def tally(name: str) -> Tally:
        times, heard, _ = found.get(name, (0, 0, None))
        return Tally(times, heard if people and name in _TROUBLE else 0)

    _, _, percentiles = found.get(vocabulary.JOIN_SUCCEEDED, (0, 0, None))
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
        shut_out=_rows(_SHUT_OUT, clients, **bounds)[0][0],
    )


_TREND = f"""
    SELECT date_bin(%(step)s, e.happened_at, '1970-01-01Z'),
        count(*) FILTER (WHERE n.value = 'meetingStartSucceeded'),
        count(*) FILTER (WHERE n.value = 'meetingStartFailed'),
        count(*) FILTER (WHERE n.value = 'meetingFailed'),
        count(*) FILTER (WHERE n.value = 'audioInputFailed'),
        count(*) FILTER (WHERE n.value = 'videoInputFailed'),
        {_PERCENTILES}
    {_EVENTS}
    GROUP BY 1
"""


def trend(period: TimeRange, clients: ClientChoice, like: Trend) -> list[Bucket | None]:
    """In the same stretches as the other."""
    bounds = {"start": period.start, "end": period.end, "step": like.step}
    rows = _rows(_TREND, clients, **bounds)
    buckets = {
        moment: Bucket(*counts, *(percentiles or (None, None)))
        for moment, *counts, percentiles in rows
    }
    assert set(buckets) <= set(like.moments)
    return [buckets.get(moment) for moment in like.moments]


_DURATIONS = f"""
    SELECT c.sdk_name, date_bin(%(step)s, e.happened_at, '1970-01-01Z'), {_PERCENTILES}
    {_EVENTS} AND n.value = 'meetingStartSucceeded' AND e.start_duration_ms > 0
    GROUP BY GROUPING SETS ((1, 2), (1))
"""


def start_durations(
    period: TimeRange, clients: ClientChoice, step: timedelta
) -> dict[tuple[str, Any], list[float]]:
    """By SDK and moment; those of the whole period have None for a moment."""
    bounds = {"start": period.start, "end": period.end, "step": step}
    return {(sdk, moment): told for sdk, moment, told in _rows(_DURATIONS, clients, **bounds)}


def _shares_by(name: str, version: str, most: int, condition: str = "true") -> str:
    return f"""
        SELECT {name}, {version},
            count(*) FILTER (WHERE n.value = 'meetingStartRequested') AS requested,
            count(*) FILTER (WHERE n.value = 'meetingStartSucceeded') AS succeeded,
            count(*) FILTER (WHERE n.value = 'meetingStartFailed') AS failed
        {_EVENTS} AND {condition}
        GROUP BY 1, 2 HAVING count(*) FILTER (WHERE n.value = 'meetingStartRequested') > 0
        ORDER BY 3 DESC, 1, 2 LIMIT {most}
    """


_SHARES = [
    _shares_by("c.sdk_name", "''", 50),
    _shares_by("c.sdk_name", "c.sdk_version", 50),
    _shares_by("c.browser_name", "c.browser_major", 10, "c.platform = 'JavaScript'"),
    _shares_by("c.os_name", "''", 10),
]


def shares(period: TimeRange, clients: ClientChoice) -> Shares:
    bounds = {"start": period.start, "end": period.end}
    return Shares(*([Share(*row) for row in _rows(one, clients, **bounds)] for one in _SHARES))


_DEVICE_TROUBLE = f"""
    SELECT c.browser_name, c.browser_major, count(*), count(DISTINCT e.attendee_id)
    {_EVENTS} AND c.platform = 'JavaScript'
    GROUP BY 1, 2
    ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT 10
"""


def device_trouble(period: TimeRange, clients: ClientChoice) -> list[DeviceTrouble]:
    names = [vocabulary.AUDIO_FAILED, vocabulary.VIDEO_FAILED]
    bounds = {"start": period.start, "end": period.end}
    return [DeviceTrouble(*row) for row in _rows(_DEVICE_TROUBLE, clients, names=names, **bounds)]
