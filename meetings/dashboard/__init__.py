"""The dashboard of meetings: `read` gives its figures, and nothing else asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from meetings import handlers, vocabulary
from meetings.dashboard import figures, queries
from meetings.dashboard.figures import Figures
from meetings.dashboard.shapes import ClientChoice, Dashboard, Headline, Overview, Period, Tally
from meetings.models import ClientEvent
from meetings.rollups.reading import Row, one_moment
from portal import freshness
from portal.timerange import TimeRange

__all__ = ["ClientChoice", "Dashboard", "Headline", "Overview", "overview", "read"]

ROWS_SHOWN = 6
TROUBLED_SHOWN = 5
DEVICE_FAILURES = (vocabulary.AUDIO_FAILED, vocabulary.VIDEO_FAILED)


def read(period: TimeRange, clients: ClientChoice) -> Dashboard:
    """All figures of one period and the clients chosen, all of one moment."""
    with one_moment():
        told = figures.read(period, clients)
        newest = _newest(period, clients, told)
        return Dashboard(
            **_headline(period, clients, told),
            start_durations=told.start_durations,
            shares=told.shares,
            join_failures=newest["join_failures"],
            drops=newest["drops"],
            device_failures=newest["device_failures"],
            device_trouble=told.device_trouble,
        )


def _newest(
    period: TimeRange, clients: ClientChoice, told: Figures
) -> dict[str, list[ClientEvent]]:
    """The newest rows of each table, and what the roll-ups call such events."""
    tables: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "join_failures": ([vocabulary.JOIN_FAILED], ["failed"]),
        "drops": ([vocabulary.DROPPED], ["dropped"]),
        "device_failures": (DEVICE_FAILURES, ["audio_failed", "video_failed"]),
    }
    wanted = [
        queries.Wanted(table, names, told.newest(counts, ROWS_SHOWN))
        for table, (names, counts) in tables.items()
    ]
    return queries.newest(wanted, period, clients, most=ROWS_SHOWN)


def overview(period: TimeRange) -> Overview:
    """The first figures alone, and the meetings that have trouble now."""
    everyone = ClientChoice()
    with one_moment():
        told = figures.read(period, everyone, headline_only=True)
        return Overview(
            **_headline(period, everyone, told),
            troubled=queries.troubled_now(most=TROUBLED_SHOWN),
            heard=queries.heard(period),
        )


def _headline(period: TimeRange, clients: ClientChoice, told: Figures) -> dict[str, Any]:
    shut_out = queries.shut_out(period, clients)
    return {
        "period": period,
        "clients": clients,
        "now": _period(told.now, shut_out.now, told.people),
        "before": _period(told.before, shut_out.before, {}, is_whole=shut_out.is_whole),
        "live": queries.live(),
        "last_received_at": queries.last_received_at(list(handlers.READERS)),
        "freshness": freshness.of(freshness.DRAIN),
        "trend": told.trend,
    }


def _period(
    row: Row | None, shut_out: int, people: Mapping[str, int], *, is_whole: bool = True
) -> Period:
    if row is None:
        return Period(shut_out=shut_out, is_whole=is_whole)
    return Period(
        requested=Tally(row.requested),
        succeeded=Tally(row.succeeded),
        failed=Tally(row.failed),
        dropped=Tally(row.dropped, people.get("dropped", 0)),
        audio_failed=Tally(row.audio_failed, people.get("audio", 0)),
        video_failed=Tally(row.video_failed, people.get("video", 0)),
        start_p50_ms=row.p50_ms,
        start_p95_ms=row.p95_ms,
        shut_out=shut_out,
        is_whole=is_whole,
    )
