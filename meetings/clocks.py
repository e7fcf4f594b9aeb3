"""Whether a client's clock can be right, and the moment that counts if it is not."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    skewed: bool


@dataclass(frozen=True, slots=True)
class ClockRule:
    """How far a client's clock may be from ours before it is flagged.

    `behind` is generous: mobile SDKs keep events for two days and send them with the next meeting.
    """

    ahead: timedelta
    behind: timedelta

    def judge(self, client_ms: int | None, received_at: datetime) -> Moment:
        """The client's time if it can be right; else ours, flagged."""
        if client_ms is None:
            return Moment(received_at, skewed=False)  # claims no time, so cannot be wrong
        try:
            claimed = EPOCH + timedelta(milliseconds=client_ms)
        except OverflowError:
            return Moment(received_at, skewed=True)
        if received_at - self.behind <= claimed <= received_at + self.ahead:
            return Moment(claimed, skewed=False)
        return Moment(received_at, skewed=True)
