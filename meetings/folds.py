"""Folding facts into the state of attendees and meetings.

Each fold is computed anew from all events of what a batch changed, so the order and the number of
deliveries cannot matter, and a late event corrects what it should. Attendees who are new are stored
folded already (`meetings.stays`). Log lines, of which there may be hundreds of thousands, only
count up and widen the time heard of: each is new once. Only where one turns out to be of another
time, which takes a clock that cannot be right, are they all looked at.
"""

from collections.abc import Sequence
from typing import LiteralString

from meetings.facts import AttendeeSpan, Written
from portal.database.statements import MOMENT, integers, run, texts

# Each attendee's events by their key, whatever the planner believes of a partition that nobody has
# counted yet.
_ATTENDEES = """
    WITH marks AS (
        SELECT touched.id AS attendee_id, own.*
        FROM unnest(%(ids)s::bigint[]) AS touched (id)
        CROSS JOIN LATERAL (
            SELECT
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
            WHERE e.attendee_id = touched.id AND e.sequence = 0
                AND e.client_ms BETWEEN %(first_ms)s AND %(last_ms)s
        ) AS own
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
    FROM marks m WHERE a.id = m.attendee_id
"""

_LOG_LINES = f"""
    UPDATE meetings_attendee a SET
        log_line_count = a.log_line_count + new.number,
        first_log_at = LEAST(a.first_log_at, {MOMENT.format("new.first_us")}),
        last_log_at = GREATEST(a.last_log_at, {MOMENT.format("new.last_us")}),
        first_event_at = LEAST(a.first_event_at, {MOMENT.format("new.first_us")}),
        last_event_at = GREATEST(a.last_event_at, {MOMENT.format("new.last_us")})
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS new (id, number, first_us, last_us)
    WHERE a.id = new.id
"""  # noqa: S608 - parts of our own

_LOG_TIMES = """
    UPDATE meetings_attendee a SET first_log_at = own.first_at, last_log_at = own.last_at
    FROM unnest(%(ids)s::bigint[]) AS moved (id)
    CROSS JOIN LATERAL (
        SELECT min(e.happened_at) AS first_at, max(e.happened_at) AS last_at
        FROM meetings_clientevent e
        WHERE e.attendee_id = moved.id AND e.sequence > 0
            AND e.client_ms BETWEEN %(first_ms)s AND %(last_ms)s
    ) AS own
    WHERE a.id = moved.id
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
        FROM meetings_attendee a WHERE a.meeting_id = ANY(%s::bigint[]) GROUP BY a.meeting_id
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

# What was known before is told as well: the rows are locked, so nobody else changes it.
_LEARN = """
    UPDATE meetings_meeting m
    SET external_meeting_id = GREATEST(m.external_meeting_id, new.name COLLATE "C"),
        media_region = GREATEST(m.media_region, new.region COLLATE "C")
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, name, region),
        meetings_meeting known
    WHERE m.id = new.id AND known.id = new.id
        AND (m.external_meeting_id < new.name COLLATE "C"
            OR m.media_region < new.region COLLATE "C")
    RETURNING m.id, m.media_region <> known.media_region
"""
_LOCK_MEETINGS = """
    SELECT 1 FROM meetings_meeting WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
_WEEK_MS = 7 * 86_400_000
# Clocks may be anywhere: so many parts of the table are looked at one by one, then all of it.
_MOST_SPANS = 4


def fold(written: Written) -> None:
    """Bring attendees and meetings up to their facts. Part of the drain's transaction."""
    _count_log_lines(written)
    _correct_log_times(written)
    _fold_attendees(written.changed)
    _fold_meetings(written)


def _count_log_lines(written: Written) -> None:
    """The caller holds the attendees' locks, as below."""
    times: dict[int, list[int]] = {}
    for fact in written.new_of_known:
        if fact.gist.sequence:
            times.setdefault(fact.attendee_id, []).append(fact.happened_us)
    if times:
        rows = [(pk, len(heard), min(heard), max(heard)) for pk, heard in times.items()]
        run(_LOG_LINES, [integers(column) for column in zip(*rows, strict=True)])


def _correct_log_times(written: Written) -> None:
    """Before attendees are folded, which takes these times into account."""
    moved = {
        one.attendee_id
        for one in written.replaced
        if one.sequence and one.old_happened_us != one.new_happened_us
    }
    if moved:
        _run_for(_LOG_TIMES, [one for one in written.changed if one.id in moved])


def _fold_attendees(changed: Sequence[AttendeeSpan]) -> None:
    """The caller holds the attendees' locks (`facts.write` takes them)."""
    _run_for(_ATTENDEES, changed)


def _run_for(statement: LiteralString, attendees: Sequence[AttendeeSpan]) -> None:
    for some in _by_time(attendees):
        run(
            statement,
            {
                "ids": integers(one.id for one in some),
                "first_ms": min(one.first_client_ms for one in some),
                "last_ms": max(one.last_client_ms for one in some),
            },
        )


def _by_time(spans: Sequence[AttendeeSpan]) -> list[list[AttendeeSpan]]:
    """In groups of about one time each: a statement then has to look at few partitions."""
    groups: dict[tuple[int, int], list[AttendeeSpan]] = {}
    for one in spans:
        weeks = (one.first_client_ms // _WEEK_MS, one.last_client_ms // _WEEK_MS)
        groups.setdefault(weeks, []).append(one)
    found = sorted(groups.values(), key=len, reverse=True)
    rest = [one for group in found[_MOST_SPANS:] for one in group]
    return [*found[:_MOST_SPANS], rest] if rest else found


def _fold_meetings(written: Written) -> None:
    """Locks the meetings first: the statement after the lock sees what others committed."""
    ids = integers(written.meeting_ids)
    run(_LOCK_MEETINGS, [ids])
    if learned := written.learned:
        told = run(
            _LEARN,
            [
                integers(learned),
                texts(one.external_meeting_id for one in learned.values()),
                texts(one.media_region for one in learned.values()),
            ],
        )
        written.new_regions = sorted(pk for pk, is_moved in told if is_moved)
    run(_MEETINGS, [ids])
