"""What the dashboard shows, before anything is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Self

from meetings.filters import NOT_TOLD
from meetings.models import ClientEvent, Meeting
from portal.freshness import Freshness
from portal.timerange import TimeRange

_LONGEST = 200
# A period before with fewer attempts, or a smaller share of today's, is not compared with.
_FEWEST_ATTEMPTS = 20
_LEAST_OF_NOW = 0.2


@dataclass(frozen=True, slots=True)
class ClientChoice:
    """Which clients the figures are about. Empty means all of them.

    Field names are the URL parameters of the lists behind the figures.
    """

    platform: str = ""
    sdk: str = ""
    sdk_version: str = ""
    browser: str = ""
    browser_major: str = ""
    os: str = ""
    os_version: str = ""
    region: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        chosen = {one.name: parameters.get(one.name, "") for one in fields(cls)}
        return cls(**{name: _clean(value) for name, value in chosen.items()})

    @property
    def query(self) -> dict[str, str]:
        chosen = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in chosen.items() if value}

    @property
    def values(self) -> dict[str, str]:
        """As `query`, with what the columns hold: nothing where the client did not tell."""
        return {name: "" if value == NOT_TOLD else value for name, value in self.query.items()}


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened, and to how many attendees.

    `people` is told of the drops and device failures of a period, not of the one before.
    """

    times: int = 0
    people: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """Totals of one period, bots left out.

    `start_p50_ms` and `start_p95_ms` are percentiles of meetingStartDurationMs over attempts that
    succeeded and told a duration above zero; None where none did.
    """

    requested: Tally = field(default_factory=Tally)
    succeeded: Tally = field(default_factory=Tally)
    failed: Tally = field(default_factory=Tally)
    dropped: Tally = field(default_factory=Tally)
    audio_failed: Tally = field(default_factory=Tally)
    video_failed: Tally = field(default_factory=Tally)
    start_p50_ms: float | None = None
    start_p95_ms: float | None = None
    # People heard of in the period who tried to join and never got in, as the list has them.
    shut_out: int = 0
    # Events came in already before this period, or at its very start: it is all of a period.
    is_whole: bool = True

    @property
    def attempts(self) -> int:
        return max(self.requested.times, self.decided)

    @property
    def decided(self) -> int:
        """Attempts to join of which the end is known."""
        return self.succeeded.times + self.failed.times

    @property
    def join_success(self) -> float | None:
        """Succeeded of decided attempts, 0 to 1; None where none was decided."""
        return self.succeeded.times / self.decided if self.decided else None

    @property
    def is_empty(self) -> bool:
        """Nothing of interest was heard: unknown, which is not the same as well."""
        return not (
            self.requested.times
            or self.decided
            or self.dropped.times
            or self.audio_failed.times
            or self.video_failed.times
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """One stretch of the trend. A stretch without any event is not in it: no data is not zero."""

    succeeded: int
    failed: int
    dropped: int
    audio_failed: int
    video_failed: int
    start_p50_ms: float | None
    start_p95_ms: float | None

    @property
    def join_success(self) -> float | None:
        decided = self.succeeded + self.failed
        return self.succeeded / decided if decided else None


@dataclass(frozen=True, slots=True)
class Trend:
    moments: Sequence[datetime]
    step: timedelta
    buckets: Sequence[Bucket | None]

    def course(self, name: str) -> list[float | None]:
        """One figure of the buckets over time."""
        return [None if one is None else getattr(one, name) for one in self.buckets]


@dataclass(frozen=True, slots=True)
class Durations:
    """Percentiles of the time to join in one SDK's clients, milliseconds.

    Bucket by bucket, and over the whole period.
    """

    sdk: str
    p50_ms: Sequence[float | None]
    p95_ms: Sequence[float | None]
    whole_p50_ms: float
    whole_p95_ms: float


@dataclass(frozen=True, slots=True)
class StartDurations:
    moments: Sequence[datetime]
    step: timedelta
    by_sdk: Sequence[Durations]


@dataclass(frozen=True, slots=True)
class Share:
    """Attempts to join with one kind of client. `name` and `version` are as the clients tell."""

    name: str
    version: str
    requested: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Each ranked by attempts; the lists end where the page would."""

    sdks: Sequence[Share]
    versions: Sequence[Share]
    browsers: Sequence[Share]
    systems: Sequence[Share]


@dataclass(frozen=True, slots=True)
class DeviceTrouble:
    """Microphone and camera failures in one browser: how often, and for how many attendees."""

    browser: str
    major: str
    times: int
    people: int


@dataclass(frozen=True, slots=True)
class Live:
    """Meetings with somebody in them now, whatever the period."""

    meetings: int
    people: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Meetings and people of whom anything was heard in the period, each up to a limit."""

    meetings: int
    people: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer, from all clients ever seen."""

    sdks: Sequence[str]
    versions: Sequence[str]
    browsers: Sequence[tuple[str, str]]
    systems: Sequence[str]
    regions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures that stand first, here and on the overview.

    `last_received_at` None: nothing ever came.
    """

    period: TimeRange
    clients: ClientChoice
    now: Period
    before: Period
    live: Live
    last_received_at: datetime | None
    freshness: Freshness
    trend: Trend

    @property
    def compared(self) -> Period | None:
        """The period before, where it has enough to say: a first hour is no earlier day."""
        least = max(_FEWEST_ATTEMPTS, self.now.attempts * _LEAST_OF_NOW)
        return self.before if self.before.is_whole and self.before.attempts >= least else None


@dataclass(frozen=True, slots=True)
class Dashboard(Headline):
    start_durations: StartDurations
    shares: Shares
    # The newest rows of each; `now` says how many there are.
    join_failures: Sequence[ClientEvent]
    drops: Sequence[ClientEvent]
    device_failures: Sequence[ClientEvent]
    device_trouble: Sequence[DeviceTrouble]


@dataclass(frozen=True, slots=True)
class Overview(Headline):
    # Meetings going on in which something went wrong for somebody.
    troubled: Sequence[Meeting]
    heard: Heard
