"""Sending: a loop beside the drain. AWS may be slow or away; nothing waits for it but this."""

import contextlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from meetings.cloudwatch import outbox
from meetings.cloudwatch.limits import Batch, Misfit, batches, metric_requests
from meetings.cloudwatch.messages import Mirrored, mirror
from meetings.models import CloudWatchShipment
from portal import aws
from portal.inbox.handlers import RefusedItem
from portal.inbox.models import Delivery

logger = logging.getLogger(__name__)

# AWS allows 50 new log streams a second; each shipment has its own.
AT_A_TIME = 16
THREADS = 8
IDLE_SECONDS = 1.0
_FOR_GOOD = {"InvalidParameterException", "ValidationException"}


@dataclass(slots=True)
class Parcel:
    """A shipment on its way, and what became of it so far."""

    row: CloudWatchShipment
    mirrored: Mirrored
    logged_count: int
    is_logged: bool
    misfits: list[Misfit] = field(default_factory=list)
    error: str = ""


def run(stop: threading.Event) -> None:
    """Send what is due until told to stop. Does nothing while the sink is off."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="cloudwatch") as pool:
        failures = 0
        while not stop.is_set():
            try:
                sent, failed = ship_once(pool) if outbox.is_on() else (0, 0)
            except (OperationalError, InterfaceError) as error:
                logger.warning("The CloudWatch sink waits for the database: %s", error)
                connection.close()
                sent, failed = 0, 1
            failures = failures + 1 if failed and not sent else 0
            if failures:
                stop.wait(min(30.0, outbox.pause(failures)))
            elif not sent:
                stop.wait(IDLE_SECONDS)
    connection.close()


def ship_once(pool: ThreadPoolExecutor) -> tuple[int, int]:
    """Send a few shipments; returns how many arrived, and how many are to be tried again."""
    parcels = pack(outbox.claim(AT_A_TIME))
    list(pool.map(send_logs, parcels))
    send_metrics([parcel for parcel in parcels if parcel.is_logged])
    for parcel in parcels:
        settle(parcel)
    failed = sum(1 for parcel in parcels if parcel.error)
    return len(parcels) - failed, failed


def pack(rows: Sequence[CloudWatchShipment]) -> list[Parcel]:
    by_delivery: dict[int, list[CloudWatchShipment]] = {}
    for row in rows:
        by_delivery.setdefault(row.delivery_id, []).append(row)
    parcels = []
    deliveries = Delivery.objects.filter(pk__in=list(by_delivery)).only(
        "door", "body", "received_at"
    )
    for delivery in deliveries.iterator(chunk_size=1):  # a body may have several megabytes
        parcels += [_parcel(delivery, row) for row in by_delivery.pop(delivery.pk)]
    for gone in by_delivery.values():
        for row in gone:
            logger.warning("Delivery %d is gone; %s was not sent.", row.delivery_id, row)
            outbox.finish(row)
    return parcels


def _parcel(delivery: Delivery, row: CloudWatchShipment) -> Parcel:
    try:
        return Parcel(row, mirror(delivery, row.ordinals), row.logged_count, row.is_logged)
    except Exception as error:
        logger.exception("%s could not be read again.", row)
        return Parcel(row, Mirrored([], []), row.logged_count, row.is_logged, error=repr(error))


def send_logs(parcel: Parcel) -> None:
    """Runs in the pool: no database here."""
    if parcel.is_logged or parcel.error:
        return
    try:
        _make_stream(parcel.row.stream)
        logs = parcel.mirrored.logs
        for batch in batches(logs, skip=parcel.logged_count, now=timezone.now()):
            parcel.misfits += _put(parcel.row.stream, batch)
            parcel.logged_count = batch.done_count
        parcel.is_logged = True
    except (BotoCoreError, ClientError) as error:
        parcel.error = _sentence(error)


def _make_stream(stream: str) -> None:
    logs = aws.client("logs")
    # There may be one: ours, of an earlier try, or of a shipment made in the same millisecond.
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=settings.CLOUDWATCH_LOG_GROUP, logStreamName=stream)


def _put(stream: str, batch: Batch) -> list[Misfit]:
    """Send one request, and return what of it will never be taken."""
    if not batch.logs:
        return batch.misfits
    try:
        answer = aws.client("logs").put_log_events(
            logGroupName=settings.CLOUDWATCH_LOG_GROUP,
            logStreamName=stream,
            logEvents=[{"timestamp": log.at_ms, "message": log.text} for log in batch.logs],
        )
    except ClientError as error:
        if _code(error) == "DataAlreadyAcceptedException":
            return batch.misfits
        if _code(error) not in _FOR_GOOD:
            raise
        detail = f"CloudWatch refused it: {_sentence(error)}"
        return [*batch.misfits, *(Misfit(log, "cloudwatch-refused", detail) for log in batch.logs)]
    rejected = answer.get("rejectedLogEventsInfo", {})
    old = max(rejected.get("tooOldLogEventEndIndex", 0), rejected.get("expiredLogEventEndIndex", 0))
    new = rejected.get("tooNewLogEventStartIndex", len(batch.logs))
    too_old = "CloudWatch took the rest, but not this event: older than 14 days or the retention."
    too_new = "CloudWatch took the rest, but not this event: more than 2 hours ahead."
    return [
        *batch.misfits,
        *(Misfit(log, "cloudwatch-too-old", too_old) for log in batch.logs[:old]),
        *(Misfit(log, "cloudwatch-too-new", too_new) for log in batch.logs[new:]),
    ]


def send_metrics(parcels: Sequence[Parcel]) -> None:
    """The values of several shipments go together; if AWS fails, all of them come again."""
    data = [datum for parcel in parcels for datum in parcel.mirrored.data]
    try:
        for request in metric_requests(data, timezone.now()):
            aws.client("cloudwatch").put_metric_data(
                Namespace=settings.CLOUDWATCH_METRIC_NAMESPACE, MetricData=request
            )
    except (BotoCoreError, ClientError) as error:
        for parcel in parcels:
            if parcel.mirrored.data:
                parcel.error = _sentence(error)


def settle(parcel: Parcel) -> None:
    refused = [_refused(parcel.row.stream, misfit) for misfit in parcel.misfits]
    if not parcel.error:
        outbox.finish(parcel.row, refused)
        return
    logger.warning("%s is sent to CloudWatch later: %s", parcel.row, parcel.error)
    outbox.postpone(
        parcel.row,
        parcel.error,
        logged_count=parcel.logged_count,
        is_logged=parcel.is_logged,
        refused=refused,
    )


def _refused(stream: str, misfit: Misfit) -> RefusedItem:
    log = misfit.log
    return outbox.refusal(stream, log.ordinal, misfit.reason, misfit.detail, log.message)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _sentence(error: BotoCoreError | ClientError) -> str:
    return f"{_code(error)}: {error}" if isinstance(error, ClientError) else str(error)
