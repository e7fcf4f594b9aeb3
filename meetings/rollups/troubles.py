"""Whom something failed, so that people can be counted as quickly as events."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from meetings.rollups.cover import BUCKET
from meetings.rollups.tallies import COUNTED, KIND_OF_CLIENT, METRICS, PEOPLE, TALLY, TROUBLE
from portal.database.statements import integers, run, texts

_COLUMNS = "attendee_id, meeting_id, kind_id, metric, first_at, last_at, is_simple"
_BUCKET_OF = f"date_bin('{BUCKET} s', {{}}, to_timestamp(0))"
_IS_IN_ONE_BUCKET = f"{_BUCKET_OF.format('first_at')} = {_BUCKET_OF.format('last_at')}"
_METRICS = " ".join(
    f"WHEN '{name}' THEN '{{{','.join(metrics)}}}'::text[]" for name, metrics in TROUBLE.items()
)
_FOLD = f"""
    WITH gone AS (
        DELETE FROM meetings_rolluptrouble WHERE attendee_id = ANY(%(ids)s::bigint[])
        RETURNING {_COLUMNS}
    ),
    told AS (
        SELECT e.attendee_id, e.meeting_id, k.id AS kind_id, metric,
            min(e.happened_at) AS first_at, max(e.happened_at) AS last_at
        FROM meetings_attendee a
        JOIN meetings_clientevent e ON e.attendee_id = a.id AND e.sequence = 0
            AND e.client_ms BETWEEN a.first_client_ms AND a.last_client_ms
        JOIN meetings_eventname n ON n.id = e.name_id AND n.value = ANY(%(names)s::text[])
        JOIN meetings_client c ON c.id = e.client_id
        {KIND_OF_CLIENT}
        CROSS JOIN LATERAL unnest(CASE n.value {_METRICS} END) AS metric
        WHERE a.id = ANY(%(ids)s::bigint[]) AND NOT a.is_bot
        GROUP BY 1, 2, 3, 4
    ),
    added AS (
        INSERT INTO meetings_rolluptrouble ({_COLUMNS})
        SELECT told.*,
            {_IS_IN_ONE_BUCKET} AND count(*) OVER (PARTITION BY attendee_id, metric) = 1
        FROM told
        RETURNING {_COLUMNS}
    ),
    changes AS (
        SELECT *, 1 AS sign FROM added UNION ALL SELECT *, -1 FROM gone
    ),
    counted AS (
        SELECT {_BUCKET_OF.format("first_at")} AS bucket, kind_id, m.media_region,
            {
    ", ".join(
        f"coalesce(sum(sign) FILTER (WHERE metric = '{one}'), 0) AS people_{one}" for one in METRICS
    )
}
        FROM changes JOIN meetings_meeting m ON m.id = meeting_id
        WHERE is_simple
        GROUP BY 1, 2, 3
    )
    INSERT INTO meetings_rollupcell (bucket, kind_id, region, {", ".join(TALLY)}, is_new)
    SELECT bucket, kind_id, media_region, {", ".join("0" for _ in COUNTED)}, {", ".join(PEOPLE)},
        '{{}}', '{{}}', true
    FROM counted WHERE ({", ".join(PEOPLE)}) <> ({", ".join("0" for _ in PEOPLE)})
"""  # noqa: S608 - parts of our own


def has_event(start: str, end: str) -> str:
    """The condition that trouble t, which overlaps that time, has an event in it.

    It has if its first or last is: only what reaches out on both sides has to be looked at.
    """
    names = " OR ".join(
        f"(t.metric = '{metric}' AND n.value = '{name}')"
        for name, metrics in TROUBLE.items()
        for metric in metrics
    )
    return f"""(t.first_at >= {start} OR t.last_at < {end} OR EXISTS (
        SELECT FROM meetings_clientevent e
        JOIN meetings_eventname n ON n.id = e.name_id
        JOIN meetings_client c ON c.id = e.client_id
        {KIND_OF_CLIENT.replace("k.", "own.").replace("clientkind k ", "clientkind own ")}
        WHERE e.attendee_id = t.attendee_id AND e.sequence = 0 AND own.id = t.kind_id
            AND ({names}) AND e.happened_at >= {start} AND e.happened_at < {end}
    ))"""


def fold(attendee_ids: Iterable[int]) -> None:
    """Tell the trouble of these attendees anew, and count what has changed.

    The caller holds the attendees' locks, and their clients have kinds.
    """
    if ids := sorted(set(attendee_ids)):
        run(_FOLD, {"ids": integers(ids), "names": texts(TROUBLE)})


_OTHERS = f"""
    SELECT t.attendee_id, t.metric, k.platform, k.browser_name, k.browser_major
    FROM meetings_rolluptrouble t
    JOIN meetings_clientkind k ON k.id = t.kind_id
    JOIN meetings_meeting m ON m.id = t.meeting_id
    WHERE NOT t.is_simple AND t.last_at >= %(start)s AND t.first_at < %(end)s
        AND {has_event("%(start)s", "%(end)s")} AND {{chosen}}
"""  # noqa: S608 - parts of our own


class Other(NamedTuple):
    """An attendee with trouble that no cell counts."""

    attendee_id: int
    metric: str
    platform: str
    browser: str
    major: str


def others(start: datetime, end: datetime, chosen: Mapping[str, str]) -> list[Other]:
    """Trouble of that time that is not simple, with clients of whom these columns hold this."""
    conditions = [
        f"{'m.media_region' if column == 'region' else f'k.{column}'} = %({column})s"
        for column in chosen
    ]
    statement = _OTHERS.format(chosen=" AND ".join(conditions) or "true")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"start": start, "end": end, **chosen})
        return [Other(*row) for row in cursor.fetchall()]


_LOCK = f"""
    SELECT a.id FROM meetings_attendee a WHERE a.id IN (
        SELECT e.attendee_id FROM meetings_clientevent e
        WHERE e.happened_at >= %(start)s AND e.happened_at < %(end)s AND e.name_id = ANY(ARRAY(
            SELECT id FROM meetings_eventname WHERE value = ANY(%(names)s::text[])))
        UNION
        SELECT t.attendee_id FROM meetings_rolluptrouble t
        WHERE {_BUCKET_OF.format("t.first_at")} < %(end)s AND t.last_at >= %(start)s
    )
    ORDER BY a.meeting_id, a.external_id
    FOR NO KEY UPDATE
"""  # noqa: S608 - parts of our own


def lock(start: datetime, end: datetime) -> list[int]:
    """Attendees with trouble in that time, locked in the order in which drains lock them."""
    names = texts(TROUBLE)
    return [pk for (pk,) in run(_LOCK, {"start": start, "end": end, "names": names})]
