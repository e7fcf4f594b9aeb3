"""Fills a portal's tables with days of events, by SQL: what the doors would take hours for.

Each attendee has one delivery with one of the bodies of the benchmarks, so that whatever a page
reads from the archive is there. Roll-ups are made by the portal's own command.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, LiteralString

import zstandard
from django.core.management import call_command
from django.db import connection

from benchmarks.bodies import ATTENDEES_A_MEETING, BODIES, EVENTS, Bodies
from meetings.retention import EVENTS as EVENT_DAYS
from portal.inbox.retention import DELIVERIES as DELIVERY_DAYS
from portal.partitions import make_days

_DAY_MS = 86_400_000
_SESSION_MS = 600_000

_SDKS = ["3.32.0", "3.31.0", "3.28.0", "3.20.0", "2.26.0"]
_BROWSERS = [("Chrome", "142"), ("Chrome", "141"), ("Chrome", "140"), ("Edge", "142")]
_BROWSERS += [("Firefox", "144"), ("Safari", "26")]
_SYSTEMS = ["Windows 10", "Windows 11", "macOS 15.6.1", "macOS 26.0.1", "Linux x86_64"]
_SYSTEMS += ["Chrome_OS 16433"]
_KINDS = {
    "meetingStartFailed": "meetings.join_failed",
    "meetingFailed": "meetings.dropped",
    "audioInputFailed": "meetings.audio_input_failed",
    "videoInputFailed": "meetings.video_input_failed",
}


def fill(days_ago: range, events_a_day: int, *, now: datetime) -> None:
    """Days counted back from now: 0 is the last 24 hours. The same day twice is an error."""
    _make_partitions(days_ago, now)
    with connection.cursor() as cursor:
        # This session's rows are no client's: they may be lost.
        cursor.execute("SET synchronous_commit = off; SET work_mem = '256MB'")
        _make_shapes(cursor)
        first = _first_free(cursor)
        attendees = events_a_day // EVENTS
        for day in days_ago:
            _fill_day(cursor, day, first, attendees, now)
            first += attendees
            _tell(f"day {day} filled")
        for table in ("meetings_meeting", "meetings_attendee"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            )
        cursor.execute("SELECT setval('inbox_delivery_id_seq', max(id)) FROM inbox_delivery")
        _count_failures(cursor)
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    _tell("vacuumed")
    call_command("rollups", "rebuild", stdout=sys.stderr)
    _tell("rolled up")


def _tell(line: str) -> None:
    print(f"  {datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)  # noqa: T201


def _make_partitions(days_ago: range, now: datetime) -> None:
    first = (now - timedelta(days=days_ago.stop, milliseconds=_SESSION_MS)).astimezone(UTC).date()
    last = now.astimezone(UTC).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 2)]
    for table in (EVENT_DAYS, DELIVERY_DAYS):
        make_days(table, days)


# --- What is repeated -----------------------------------------------------------------------

_SHAPES: LiteralString = """
    CREATE TEMP TABLE body (shape integer PRIMARY KEY, stored bytea, size integer);
    CREATE TEMP TABLE shape (
        shape integer, ordinal integer, name_id bigint, after_ms bigint, status_id bigint,
        start float8, duration float8, signaling float8, retries integer, poor integer, reason text
    );
    CREATE TEMP TABLE client (number integer PRIMARY KEY, id bigint);
"""


def _make_shapes(cursor: Any) -> None:
    cursor.execute(_SHAPES)
    bodies = Bodies("localhost", "/")
    for number in range(BODIES):
        document = bodies.next().partition(b"\r\n\r\n")[2]
        stored = zstandard.ZstdCompressor(level=1).compress(document)
        cursor.execute("INSERT INTO body VALUES (%s, %s, %s)", [number, stored, len(document)])
        events = [(event["name"], event["attributes"]) for event in json.loads(document)]
        first = min(values["timestampMs"] for _, values in events)
        for ordinal, (name, values) in enumerate(events):
            cursor.execute(
                "INSERT INTO shape VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    *(number, ordinal, _interned(cursor, "meetings_eventname", name)),
                    values["timestampMs"] - first,
                    _interned(cursor, "meetings_meetingstatus", values.get("meetingStatus")),
                    values.get("meetingStartDurationMs"),
                    values.get("meetingDurationMs"),
                    values.get("signalingOpenDurationMs"),
                    values.get("retryCount"),
                    values.get("poorConnectionCount"),
                    next((v for k, v in values.items() if k.endswith("ErrorMessage")), ""),
                ],
            )
    for number, (sdk, browser, system) in enumerate(product(_SDKS, _BROWSERS, _SYSTEMS)):
        cursor.execute(
            "INSERT INTO client VALUES (%s, %s)",
            [number, _client(cursor, sdk, *browser, *system.split())],
        )


def _interned(cursor: Any, table: str, value: str | None) -> int | None:
    if value is None:
        return None
    cursor.execute(f"INSERT INTO {table} (value) VALUES (%s) ON CONFLICT DO NOTHING", [value])  # noqa: S608
    cursor.execute(f"SELECT id FROM {table} WHERE value = %s", [value])  # noqa: S608
    return int(cursor.fetchone()[0])


def _client(cursor: Any, sdk: str, browser: str, major: str, system: str, version: str) -> int:
    columns = ["amazon-chime-sdk-js", sdk, "JavaScript", browser, major, f"{major}.0.1"]
    columns += [system.replace("_", " "), version, "Unavailable"]
    digest = hashlib.sha256("\x1f".join(columns).encode()).digest()
    cursor.execute(
        """
        INSERT INTO meetings_client (digest, sdk_name, sdk_version, platform, browser_name,
            browser_major, browser_version, os_name, os_version, device_name)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        [digest, *columns],
    )
    cursor.execute("SELECT id FROM meetings_client WHERE digest = %s", [digest])
    return int(cursor.fetchone()[0])


# --- A day ----------------------------------------------------------------------------------
# n numbers attendees; attendees of a meeting follow one another, and so do their times.

_PEOPLE: LiteralString = """
    CREATE TEMP TABLE person ON COMMIT PRESERVE ROWS AS
    SELECT n, (n - 1) / %(size)s + 1 AS meeting, n %% %(bodies)s AS shape,
        client.id AS client_id,
        %(end_ms)s - (n - %(first)s + 1) * %(step_ms)s AS last_ms,
        CASE n %% 200 WHEN 0 THEN 'dropped' WHEN 1 THEN 'failed' WHEN 2 THEN 'present'
            ELSE 'left' END AS outcome
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
    JOIN client ON client.number = ((n * n) %% 32749) %% %(clients)s
"""
_MEETINGS: LiteralString = """
    INSERT INTO meetings_meeting (id, external_id, external_meeting_id, media_region,
        first_event_at, last_event_at, started_at, ended_at, attendee_count, bot_count,
        joined_count, present_count, failed_count, dropped_count, device_failed_count)
    SELECT meeting, md5('meeting' || meeting)::uuid::text, 'weekly-' || meeting %% 500,
        (ARRAY['us-east-1', 'eu-central-1', 'ap-southeast-2', 'us-west-2'])[meeting %% 4 + 1],
        to_timestamp((min(last_ms) - %(session_ms)s) / 1000.0), to_timestamp(max(last_ms) / 1000.0),
        to_timestamp((min(last_ms) - %(session_ms)s) / 1000.0),
        CASE WHEN bool_and(outcome <> 'present') THEN to_timestamp(max(last_ms) / 1000.0) END,
        count(*), 0, count(*), count(*) FILTER (WHERE outcome = 'present'),
        count(*) FILTER (WHERE outcome = 'failed'), count(*) FILTER (WHERE outcome = 'dropped'), 1
    FROM person GROUP BY meeting
    ON CONFLICT DO NOTHING
"""
_ATTENDEES: LiteralString = """
    INSERT INTO meetings_attendee (id, meeting_id, external_id, external_user_id, is_bot, client_id,
        outcome, first_event_at, last_event_at, first_client_ms, last_client_ms, requested_at,
        joined_at, left_at, event_count, log_line_count, join_failure_count, drop_count,
        audio_failure_count, video_failure_count, reconnect_count)
    SELECT n, meeting, md5('attendee' || n)::uuid::text, 'user-' || n %% 20000, false, client_id,
        outcome, to_timestamp((last_ms - %(session_ms)s) / 1000.0), to_timestamp(last_ms / 1000.0),
        last_ms - %(session_ms)s, last_ms, to_timestamp((last_ms - %(session_ms)s) / 1000.0),
        to_timestamp((last_ms - %(session_ms)s) / 1000.0),
        CASE WHEN outcome <> 'present' THEN to_timestamp(last_ms / 1000.0) END,
        %(events)s, 0, (outcome = 'failed')::integer, (outcome = 'dropped')::integer, 0, 0, 0
    FROM person
"""
_BODIES: LiteralString = """
    INSERT INTO inbox_delivery (id, door, key_id, stored_on, received_at, queued_at, handled_at,
        address, origin, user_agent, content_type, body, size_bytes, digest, copies, state,
        attempts)
    SELECT n, 'meetingevents', 1, (to_timestamp(last_ms / 1000.0) AT TIME ZONE 'UTC')::date,
        to_timestamp(last_ms / 1000.0), to_timestamp(last_ms / 1000.0),
        to_timestamp(last_ms / 1000.0), '192.0.2.1', 'https://app.example.org', 'Mozilla/5.0',
        'application/json', stored, size, sha256(n::text::bytea), 1, 'handled', 1
    FROM person JOIN body USING (shape)
"""
_EVENTS: LiteralString = """
    INSERT INTO meetings_clientevent (attendee_id, meeting_id, name_id, client_ms, sequence,
        happened_at, received_at, skewed, client_id, status_id, start_duration_ms,
        meeting_duration_ms, signaling_open_ms, retry_count, poor_connection_count, reason,
        fullness, delivery_id, ordinal)
    SELECT n, meeting, name_id, last_ms - %(session_ms)s + after_ms, 0,
        to_timestamp((last_ms - %(session_ms)s + after_ms) / 1000.0),
        to_timestamp(last_ms / 1000.0), false, client_id, status_id,
        start * (0.6 + (n %% 97) / 97.0), duration, signaling, retries, poor, reason, 18, n, ordinal
    FROM person JOIN shape USING (shape)
    ORDER BY n, ordinal
"""


def _first_free(cursor: Any) -> int:
    """A number that no attendee or delivery has yet, and with which a meeting begins."""
    cursor.execute(
        """
        SELECT greatest((SELECT max(id) FROM meetings_attendee),
            (SELECT max(id) FROM inbox_delivery),
            (SELECT max(id) FROM meetings_meeting) * %s, 0)
        """,
        [ATTENDEES_A_MEETING],
    )
    return -(-int(cursor.fetchone()[0]) // ATTENDEES_A_MEETING) * ATTENDEES_A_MEETING + 1


def _fill_day(cursor: Any, day: int, first: int, attendees: int, now: datetime) -> None:
    values = {
        "first": first,
        "last": first + attendees - 1,
        "size": ATTENDEES_A_MEETING,
        "bodies": BODIES,
        "events": EVENTS,
        "clients": len(_SDKS) * len(_BROWSERS) * len(_SYSTEMS),
        "end_ms": int(now.timestamp() * 1000) - day * _DAY_MS,
        "step_ms": _DAY_MS // attendees,
        "session_ms": _SESSION_MS,
    }
    for statement in (_PEOPLE, _MEETINGS, _ATTENDEES, _BODIES, _EVENTS):
        cursor.execute(statement, values)
    cursor.execute("DROP TABLE person")


# --- Failures -------------------------------------------------------------------------------

_OCCURRENCES: LiteralString = """
    CREATE TEMP TABLE failing AS
    SELECT e.happened_at, e.attendee_id, n.value AS name, kinds.slug, e.reason, a.external_user_id,
        e.attendee_id %% 15 AS variant,
        md5('failure' || n.value || e.reason || e.attendee_id %% 15)::uuid AS fingerprint,
        md5(e.attendee_id || n.value || e.client_ms)::uuid AS key
    FROM meetings_clientevent e
    JOIN meetings_eventname n ON n.id = e.name_id
    JOIN unnest(%(names)s::text[], %(slugs)s::text[]) AS kinds (name, slug) ON kinds.name = n.value
    JOIN meetings_attendee a ON a.id = e.attendee_id
"""
_GROUPS: LiteralString = """
    DELETE FROM failures_affectedperson;
    DELETE FROM failures_occurrencehour;
    DELETE FROM failures_occurrence;
    DELETE FROM failures_failure;
    INSERT INTO failures_failure (kind, fingerprint, title, reason, state, resolved_in_version,
        first_seen_at, last_seen_at, last_key, last_version, occurrences, people, revision,
        created_at)
    SELECT slug, fingerprint, slug || ' ' || variant, min(reason), 'open', '', min(happened_at),
        max(happened_at), (array_agg(key))[1], '3.32.0', count(*),
        count(DISTINCT external_user_id), 0, now()
    FROM failing GROUP BY slug, fingerprint, variant;
    INSERT INTO failures_occurrence (failure_id, key, happened_at, person, version, tags, url,
        detail, reported_at)
    SELECT f.id, failing.key, happened_at, external_user_id,
        (ARRAY['3.32.0', '3.31.0', '3.28.0'])[variant % 3 + 1],
        jsonb_build_object('SDK', 'JavaScript 3.32.0', 'Browser', 'Chrome 142',
            'System', 'Windows 11', 'Meeting', 'weekly-' || variant),
        '', failing.reason, now()
    FROM failing JOIN failures_failure f USING (fingerprint)
    ORDER BY happened_at;
    INSERT INTO failures_affectedperson (failure_id, person, first_seen_at, last_seen_at)
    SELECT f.id, external_user_id, min(happened_at), max(happened_at)
    FROM failing JOIN failures_failure f USING (fingerprint) GROUP BY 1, 2;
    INSERT INTO failures_occurrencehour (failure_id, hour, number)
    SELECT f.id, date_trunc('hour', happened_at, 'UTC'), count(*)
    FROM failing JOIN failures_failure f USING (fingerprint) GROUP BY 1, 2;
    DROP TABLE failing;
"""


def _count_failures(cursor: Any) -> None:
    cursor.execute(_OCCURRENCES, {"names": list(_KINDS), "slugs": list(_KINDS.values())})
    cursor.execute(_GROUPS)
