"""The dashboard of meetings: `read` gives its figures, and nothing else asks for them.

Today they are computed from the facts. Whatever computes them tomorrow keeps `read` as it is.
"""

from typing import Any

from meetings import handlers, vocabulary
from meetings.dashboard import queries
from meetings.dashboard.shapes import ClientChoice, Dashboard, Headline, Overview
from portal.timerange import TimeRange

__all__ = ["ClientChoice", "Dashboard", "Headline", "Overview", "overview", "read"]

ROWS_SHOWN = 6
TROUBLED_SHOWN = 5
DEVICE_FAILURES = (vocabulary.AUDIO_FAILED, vocabulary.VIDEO_FAILED)


def read(period: TimeRange, clients: ClientChoice) -> Dashboard:
    """All figures of one period and the clients chosen, in twelve queries whatever there is."""
    return Dashboard(
        **_headline(period, clients),
        start_durations=queries.start_durations(period, clients),
        shares=queries.shares(period, clients),
        join_failures=queries.newest([vocabulary.JOIN_FAILED], period, clients, most=ROWS_SHOWN),
        drops=queries.newest([vocabulary.DROPPED], period, clients, most=ROWS_SHOWN),
        device_failures=queries.newest(DEVICE_FAILURES, period, clients, most=ROWS_SHOWN),
        device_trouble=queries.device_trouble(period, clients),
    )


def overview(period: TimeRange) -> Overview:
    """The first figures alone, and the meetings that have trouble now. Nine queries."""
    return Overview(
        **_headline(period, ClientChoice()),
        troubled=queries.troubled_now(most=TROUBLED_SHOWN),
        heard=queries.heard(period),
    )


def _headline(period: TimeRange, clients: ClientChoice) -> dict[str, Any]:
    now, before = queries.totals(period, clients)
    return {
        "period": period,
        "clients": clients,
        "now": now,
        "before": before,
        "live": queries.live(),
        "freshness": queries.freshness(list(handlers.READERS)),
        "trend": queries.trend(period, clients),
    }
