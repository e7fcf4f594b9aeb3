"""Folding facts into the state of attendees and meetings.

Each fold is computed anew from all events of what a batch touched, so the order and the number of
deliveries cannot matter, and a late event corrects what it should. Log lines, of which there may be
hundreds of thousands, only count up and widen the time heard of: each is new once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection

from meetings.facts import Fact, Learned, Written
from meetings.models import Meeting

_ATTENDEES = """
    WITH marks AS (
        SELECT e.attendee_id,
            min(e.happened_at) AS first_event_at,
            max(e.happened_at) AS last_event_at,
            min(e.happened_at) FILTER (WHERE n.value = 'meetingStartRequested') AS requested_at,
            min(e.happened_at) FILTER (WHERE n.value = 'meetingStartSucceeded') AS joined_at,
            max(e.happened_at) FILTER (
                WHERE n.value IN ('meetingStartSucceeded', 'meetingReconnected')) AS in_since,
            max(e.happened_at) FILTER (WHERE n.value = 'meetingEnded') AS left_at,
            max(e.happened_at) FILTER (WHERE n.value = 'meetingFailed') AS dropped_at,
            count(*) AS event_count,
            count(*) FILTER (WHERE n.value = 'meetingStartFailed') AS join_failures,
            count(*) FILTER (WHERE n.value = 'meetingFailed') AS drops,
            count(*) FILTER (WHERE n.value = 'audioInputFailed') AS audio_failures,
            count(*) FILTER (WHERE n.value = 'videoInputFailed') AS video_failures,
            count(*) FILTER (WHERE n.value = 'meetingReconnected') AS reconnects,
            max(e.client_ms - (extract(epoch FROM e.received_at) * 1000)::bigint)
                FILTER (WHERE e.skewed AND e.client_ms BETWEEN -(10 ^ 15) AND 10 ^ 15)
                AS clock_offset_ms,
            (array_agg(e.client_id ORDER BY (c.sdk_name <> '') DESC, e.happened_at DESC,
                e.fullness DESC, e.client_id DESC))[1] AS client_id
        FROM meetings_clientevent e
        JOIN meetings_eventname n ON n.id = e.name_id
        JOIN meetings_client c ON c.id = e.client_id
        WHERE e.attendee_id = ANY(%(ids)s) AND e.sequence = 0
        GROUP BY e.attendee_id
    )
    UPDATE meetings_attendee a SET
        first_event_at = LEAST(m.first_event_at, a.first_log_at),
        last_event_at = GREATEST(m.last_event_at, a.last_log_at),
        requested_at = m.requested_at,
        joined_at = m.joined_at,
        left_at = CASE WHEN m.in_since > GREATEST(m.left_at, m.dropped_at) THEN NULL
            ELSE GREATEST(m.left_at, m.dropped_at) END,
        event_count = COALESCE(m.event_count, 0),
        join_failure_count = COALESCE(m.join_failures, 0),
        drop_count = COALESCE(m.drops, 0),
        audio_failure_count = COALESCE(m.audio_failures, 0),
        video_failure_count = COALESCE(m.video_failures, 0),
        reconnect_count = COALESCE(m.reconnects, 0),
        clock_offset_ms = m.clock_offset_ms,
        client_id = m.client_id,
        outcome = CASE
            WHEN COALESCE(m.in_since, m.left_at, m.dropped_at) IS NULL THEN
                CASE WHEN m.join_failures > 0 THEN 'failed'
                     WHEN m.requested_at IS NOT NULL THEN 'asked'
                     ELSE 'unknown' END
            WHEN COALESCE(m.in_since > GREATEST(m.left_at, m.dropped_at),
                          m.left_at IS NULL AND m.dropped_at IS NULL) THEN 'present'
            WHEN m.dropped_at >= COALESCE(m.left_at, m.dropped_at) THEN 'dropped'
            ELSE 'left' END
    FROM unnest(%(ids)s::bigint[]) AS touched (id)
    LEFT JOIN marks m ON m.attendee_id = touched.id
    WHERE a.id = touched.id
"""

_LOG_LINES = """
    UPDATE meetings_attendee a SET
        log_line_count = a.log_line_count + new.number,
        first_log_at = LEAST(a.first_log_at, new.first_at),
        last_log_at = GREATEST(a.last_log_at, new.last_at)
    FROM unnest(%s::bigint[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
        AS new (id, number, first_at, last_at)
    WHERE a.id = new.id
"""

_MEETINGS = """
    WITH people AS (
        SELECT a.meeting_id,
            min(a.first_event_at) AS first_event_at,
            max(a.last_event_at) AS last_event_at,
            min(a.joined_at) AS started_at,
            max(a.left_at) AS ended_at,
            count(*) FILTER (WHERE NOT a.is_bot) AS attendees,
            count(*) FILTER (WHERE a.is_bot) AS bots,
            count(*) FILTER (WHERE NOT a.is_bot AND a.joined_at IS NOT NULL) AS joined,
            count(*) FILTER (WHERE NOT a.is_bot AND a.outcome = 'present') AS present,
            count(*) FILTER (WHERE NOT a.is_bot AND a.outcome = 'failed') AS failed,
            count(*) FILTER (WHERE NOT a.is_bot AND a.drop_count > 0) AS dropped,
            count(*) FILTER (WHERE NOT a.is_bot
                AND a.audio_failure_count + a.video_failure_count > 0) AS device_failed
        FROM meetings_attendee a WHERE a.meeting_id = ANY(%s) GROUP BY a.meeting_id
    )
    UPDATE meetings_meeting m SET
        first_event_at = p.first_event_at,
        last_event_at = p.last_event_at,
        started_at = p.started_at,
        ended_at = CASE WHEN p.present = 0 THEN p.ended_at END,
        attendee_count = p.attendees,
        bot_count = p.bots,
        joined_count = p.joined,
        present_count = p.present,
        failed_count = p.failed,
        dropped_count = p.dropped,
        device_failed_count = p.device_failed
    FROM people p WHERE m.id = p.meeting_id
"""

_LEARN = """
    UPDATE meetings_meeting m
    SET external_meeting_id = GREATEST(m.external_meeting_id, new.name COLLATE "C"),
        media_region = GREATEST(m.media_region, new.region COLLATE "C")
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, name, region)
    WHERE m.id = new.id AND (m.external_meeting_id < new.name COLLATE "C"
        OR m.media_region < new.region COLLATE "C")
"""


def fold(written: Written) -> None:
    """Bring attendees and meetings up to their facts. Part of the drain's transaction."""
    count_log_lines(written.new)
    fold_attendees(written.attendee_ids)
    fold_meetings(written.meeting_ids, learned=written.learned)


def count_log_lines(new: Iterable[Fact]) -> None:
    """The caller holds the attendees' locks, as below."""
    times: dict[int, list[datetime]] = {}
    for fact in new:
        if fact.arrival.event.sequence:
            times.setdefault(fact.attendee_id, []).append(fact.happened_at)
    if not times:
        return
    rows = [(pk, len(heard), min(heard), max(heard)) for pk, heard in sorted(times.items())]
    with connection.cursor() as cursor:
        cursor.execute(_LOG_LINES, [list(column) for column in zip(*rows, strict=True)])


def fold_attendees(attendee_ids: Sequence[int]) -> None:
    """The caller holds the attendees' locks (`facts.write` takes them)."""
    with connection.cursor() as cursor:
        cursor.execute(_ATTENDEES, {"ids": list(attendee_ids)})


def fold_meetings(meeting_ids: Sequence[int], *, learned: dict[int, Learned] | None = None) -> None:
    """Locks the meetings first: the statement after the lock sees what others committed."""
    locked = Meeting.objects.select_for_update(no_key=True).filter(pk__in=meeting_ids)
    list(locked.order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        if learned:
            told = list(learned.values())
            names = [one.external_meeting_id for one in told]
            cursor.execute(_LEARN, [list(learned), names, [one.media_region for one in told]])
        cursor.execute(_MEETINGS, [list(meeting_ids)])
