"""The figures that the roll-ups tell, all read together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from meetings.dashboard.shapes import (
    Bucket,
    ClientChoice,
    DeviceTrouble,
    Durations,
    Share,
    Shares,
    StartDurations,
    Trend,
)
from meetings.rollups import reading, troubles
from meetings.rollups.cover import BUCKET, EPOCH, LEVELS, Stretch
from meetings.rollups.reading import Row
from meetings.rollups.statement import Figure
from meetings.rollups.troubles import Other
from portal.timerange import TimeRange

SHORTEST_STEP = timedelta(seconds=BUCKET)  # as the percentiles of the CloudWatch dashboard
MOST_POINTS = 300
# Up to this the trend is finer than a bucket, and is counted from the facts.
_SHORT = timedelta(hours=1)
_FINEST_STEP = timedelta(seconds=10)
_TREND_POINTS = 60
_FINE_POINTS = 48
# Steps for which sums lie ready, and one for the longest periods.
_STEPS = [*(timedelta(seconds=level) for level in LEVELS), timedelta(days=7)]

_MOST_SDKS = 5
_MOST_SHARES = 50
_MOST_BROWSERS = 10
_MOST_SYSTEMS = 10
_BROWSERS_OF = {"platform": "JavaScript"}
_CHOSEN = {
    "platform": "platform",
    "sdk": "sdk_name",
    "sdk_version": "sdk_version",
    "browser": "browser_name",
    "browser_major": "browser_major",
    "os": "os_name",
    "os_version": "os_version",
    "region": "region",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """`now` and `before`: None where nothing was counted.

    `people`: to how many attendees each kind of trouble happened in the period.
    """

    now: Row | None
    before: Row | None
    people: Mapping[str, int]
    trend: Trend
    start_durations: StartDurations
    shares: Shares
    device_trouble: Sequence[DeviceTrouble]
    # Some stretches of the period, and what happened in each.
    stretches: Sequence[Row]
    step: timedelta

    def newest(self, counts: Sequence[str], most: int) -> list[Stretch]:
        """The newest stretches in which these things happened so often in all."""
        found: dict[datetime, int] = {}
        for row in sorted(self.stretches, key=lambda row: row.at or EPOCH, reverse=True):
            number = sum(getattr(row, name) for name in counts)
            if row.at is None or not number:
                continue
            if row.at not in found and sum(found.values()) >= most:
                break
            found[row.at] = found.get(row.at, 0) + number
        return [Stretch(at, at + self.step) for at in found]


def read(period: TimeRange, clients: ClientChoice, *, headline_only: bool = False) -> Figures:
    """Figures of events: an attendee who tries three times makes three attempts.

    Percentiles are of meetingStartDurationMs over attempts that succeeded and told one above zero,
    less than 1 % off. With `headline_only` only the first figures are read. Three queries.
    """
    chosen = {_CHOSEN[name]: value for name, value in clients.values.items()}
    figures = [*_totals(period), _trend(period)]
    if not headline_only:
        figures += [_durations(period), *_shares(period)]
    rows = reading.read(figures, chosen)
    told: dict[str, list[Row]] = {figure.key: [] for figure in figures}
    for row in rows:
        told[row.figure].append(row)
    now = next(iter(told["now"]), None)
    others = troubles.others(period.start, period.end, chosen)
    return Figures(
        now=now,
        before=next(iter(told["before"]), None),
        people=_people(now, others),
        trend=_trend_of(period, told["trend"]),
        start_durations=_durations_of(period, told.get("durations", []), told.get("sdks", [])),
        shares=_shares_of(told),
        device_trouble=_devices_of(told.get("browsers", []), others),
        stretches=told.get("durations", []),
        step=duration_step(period),
    )


def _totals(period: TimeRange) -> list[Figure]:
    before = period.before
    return [
        Figure("now", period.start, period.end, is_timed=True),
        Figure("before", before.start, before.end, is_timed=True),
    ]


# --- Trend --------------------------------------------------------------------------------------


def _trend(period: TimeRange) -> Figure:
    step = _trend_step(period)
    return Figure(
        "trend",
        period.start,
        period.end,
        step=step,
        is_timed=True,
        is_fine=step < SHORTEST_STEP,
    )


def _trend_step(period: TimeRange) -> timedelta:
    if period.span <= _SHORT:
        return max(period.step(_FINE_POINTS), _FINEST_STEP)
    return _step(period, _TREND_POINTS)


def _step(period: TimeRange, most: int) -> timedelta:
    return next((step for step in _STEPS if period.span / step <= most), _STEPS[-1])


def _trend_of(period: TimeRange, rows: Iterable[Row]) -> Trend:
    """Sparklines and the success rate over time."""
    step = _trend_step(period)
    moments = _moments(period, step)
    buckets = {
        row.at: Bucket(
            row.succeeded,
            row.failed,
            row.dropped,
            row.audio_failed,
            row.video_failed,
            row.p50_ms,
            row.p95_ms,
        )
        for row in rows
    }
    return Trend(moments, step, [buckets.get(moment) for moment in moments])


def _moments(period: TimeRange, step: timedelta) -> list[datetime]:
    """Starts of the buckets, on round UTC times; the first may lie before the period."""
    moment = EPOCH + (period.start - EPOCH) // step * step
    found = []
    while moment < period.end:
        found.append(moment)
        moment += step
    return found


# --- Durations ----------------------------------------------------------------------------------


def _durations(period: TimeRange) -> Figure:
    """Over time; those of the whole period come with the shares."""
    return Figure(
        "durations",
        period.start,
        period.end,
        name="sdk_name",
        step=duration_step(period),
        is_timed=True,
    )


def duration_step(period: TimeRange) -> timedelta:
    """At least 300 s, as the original counts it; more where the chart would not hold the points."""
    return max(_step(period, MOST_POINTS), SHORTEST_STEP)


def _durations_of(
    period: TimeRange, rows: Iterable[Row], whole_rows: Iterable[Row]
) -> StartDurations:
    """p50 and p95 of the five busiest SDKs."""
    step = duration_step(period)
    moments = _moments(period, step)
    points = {(row.name, row.at): row for row in rows}
    busiest = sorted(
        (row for row in whole_rows if row.timed), key=lambda row: (-row.timed, row.name)
    )

    def course(sdk: str) -> list[Row | None]:
        return [points.get((sdk, moment)) for moment in moments]

    return StartDurations(
        moments,
        step,
        [
            Durations(
                whole.name,
                [row and row.p50_ms for row in course(whole.name)],
                [row and row.p95_ms for row in course(whole.name)],
                whole.p50_ms or 0.0,
                whole.p95_ms or 0.0,
            )
            for whole in busiest[:_MOST_SDKS]
        ],
    )


# --- Shares -------------------------------------------------------------------------------------


def _shares(period: TimeRange) -> list[Figure]:
    """By SDK, its version, browser and system.

    Browsers are those of JavaScript clients, with their major version: all of them, as those most
    in use need not be those with most trouble.
    """
    start, end = period.start, period.end
    return [
        Figure("sdks", start, end, name="sdk_name", is_timed=True),
        Figure("versions", start, end, name="sdk_name", version="sdk_version", most=_MOST_SHARES),
        Figure(
            "browsers",
            start,
            end,
            name="browser_name",
            version="browser_major",
            only=_BROWSERS_OF,
        ),
        Figure("systems", start, end, name="os_name", most=_MOST_SYSTEMS),
    ]


def _shares_of(told: Mapping[str, Iterable[Row]]) -> Shares:
    """The lists end where the page would."""

    def shares(key: str, most: int) -> list[Share]:
        asked = [row for row in told.get(key, []) if row.requested]
        ranked = sorted(asked, key=lambda row: (-row.requested, row.name, row.version))
        return [
            Share(row.name, row.version, row.requested, row.succeeded, row.failed)
            for row in ranked[:most]
        ]

    return Shares(
        sdks=shares("sdks", _MOST_SHARES),
        versions=shares("versions", _MOST_SHARES),
        browsers=shares("browsers", _MOST_BROWSERS),
        systems=shares("systems", _MOST_SYSTEMS),
    )


# --- People -------------------------------------------------------------------------------------


def _people(row: Row | None, others: Iterable[Other]) -> dict[str, int]:
    simple = {
        "dropped": row.people_dropped if row else 0,
        "audio": row.people_audio if row else 0,
        "video": row.people_video if row else 0,
    }
    more = {(one.metric, one.attendee_id) for one in others}
    return {
        metric: count + sum(1 for other, _ in more if other == metric)
        for metric, count in simple.items()
    }


def _devices_of(rows: Iterable[Row], others: Iterable[Other]) -> list[DeviceTrouble]:
    """Browsers by how many attendees could not use a microphone or camera in them: the top ten."""
    more = Counter(
        (browser, major)
        for _, browser, major in {
            (one.attendee_id, one.browser, one.major)
            for one in others
            if one.metric == "device" and one.platform == _BROWSERS_OF["platform"]
        }
    )
    found = [
        DeviceTrouble(
            row.name,
            row.version,
            row.audio_failed + row.video_failed,
            row.people_device + more[row.name, row.version],
        )
        for row in rows
    ]
    ranked = sorted(found, key=lambda one: (-one.people, -one.times, one.browser, one.major))
    return [one for one in ranked if one.times][:_MOST_BROWSERS]
