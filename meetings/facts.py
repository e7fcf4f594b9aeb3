"""Writing client events as facts: whole batches, each event once, in any order of arrival."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from meetings import vocabulary
from meetings.clocks import ClockRule
from meetings.formats import Event
from portal.inbox.models import Delivery

REASON_LENGTH = 500
_MAX_INT = 2**31 - 1
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,12}){1,3}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and the delivery that brought it."""

    delivery: Delivery
    event: Event


@dataclass(frozen=True, slots=True)
class Fact:
    """An event that was not known before.

    `is_bot` and `person` are what all deliveries so far tell of the attendee, not this one alone.
    """

    arrival: Arrival
    attendee_id: int
    happened_at: datetime
    client_ms: int
    is_bot: bool
    person: str
    """The user id where some delivery told it, else the attendee's."""


@dataclass(frozen=True, slots=True)
class KnownAttendee:
    id: int
    person: str
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What events told about their meeting."""

    external_meeting_id: str = ""
    media_region: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch touched: for the folds, and for whoever reports about new facts."""

    new: list[Fact]
    attendee_ids: list[int]
    meeting_ids: list[int]
    learned: dict[int, Learned]


def write(arrivals: Sequence[Arrival]) -> Written:
    """Store a batch of events inside the caller's transaction.

    Attendees are locked in one order until the transaction ends, so that several drains fold the
    same attendee one after the other and none works on a stale view.
    """
    names = intern_names("meetings_eventname", {one.event.name for one in arrivals})
    statuses = intern_names(
        "meetings_meetingstatus", {status for one in arrivals if (status := _status(one.event))}
    )
    clients = intern_clients({client_of(one.event) for one in arrivals})
    meetings = _upsert_meetings({one.event.meeting_id for one in arrivals})
    attendees = _upsert_attendees(arrivals, meetings)

    rows: dict[tuple[int, int, int, int], tuple[Arrival, list[Any]]] = {}
    rule = clock_rule()
    for one in arrivals:
        event = one.event
        attendee_id = attendees[meetings[event.meeting_id], event.attendee_id].id
        row = _row(one, rule, attendee_id, meetings[event.meeting_id], names, statuses, clients)
        key = (attendee_id, row[3], row[2], row[4])
        rival = rows.get(key)
        if rival is None or _rank(row) > _rank(rival[1]):
            rows[key] = (one, row)

    known = {attendee.id: attendee for attendee in attendees.values()}
    new = _insert([rows[key] for key in sorted(rows)], known)
    return Written(
        new=new,
        attendee_ids=sorted(known),
        meeting_ids=sorted(set(meetings.values())),
        learned=_learned(arrivals, meetings),
    )


def clock_rule() -> ClockRule:
    return ClockRule(
        ahead=timedelta(seconds=settings.CLOCK_AHEAD_SECONDS),
        behind=timedelta(hours=settings.CLOCK_BEHIND_HOURS),
    )


# --- Dimensions -----------------------------------------------------------------------------

ClientKey = tuple[str, str, str, str, str, str, str, str, str]
_CLIENT_COLUMNS = (
    "sdk_name, sdk_version, platform, browser_name, browser_major, browser_version, "
    "os_name, os_version, device_name"
)


def client_of(event: Event) -> ClientKey:
    """SDK, browser, system and device of an event, in the order of the columns."""

    def text(name: str, longest: int = 200) -> str:
        return vocabulary.told(event, name)[:longest]

    sdk_name = text("sdkName")
    return (
        sdk_name,
        text("sdkVersion"),
        vocabulary.platform_of(sdk_name)[:32] if sdk_name else "",
        text("browserName"),
        text("browserMajorVersion", 32),
        text("browserVersion"),
        text("osName"),
        text("osVersion"),
        text("deviceName"),
    )


def intern_names(table: str, values: Collection[str]) -> dict[str, int]:
    """Ids of these values in a dimension table of ours, added where missing."""
    wanted = sorted(values)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value, id FROM {table} WHERE value = ANY(%s)", [wanted])  # noqa: S608
        found: dict[str, int] = dict(cursor.fetchall())
        missing = [value for value in wanted if value not in found]
        if missing:
            cursor.execute(
                f"INSERT INTO {table} (value) SELECT unnest(%s::text[]) "
                "ON CONFLICT (value) DO NOTHING",
                [missing],
            )
            cursor.execute(f"SELECT value, id FROM {table} WHERE value = ANY(%s)", [missing])  # noqa: S608
            found.update(cursor.fetchall())
    return found


def intern_clients(keys: Collection[ClientKey]) -> dict[ClientKey, int]:
    """Ids of these combinations, added where missing. Identified by a digest of all columns."""
    digests = {hashlib.sha256("\x1f".join(key).encode()).digest(): key for key in keys}
    wanted = sorted(digests)
    with connection.cursor() as cursor:
        found = _client_ids(cursor, wanted)
        missing = [digest for digest in wanted if digest not in found]
        if missing:
            cursor.executemany(
                f"INSERT INTO meetings_client (digest, {_CLIENT_COLUMNS}) "  # noqa: S608
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [[digest, *digests[digest]] for digest in missing],
            )
            found.update(_client_ids(cursor, missing))
    return {digests[digest]: pk for digest, pk in found.items()}


def _client_ids(cursor: Any, digests: list[bytes]) -> dict[bytes, int]:
    cursor.execute("SELECT digest, id FROM meetings_client WHERE digest = ANY(%s)", [digests])
    return {bytes(digest): pk for digest, pk in cursor.fetchall()}


# --- Meetings and attendees -----------------------------------------------------------------


def _upsert_meetings(external_ids: Collection[str]) -> dict[str, int]:
    """Ids of these meetings. Existing rows are not locked here: a busy meeting has many writers."""
    wanted = sorted(external_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO meetings_meeting (external_id, external_meeting_id, media_region,
                attendee_count, bot_count, joined_count, present_count, failed_count, dropped_count,
                device_failed_count)
            SELECT unnest(%s::text[]), '', '', 0, 0, 0, 0, 0, 0, 0
            ON CONFLICT (external_id) DO NOTHING
            """,
            [wanted],
        )
        cursor.execute(
            "SELECT external_id, id FROM meetings_meeting WHERE external_id = ANY(%s)", [wanted]
        )
        return dict(cursor.fetchall())


_UPSERT_ATTENDEES = """
    INSERT INTO meetings_attendee (meeting_id, external_id, external_user_id, is_bot, outcome,
        event_count, log_line_count, join_failure_count, drop_count, audio_failure_count,
        video_failure_count, reconnect_count)
    SELECT meeting_id, external_id, external_user_id, is_bot, 'unknown', 0, 0, 0, 0, 0, 0, 0
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[])
        AS new (meeting_id, external_id, external_user_id, is_bot)
    ON CONFLICT (meeting_id, external_id) DO UPDATE SET
        external_user_id =
            GREATEST(meetings_attendee.external_user_id, excluded.external_user_id COLLATE "C"),
        is_bot = meetings_attendee.is_bot OR excluded.is_bot
    RETURNING meeting_id, external_id, id, external_user_id, is_bot
"""


def _upsert_attendees(
    arrivals: Sequence[Arrival], meetings: dict[str, int]
) -> dict[tuple[int, str], KnownAttendee]:
    """The attendees as they are known now, each locked until the transaction ends.

    Only some paths tell the user id. The greatest of several wins, whatever came first.
    """
    users: dict[tuple[int, str], str] = {}
    for one in arrivals:
        key = (meetings[one.event.meeting_id], one.event.attendee_id)
        users[key] = max(users.get(key, ""), _text(one.event, "externalUserId"))
    ordered = sorted(users)
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT_ATTENDEES,
            [
                [meeting_id for meeting_id, _ in ordered],
                [external_id for _, external_id in ordered],
                [users[key] for key in ordered],
                [vocabulary.is_bot(users[key]) for key in ordered],
            ],
        )
        return {
            (meeting_id, external_id): KnownAttendee(pk, user_id or external_id, is_bot)
            for meeting_id, external_id, pk, user_id, is_bot in cursor.fetchall()
        }


def _learned(arrivals: Iterable[Arrival], meetings: dict[str, int]) -> dict[int, Learned]:
    """What only some events tell. The greatest of several wins, whatever came first."""
    found: dict[int, Learned] = {}
    for one in arrivals:
        told = Learned(_text(one.event, "externalMeetingId"), _region(one.event))
        if told != Learned():
            pk = meetings[one.event.meeting_id]
            known = found.get(pk, Learned())
            found[pk] = Learned(
                max(known.external_meeting_id, told.external_meeting_id),
                max(known.media_region, told.media_region),
            )
    return found


def _region(event: Event) -> str:
    """`mediaRegion`, which applications may add from CreateMeeting's answer."""
    value = (_text(event, "mediaRegion") or _text(event, "MediaRegion")).lower()
    return value if _REGION.fullmatch(value) else ""


# --- Events ---------------------------------------------------------------------------------

_COLUMNS = {
    "attendee_id": "bigint",
    "meeting_id": "bigint",
    "name_id": "bigint",
    "client_ms": "bigint",
    "sequence": "bigint",
    "happened_at": "timestamptz",
    "received_at": "timestamptz",
    "skewed": "boolean",
    "client_id": "bigint",
    "status_id": "bigint",
    "start_duration_ms": "double precision",
    "meeting_duration_ms": "double precision",
    "signaling_open_ms": "double precision",
    "retry_count": "integer",
    "poor_connection_count": "integer",
    "fullness": "smallint",
    "reason": "text",
    "delivery_id": "bigint",
    "ordinal": "integer",
}
_KEY = ("attendee_id", "client_ms", "name_id", "sequence")
_INSERT = f"""
    INSERT INTO meetings_clientevent ({", ".join(_COLUMNS)})
    SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())})
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY)}
    WHERE (meetings_clientevent.fullness, excluded.received_at, excluded.delivery_id)
        < (excluded.fullness, meetings_clientevent.received_at, meetings_clientevent.delivery_id)
    RETURNING attendee_id, client_ms, name_id, sequence, (xmax = 0)
"""  # noqa: S608 - built from our own column names


def _row(
    one: Arrival,
    rule: ClockRule,
    attendee_id: int,
    meeting_id: int,
    names: dict[str, int],
    statuses: dict[str, int],
    clients: dict[ClientKey, int],
) -> list[Any]:
    """The values of `_COLUMNS`, in their order."""
    event, delivery = one.event, one.delivery
    moment = rule.judge(event.client_ms, delivery.received_at)
    status = _status(event)
    return [
        attendee_id,
        meeting_id,
        names[event.name],
        event.client_ms or 0,
        event.sequence,
        moment.at,
        delivery.received_at,
        moment.skewed,
        clients[client_of(event)],
        statuses[status] if status else None,
        _number(event, "meetingStartDurationMs"),
        _number(event, "meetingDurationMs"),
        _number(event, "signalingOpenDurationMs"),
        _count(event, "retryCount"),
        _count(event, "poorConnectionCount"),
        min(len(event.attributes), 32_000),
        vocabulary.failure_reason(event)[:REASON_LENGTH],
        delivery.pk,
        event.ordinal,
    ]


def _rank(row: list[Any]) -> tuple[int, float, int, int]:
    """Of several rows of one event the greatest counts; in `_INSERT` as well."""
    return row[15], -row[6].timestamp(), -row[17], -row[18]


def _insert(
    rows: Sequence[tuple[Arrival, list[Any]]], attendees: Mapping[int, KnownAttendee]
) -> list[Fact]:
    """Insert facts, replace those that are now known more fully, return the new ones.

    Of two that are equally full the one received first counts, whichever was handled first.
    """
    if not rows:
        return []
    by_key = {(row[0], row[3], row[2], row[4]): (one, row) for one, row in rows}
    columns = [list(column) for column in zip(*(row for _, row in rows), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, columns)
        returned = cursor.fetchall()
    new = []
    for attendee_id, client_ms, name_id, sequence, is_new in returned:
        if is_new:
            one, row = by_key[attendee_id, client_ms, name_id, sequence]
            attendee = attendees[attendee_id]
            new.append(
                Fact(
                    one,
                    attendee_id,
                    happened_at=row[5],
                    client_ms=client_ms,
                    is_bot=attendee.is_bot,
                    person=attendee.person,
                )
            )
    return new


def _status(event: Event) -> str:
    return _text(event, "meetingStatus")[:128]


def _text(event: Event, name: str) -> str:
    value = event.attributes.get(name)
    return "" if value is None else str(value)[:200]


def _number(event: Event, name: str) -> float | None:
    value = event.attributes.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _count(event: Event, name: str) -> int | None:
    value = _number(event, name)
    return None if value is None else int(max(-_MAX_INT, min(value, _MAX_INT)))
