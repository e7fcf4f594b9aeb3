"""The dashboard's figures as tiles: each says how it stands, since when, and where its rows are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from meetings import vocabulary
from meetings.dashboard import Headline
from meetings.dashboard.shapes import Period, Tally
from meetings.pages import links
from portal import figures
from portal.pieces import State


@dataclass(frozen=True, slots=True)
class Tile:
    """What {% tile %} draws."""

    label: str
    value: float | None
    href: str
    unit: str = ""
    before: float | None = None
    better: str = ""
    spark: Sequence[float | None] = ()
    as_of: datetime | None = None
    stale: str = ""
    state: State | str = ""
    note: str = ""


def tiles(board: Headline) -> list[Tile]:
    return [
        _join_success(board),
        _shut_out(board),
        _tally(board, "Dropped out", "dropped", vocabulary.DROPPED),
        _tally(board, "Microphone failed", "audio_failed", vocabulary.AUDIO_FAILED),
        _tally(board, "Camera failed", "video_failed", vocabulary.VIDEO_FAILED),
        _time_to_join(board, "Time to join, typical", "start_p50_ms", "half of all joins"),
        _time_to_join(board, "Time to join, slow", "start_p95_ms", "95 of 100 joins"),
        _live(board),
    ]


def staleness(board: Headline) -> str:
    """Why figures may be old; nothing if they are not."""
    if board.last_received_at is None:
        return "No client event has ever come in"
    return board.freshness.stale


def _known(period: Period, value: float | None) -> float | None:
    """A figure of a period in which nothing was heard is unknown, not zero."""
    return None if period.is_empty else value


def _join_success(board: Headline) -> Tile:
    now, target = board.now, settings.JOIN_SUCCESS_TARGET
    rate = now.join_success
    state: State = "unknown" if rate is None else "ok" if rate >= target else "bad"
    note = f"target {figures.percent(target)}"
    if now.decided:
        counted = f"{now.succeeded.times:,} of {now.decided:,} attempts"
        note = f"{counted} · {note}"
    return Tile(
        "Join success",
        rate,
        links.events(
            board.period, board.clients, name=[vocabulary.JOIN_SUCCEEDED, vocabulary.JOIN_FAILED]
        ),
        unit="%",
        before=board.compared.join_success if board.compared else None,
        better="up",
        spark=board.trend.course("join_success"),
        as_of=board.freshness.as_of,
        stale=staleness(board),
        state=state,
        note=note,
    )


def _shut_out(board: Headline) -> Tile:
    now = board.now
    attempts = now.failed.times
    return Tile(
        "Could not join",
        _known(now, now.shut_out),
        links.attendees(board.period, board.clients, outcome="failed"),
        before=board.compared.shut_out if board.compared else None,
        better="down",
        spark=board.trend.course("failed"),
        as_of=board.freshness.as_of,
        stale=staleness(board),
        state=_count_state(now, now.shut_out, "bad"),
        note="" if now.is_empty else f"{attempts:,} failed {_plural(attempts, 'attempt')}",
    )


def _tally(board: Headline, label: str, name: str, event: str) -> Tile:
    tally: Tally = getattr(board.now, name)
    before: Tally | None = getattr(board.compared, name, None)
    return Tile(
        label,
        _known(board.now, tally.times),
        links.events(board.period, board.clients, name=event),
        before=before.times if before else None,
        better="down",
        spark=board.trend.course(name),
        as_of=board.freshness.as_of,
        stale=staleness(board),
        state=_count_state(board.now, tally.times, "warn"),
        note=_people(tally.people) if tally.times else "",
    )


def _time_to_join(board: Headline, label: str, name: str, note: str) -> Tile:
    now: float | None = getattr(board.now, name)
    before: float | None = getattr(board.compared, name, None)
    return Tile(
        label,
        _in_seconds(now),
        links.events(board.period, board.clients, name=vocabulary.JOIN_SUCCEEDED),
        unit="s",
        before=_in_seconds(before),
        better="down",
        spark=board.trend.course(name),
        as_of=board.freshness.as_of,
        stale=staleness(board),
        note=f"{'p50' if name == 'start_p50_ms' else 'p95'}: {note} took at most this",
    )


def _in_seconds(milliseconds: float | None) -> float | None:
    """To what is shown, so that a change nobody can see is none."""
    return None if milliseconds is None else round(milliseconds / 1000, 1)


def _live(board: Headline) -> Tile:
    everyone = ", all clients" if board.clients.query else ""
    return Tile(
        "Meetings now",
        board.live.meetings,
        links.meetings(live="1", range="24h"),
        as_of=board.freshness.as_of,
        stale=staleness(board),
        note=f"{_people(board.live.people)} in them{everyone}",
    )


def _count_state(period: Period, count: int, trouble: State) -> State:
    if period.is_empty:
        return "unknown"
    return trouble if count else "ok"


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
