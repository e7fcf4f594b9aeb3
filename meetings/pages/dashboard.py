"""The dashboard of meetings: how joining goes, for whom it does not, and with which clients."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from meetings import dashboard, vocabulary
from meetings.dashboard import ClientChoice, Dashboard, queries
from meetings.dashboard.shapes import Choices, Share, StartDurations
from meetings.pages import clients, event_tables, links
from meetings.pages.filter_form import Choice, Option, chips
from meetings.pages.tiles import staleness, tiles
from portal.admin import render_page
from portal.charts.bars import Bar, bars
from portal.charts.frame import Series
from portal.charts.line import line
from portal.charts.pie import Slice, pie
from portal.figures import duration
from portal.pieces import Table
from portal.timerange import TimeRange

_FEW = 3  # failures; fewer are chance


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of the newest rows, how many there are, and where all of them stand."""

    title: str
    table: Table
    total: int
    url: str
    nothing: str


def dashboard_page(request: HttpRequest) -> HttpResponse:
    period = TimeRange.of(request)
    chosen = ClientChoice.of(request.GET)
    board = dashboard.read(period, chosen)
    return render_page(
        request,
        "meetings/dashboard.html",
        title="Meetings dashboard",
        board=board,
        stale=staleness(board),
        tiles=tiles(board),
        charts=_charts(board),
        tables=_tables(board),
        attempts_url=links.events(
            period, chosen, name=[vocabulary.JOIN_SUCCEEDED, vocabulary.JOIN_FAILED]
        ),
        joins_url=links.events(period, chosen, name=vocabulary.JOIN_SUCCEEDED),
        chips=chips(request.GET, chosen.query),
        clear_url=links.dashboard(period, ClientChoice()),
        choices=_choices(queries.choices(), chosen),
        curl=curl(request),
    )


def curl(request: HttpRequest) -> str:
    """How to send a first event."""
    door = request.build_absolute_uri(reverse("door-events", args=["INGEST_KEY"]))
    event = (
        '[{"name":"meetingStartRequested","attributes":{"meetingId":"m-1","attendeeId":"a-1",'
        '"timestampMs":\'$(date +%s000)\',"sdkName":"amazon-chime-sdk-js"}}]'
    )
    return f"curl -d '{event}' {door}"


def _charts(board: Dashboard) -> dict[str, str]:
    durations = board.start_durations
    return {
        "success": _success(board),
        "p50": _durations(
            "Meeting start duration, p50",
            durations,
            [(one.sdk, one.p50_ms, one.whole_p50_ms) for one in durations.by_sdk],
        ),
        "p95": _durations(
            "Meeting start duration, p95",
            durations,
            [(one.sdk, one.p95_ms, one.whole_p95_ms) for one in durations.by_sdk],
        ),
        "platforms": _platforms(board),
        "versions": _version_bars(board),
        "browsers": _browser_bars(board),
        "systems": _system_bars(board),
        "devices": _device_bars(board),
    }


def _success(board: Dashboard) -> str:
    return line(
        "Join success",
        board.trend.moments,
        [Series("Join success", board.trend.course("join_success"), "accent")],
        unit="%",
        target=settings.JOIN_SUCCESS_TARGET,
        height=120,
    )


def _platforms(board: Dashboard) -> str:
    slices = [
        Slice(clients.sdk(one.name), one.requested, _attempts(board, sdk=one.name))
        for one in board.shares.sdks
    ]
    return pie("SDK platforms", slices)


def _version_bars(board: Dashboard) -> str:
    rows = [
        (one, clients.sdk(one.name, one.version), {"sdk": one.name, "sdk_version": one.version})
        for one in board.shares.versions
    ]
    return _bars(board, "SDK versions", rows)


def _browser_bars(board: Dashboard) -> str:
    rows = [
        (
            one,
            clients.browser(one.name, one.version),
            {"platform": "JavaScript", "browser": one.name, "browser_major": one.version},
        )
        for one in board.shares.browsers
    ]
    return _bars(board, "Top 10 browsers (JavaScript)", rows)


def _system_bars(board: Dashboard) -> str:
    rows = [(one, clients.system(one.name), {"os": one.name}) for one in board.shares.systems]
    return _bars(board, "Top 10 operating systems", rows)


def _durations(
    title: str,
    durations: StartDurations,
    lines: Sequence[tuple[str, Sequence[float | None], float]],
) -> str:
    """The key gives the percentile of the whole period, which no average of the points would."""
    return line(
        title,
        durations.moments,
        [
            Series(clients.sdk(sdk), _in_seconds(points), whole=whole / 1000)
            for sdk, points, whole in lines
        ],
        unit="s",
        note=f"per {duration(durations.step)}; beside the names: all of the period",
        bridge=2,
    )


def _device_bars(board: Dashboard) -> str:
    return bars(
        "Microphone and camera failures by browser",
        [
            Bar(
                clients.browser(one.browser, one.major),
                one.people,
                _events(
                    board,
                    dashboard.DEVICE_FAILURES,
                    platform="JavaScript",
                    browser=one.browser,
                    browser_major=one.major,
                ),
                note=f"{one.times:,} {'failure' if one.times == 1 else 'failures'}",
            )
            for one in board.device_trouble
        ],
        unit="people",
    )


def _bars(board: Dashboard, title: str, rows: Sequence[tuple[Share, str, dict[str, str]]]) -> str:
    return bars(
        title,
        [
            Bar(
                label,
                one.requested,
                _attempts(board, **told),
                note=_trouble(one, board),
                bad_share=one.failed / max(1, one.succeeded + one.failed),
            )
            for one, label, told in rows
        ],
        total=board.now.requested.times,
    )


def _trouble(share: Share, board: Dashboard) -> str:
    """Which kind of client fails is what the list is read for."""
    decided = share.succeeded + share.failed
    sign = "▲ " if _stands_out(share, board) else ""
    return f"{sign}{share.failed} of {decided} could not join" if share.failed else ""


def _stands_out(share: Share, board: Dashboard) -> bool:
    """It fails more than twice as often as all the others."""
    decided = share.succeeded + share.failed
    others_failed = board.now.failed.times - share.failed
    others_decided = board.now.decided - decided
    usual = max(1 - settings.JOIN_SUCCESS_TARGET, others_failed / max(1, others_decided))
    return share.failed >= _FEW and share.failed > 2 * usual * decided


def _attempts(board: Dashboard, **filters: str) -> str:
    """The list of attempts to join of such clients."""
    return _events(board, [vocabulary.JOIN_REQUESTED], **filters)


def _events(board: Dashboard, names: Sequence[str], **filters: str) -> str:
    told = {name: links.told(value) for name, value in filters.items()}
    chosen = ClientChoice(**{**board.clients.query, **told})
    return links.events(board.period, chosen, name=names)


def _in_seconds(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else value / 1000 for value in values]


def _tables(board: Dashboard) -> list[Rows]:
    now = board.now
    return [
        Rows(
            "Meeting join failures",
            event_tables.join_failures(board.join_failures),
            now.failed.times,
            links.events(board.period, board.clients, name=vocabulary.JOIN_FAILED),
            "Nobody failed to join.",
        ),
        Rows(
            "Dropped attendees",
            event_tables.drops(board.drops),
            now.dropped.times,
            links.events(board.period, board.clients, name=vocabulary.DROPPED),
            "Nobody dropped out.",
        ),
        Rows(
            "Audio and video input failures",
            event_tables.device_failures(board.device_failures),
            now.audio_failed.times + now.video_failed.times,
            links.events(board.period, board.clients, name=dashboard.DEVICE_FAILURES),
            "No microphone or camera failed.",
        ),
    ]


def _choices(offered: Choices, chosen: ClientChoice) -> list[Choice]:
    return [
        Choice(
            "sdk", "SDK", [Option(name, clients.sdk(name)) for name in offered.sdks], chosen.sdk
        ),
        Choice(
            "sdk_version",
            "SDK version",
            [Option(version, version) for version in offered.versions],
            chosen.sdk_version,
        ),
        Choice(
            "browser",
            "Browser",
            [Option(name, name) for name in dict.fromkeys(name for name, _ in offered.browsers)],
            chosen.browser,
        ),
        Choice(
            "browser_major",
            "Browser version",
            [
                Option(major, f"{name} {major}" if not chosen.browser else major)
                for name, major in offered.browsers
                if major and chosen.browser in {"", name}
            ],
            chosen.browser_major,
        ),
        Choice("os", "System", [Option(name, name) for name in offered.systems], chosen.os),
        *_region_choice(offered, chosen),
    ]


def _region_choice(offered: Choices, chosen: ClientChoice) -> list[Choice]:
    """Offered once any meeting has a region: SDKs do not tell it, some applications do."""
    if not offered.regions and not chosen.region:
        return []
    options = [Option(name, name) for name in offered.regions]
    return [Choice("region", "Region", options, chosen.region)]
