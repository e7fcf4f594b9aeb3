"""What AWS takes in one request. Figures: PutLogEvents and PutMetricData in AWS' API reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meetings.cloudwatch.messages import LogEvent

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

MOST_EVENTS = 10_000
MOST_BYTES = 1_048_576
OVERHEAD_BYTES = 26
DAY_MS = 24 * 3600 * 1000
OLDEST = timedelta(days=14)
NEWEST = timedelta(hours=2)
# A margin for the way: what is in time here must be in time there.
_MARGIN = timedelta(minutes=5)
MOST_METRICS = 1000


@dataclass(frozen=True, slots=True)
class Misfit:
    """A log event that CloudWatch would not take, and why."""

    log: LogEvent
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Log events for one request, and how many of the shipment are done with when it is."""

    logs: list[LogEvent]
    misfits: list[Misfit]
    done_count: int


def batches(logs: Sequence[LogEvent], *, skip: int, now: datetime) -> Iterator[Batch]:
    """Cut sorted log events into requests, leaving out those that CloudWatch would not take."""
    kept: list[LogEvent] = []
    misfits: list[Misfit] = []
    size = 0
    for number, log in enumerate(logs[skip:], start=skip):
        length = len(log.text.encode()) + OVERHEAD_BYTES
        if misfit := _misfit(log, length, now):
            misfits.append(misfit)
            continue
        full = len(kept) >= MOST_EVENTS or size + length > MOST_BYTES
        if kept and (full or log.at_ms - kept[0].at_ms >= DAY_MS):
            yield Batch(kept, misfits, number)
            kept, misfits, size = [], [], 0
        kept.append(log)
        size += length
    if kept or misfits:
        yield Batch(kept, misfits, len(logs))


def _misfit(log: LogEvent, length: int, now: datetime) -> Misfit | None:
    now_ms = now.timestamp() * 1000
    if length > MOST_BYTES:
        detail = f"The event has {length:,} bytes, more than CloudWatch takes in one."
        return Misfit(log, "cloudwatch-too-large", detail)
    if log.at_ms < 0 or log.at_ms < now_ms - (OLDEST - _MARGIN) / timedelta(milliseconds=1):
        detail = "CloudWatch takes no events that are more than 14 days old."
        return Misfit(log, "cloudwatch-too-old", detail)
    if log.at_ms > now_ms + (NEWEST - _MARGIN) / timedelta(milliseconds=1):
        detail = (
            "CloudWatch takes no events of more than 2 hours ahead: the client's clock is wrong. "
            "Replay it once that time has come."
        )
        return Misfit(log, "cloudwatch-too-new", detail)
    return None


def metric_requests(
    data: Sequence["MetricDatumTypeDef"], now: datetime
) -> Iterator[list["MetricDatumTypeDef"]]:
    """Values of the last two weeks, as many as one request takes."""
    oldest, newest = now - (OLDEST - _MARGIN), now + (NEWEST - _MARGIN)
    fitting = [datum for datum in data if oldest <= _moment(datum) <= newest]
    for start in range(0, len(fitting), MOST_METRICS):
        yield fitting[start : start + MOST_METRICS]


def _moment(datum: "MetricDatumTypeDef") -> datetime:
    moment = datum["Timestamp"]
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
