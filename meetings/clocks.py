"""Whether a client's clock can be right."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - EPOCH) // _MICROSECOND


def moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


@dataclass(frozen=True, slots=True)
class ClockRule:
    """How far a client's clock may be from ours before it is flagged.

    `behind` is generous: mobile SDKs keep events for two days and send them with the next meeting.
    """

    ahead: timedelta
    behind: timedelta

    def plausible(self, received_us: int) -> range:
        """The microseconds since 1970 that a client may name in what we received at that one."""
        earliest = received_us - self.behind // _MICROSECOND
        return range(earliest, received_us + self.ahead // _MICROSECOND + 1)
