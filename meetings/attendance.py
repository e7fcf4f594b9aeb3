"""The meetings and attendees that a batch tells of: made where missing, locked, and known by id."""

from collections.abc import Collection, Iterable, Sequence

from meetings.gathering import Gathered
from meetings.stays import Stay, stay_of
from meetings.written import Learned
from portal.database.statements import MOMENT, booleans, integers, numbers, run, texts

_TEXT_LENGTH = 200


def upsert_meetings(external_ids: Collection[str]) -> dict[str, int]:
    """Ids of these meetings. Existing rows are not locked here: a busy meeting has many writers."""
    wanted = sorted(external_ids)
    found: dict[str, int] = dict(run(_SELECT_MEETINGS, [texts(wanted)]))
    if missing := [each for each in wanted if each not in found]:
        run(_INSERT_MEETINGS, [texts(missing)])
        found.update(run(_SELECT_MEETINGS, [texts(missing)]))
    return found


_SELECT_MEETINGS = (
    "SELECT external_id, id FROM meetings_meeting WHERE external_id = ANY(%s::text[])"
)
_INSERT_MEETINGS = """
    INSERT INTO meetings_meeting (external_id, external_meeting_id, media_region,
        attendee_count, bot_count, joined_count, present_count, failed_count, dropped_count,
        device_failed_count)
    SELECT unnest(%s::text[]), '', '', 0, 0, 0, 0, 0, 0, 0
    ON CONFLICT (external_id) DO NOTHING
"""


def upsert_attendees(attendees: Sequence[Gathered]) -> list[int]:
    """Lock the attendees until the transaction ends, and learn what is known of them by now.

    Those who are new are stored as their facts tell. Returns who turns out to be a bot. Only some
    paths tell the user id; the greatest of several wins, whatever came first.
    """
    returned = run(_UPSERT_ATTENDEES, _attendee_columns(attendees))
    by_key = {(row[0], row[1]): row[2:] for row in returned}
    new_bots = []
    for one in attendees:
        row = by_key[one.meeting_id, one.external_id]
        one.id, one.user_id, was_bot, one.is_known, one.first_ms, one.last_ms = row
        if one.is_bot and not was_bot:
            new_bots.append(one.id)
        one.is_bot = one.is_bot or was_bot
    if new_bots:
        run(_MAKE_BOTS, [integers(new_bots)])
    return new_bots


_STAY = {
    "first_event_at": MOMENT,
    "last_event_at": MOMENT,
    "requested_at": MOMENT,
    "joined_at": MOMENT,
    "left_at": MOMENT,
    "first_log_at": MOMENT,
    "last_log_at": MOMENT,
    "event_count": "{}",
    "log_line_count": "{}",
    "join_failure_count": "{}",
    "drop_count": "{}",
    "audio_failure_count": "{}",
    "video_failure_count": "{}",
    "reconnect_count": "{}",
    "clock_offset_ms": "{}",
    "client_id": "{}",
}
_UPSERT_ATTENDEES = f"""
    INSERT INTO meetings_attendee (meeting_id, external_id, external_user_id, is_bot, outcome,
        first_client_ms, last_client_ms, {", ".join(_STAY)})
    SELECT meeting_id, external_id, external_user_id, is_bot, outcome,
        first_client_ms, last_client_ms,
        {", ".join(form.format(name) for name, form in _STAY.items())}
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::bigint[],
        %s::bigint[]{", %s::bigint[]" * len(_STAY)})
        AS new (meeting_id, external_id, external_user_id, is_bot, outcome, first_client_ms,
            last_client_ms, {", ".join(_STAY)})
    ON CONFLICT (meeting_id, external_id) DO UPDATE SET
        external_user_id =
            GREATEST(meetings_attendee.external_user_id, excluded.external_user_id COLLATE "C"),
        first_client_ms = LEAST(meetings_attendee.first_client_ms, excluded.first_client_ms),
        last_client_ms = GREATEST(meetings_attendee.last_client_ms, excluded.last_client_ms)
    RETURNING meeting_id, external_id, id, external_user_id, is_bot, xmax <> 0, first_client_ms,
        last_client_ms
"""  # noqa: S608 - built from our own column names
_MAKE_BOTS = "UPDATE meetings_attendee SET is_bot = true WHERE id = ANY(%s::bigint[])"


def _attendee_columns(attendees: Sequence[Gathered]) -> list[str]:
    stays = [stay_of(one.facts) for one in attendees]
    return [
        integers(one.meeting_id for one in attendees),
        texts(one.external_id for one in attendees),
        texts(one.user_id for one in attendees),
        booleans(one.is_bot for one in attendees),
        texts(stay.outcome for stay in stays),
        integers(min(fact.client_ms for fact in one.facts) for one in attendees),
        integers(max(fact.client_ms for fact in one.facts) for one in attendees),
        *(numbers(column) for column in zip(*map(_stay_row, stays), strict=True)),
    ]


def _stay_row(stay: Stay) -> tuple[int | None, ...]:
    """In the order of `_STAY`."""
    return (
        stay.first_event_us,
        stay.last_event_us,
        stay.requested_us,
        stay.joined_us,
        stay.left_us,
        stay.first_log_us,
        stay.last_log_us,
        stay.events,
        stay.log_lines,
        stay.join_failures,
        stay.drops,
        stay.audio_failures,
        stay.video_failures,
        stay.reconnects,
        stay.clock_offset_ms,
        stay.client_id,
    )


def learned(attendees: Iterable[Gathered]) -> dict[int, Learned]:
    """What only some events tell. The greatest of several wins, whatever came first."""
    found: dict[int, Learned] = {}
    for one in attendees:
        if one.external_meeting_id or one.media_region:
            known = found.get(one.meeting_id, Learned())
            found[one.meeting_id] = Learned(
                max(known.external_meeting_id, one.external_meeting_id[:_TEXT_LENGTH]),
                max(known.media_region, one.media_region),
            )
    return found
