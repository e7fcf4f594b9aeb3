"""SQS and S3, as far as the inbox uses them."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from portal import aws

logger = logging.getLogger(__name__)

MOST_TOGETHER = 10
# Below the client's read time-out, and short enough to stop soon when told to.
WAIT_SECONDS = 5
_GONE = {"NoSuchKey", "404"}
_NO_RECEIPT = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "InvalidAddress"}


class ObjectGoneError(Exception):
    """The bucket has no such object any more."""


@dataclass(frozen=True, slots=True)
class Received:
    text: str
    receipt: str
    times: int  # this one included


def send(texts: Sequence[str]) -> list[str]:
    """Put messages on the queue, in one request; returns what went wrong with each, or nothing."""
    answer = aws.client("sqs").send_message_batch(
        QueueUrl=settings.INBOX_SQS_URL,
        Entries=[{"Id": str(number), "MessageBody": text} for number, text in enumerate(texts)],
    )
    errors = ["SQS has not told."] * len(texts)
    for entry in answer.get("Successful", ()):
        errors[int(entry["Id"])] = ""
    for entry in answer.get("Failed", ()):
        errors[int(entry["Id"])] = f"{entry.get('Code')}: {entry.get('Message', '')}"
    return errors


def receive(url: str, *, wait_seconds: int = WAIT_SECONDS) -> list[Received]:
    """Take up to ten messages. For INBOX_SQS_VISIBILITY_SECONDS nobody else gets them."""
    answer = aws.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=MOST_TOGETHER,
        WaitTimeSeconds=wait_seconds,
        VisibilityTimeout=settings.INBOX_SQS_VISIBILITY_SECONDS,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    return [
        Received(
            message["Body"],
            message["ReceiptHandle"],
            int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
        )
        for message in answer.get("Messages", ())
    ]


def delete(url: str, receipts: Sequence[str]) -> None:
    """What cannot be deleted comes again, and is known then."""
    for some in _tens(receipts):
        answer = aws.client("sqs").delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)
            ],
        )
        for entry in answer.get("Failed", ()):
            logger.warning("A message was not deleted: %s", entry.get("Code"))


def hide(url: str, receipts: Sequence[str], seconds: int) -> None:
    """Keep messages from others for so long, counted from now. 0 gives them back."""
    for some in _tens(receipts):
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for number, receipt in enumerate(some)
        ]
        aws.client("sqs").change_message_visibility_batch(QueueUrl=url, Entries=entries)


def attributes(url: str) -> dict[str, str]:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    found: dict[str, str] = answer["Attributes"]
    return found


def receive_nothing(url: str) -> None:
    """Whether messages may be taken, found out without taking one."""
    try:
        aws.client("sqs").change_message_visibility(
            QueueUrl=url, ReceiptHandle="none", VisibilityTimeout=0
        )
    except ClientError as error:
        if code_of(error) not in _NO_RECEIPT:
            raise


def put_object(name: str, body: bytes) -> None:
    aws.client("s3").put_object(
        Bucket=settings.INBOX_S3_BUCKET, Key=name, Body=body, ContentType="application/zstd"
    )


def get_object(name: str) -> bytes:
    try:
        answer = aws.client("s3").get_object(Bucket=settings.INBOX_S3_BUCKET, Key=name)
    except ClientError as error:
        if code_of(error) in _GONE:
            raise ObjectGoneError(name) from None
        raise
    body: bytes = answer["Body"].read()
    return body


def delete_object(name: str) -> None:
    aws.client("s3").delete_object(Bucket=settings.INBOX_S3_BUCKET, Key=name)


def delete_objects(names: Sequence[str]) -> None:
    """Best effort: what stays is taken by the bucket's lifecycle rule."""
    if not names:
        return
    try:
        answer: Any = aws.client("s3").delete_objects(
            Bucket=settings.INBOX_S3_BUCKET,
            Delete={"Objects": [{"Key": name} for name in names], "Quiet": True},
        )
    except (BotoCoreError, ClientError) as error:
        logger.warning("%d objects stay in the bucket: %s", len(names), error)
        return
    for entry in answer.get("Errors", ()):
        logger.warning("An object stays in the bucket: %s", entry.get("Code"))


def code_of(error: Exception) -> str:
    """AWS' name for what went wrong; empty where AWS was not reached."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def _tens(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(receipts), MOST_TOGETHER):
        yield receipts[start : start + MOST_TOGETHER]
