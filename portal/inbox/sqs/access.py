"""For `manage.py doctor`: tries each access to queue and bucket, and knows the policy needed."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from portal.diagnosis import Finding, Verdict
from portal.inbox.sqs import cloud
from portal.inbox.sqs.watch import is_on

# An outage of a night and a day must not cost anything.
_LEAST_RETENTION_SECONDS = 4 * 24 * 3600


def examine() -> Iterator[Finding]:
    if not is_on():
        return
    yield from _queue("inbox queue", settings.INBOX_SQS_URL)
    if settings.INBOX_SQS_DEAD_LETTER_URL:
        yield from _queue("dead-letter queue", settings.INBOX_SQS_DEAD_LETTER_URL)
    yield _bucket()


def _queue(name: str, url: str) -> Iterator[Finding]:
    is_inbox = url == settings.INBOX_SQS_URL
    try:
        found = cloud.attributes(url)
        cloud.receive_nothing(url)
    except (BotoCoreError, ClientError) as error:
        yield _failure(name, f"{url}: {error}", _DENIED)
        return
    largest = int(found["MaximumMessageSize"])
    if is_inbox and largest < settings.INBOX_SQS_MAX_BYTES:
        yield _failure(
            name,
            f"The queue takes messages of {largest:,} bytes, the doors send up to "
            f"{settings.INBOX_SQS_MAX_BYTES:,}.",
            "Raise MaximumMessageSize of the queue, or lower INBOX_SQS_MAX_BYTES.",
        )
        return
    if int(found["MessageRetentionPeriod"]) < _LEAST_RETENTION_SECONDS:
        yield Finding(
            name,
            Verdict.WARNING,
            "The queue forgets messages within four days: a longer outage loses deliveries.",
            "Set MessageRetentionPeriod of the queue to 1209600 seconds, which is 14 days.",
        )
        return
    if is_inbox and (warning := _redrive(name, found)):
        yield warning
        return
    yield Finding(name, Verdict.OK, f"{found['ApproximateNumberOfMessages']} messages wait.")


def _redrive(name: str, found: dict[str, str]) -> Finding | None:
    """A dead-letter queue that nobody drains is a place where deliveries are forgotten."""
    if "RedrivePolicy" not in found:
        return None
    policy = json.loads(found["RedrivePolicy"])
    if not settings.INBOX_SQS_DEAD_LETTER_URL:
        return Finding(
            name,
            Verdict.WARNING,
            "The queue has a dead-letter queue, which the portal does not look at.",
            "Set INBOX_SQS_DEAD_LETTER_URL, so that its messages come to the quarantine.",
        )
    if int(policy.get("maxReceiveCount", 0)) <= settings.INBOX_MAX_ATTEMPTS:
        return Finding(
            name,
            Verdict.WARNING,
            "The queue gives messages up before the portal does.",
            f"Set maxReceiveCount above INBOX_MAX_ATTEMPTS ({settings.INBOX_MAX_ATTEMPTS}), to 20.",
        )
    return None


def _bucket() -> Finding:
    """Writes, reads and deletes a small object, as doors and intakes do."""
    name, bucket = "inbox bucket", settings.INBOX_S3_BUCKET
    probe = f"{settings.INBOX_S3_PREFIX}doctor"
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("written to", lambda: cloud.put_object(probe, b"doctor")),
        ("read", lambda: cloud.get_object(probe)),
        ("cleared", lambda: cloud.delete_object(probe)),
        ("asked what is gone", lambda: _ask_for_what_is_gone(probe)),
    ]
    for what, step in steps:
        try:
            step()
        except (BotoCoreError, ClientError) as error:
            return _failure(name, f"{bucket} cannot be {what}: {error}", _DENIED)
    return Finding(name, Verdict.OK, f"{bucket} can be written to, read and cleared.")


def _ask_for_what_is_gone(probe: str) -> None:
    """Without ListBucket S3 says "denied", which intakes must take for an outage."""
    try:
        cloud.get_object(f"{probe}-none")
    except cloud.ObjectGoneError:
        return


_DENIED = "Create it in AWS_REGION, and give the portal this policy: "


def _failure(name: str, detail: str, remedy: str) -> Finding:
    text = remedy + json.dumps(policy()) if remedy == _DENIED else remedy
    return Finding(name, Verdict.FAILURE, detail, text)


def policy() -> dict[str, Any]:
    """What doors and drains together may do. docs/sqs.md has it for each alone."""
    queues = [
        _arn_of(url) for url in (settings.INBOX_SQS_URL, settings.INBOX_SQS_DEAD_LETTER_URL) if url
    ]
    bucket = f"arn:aws:s3:::{settings.INBOX_S3_BUCKET}"
    statements = [
        (
            [
                "sqs:SendMessage",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
            ],
            queues,
        ),
        (
            ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
            f"{bucket}/{settings.INBOX_S3_PREFIX}*",
        ),
        (["s3:ListBucket"], bucket),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": resource}
            for actions, resource in statements
        ],
    }


def _arn_of(url: str) -> str:
    account, _, name = urlsplit(url).path.strip("/").rpartition("/")
    return f"arn:aws:sqs:{settings.AWS_REGION}:{account}:{name}"
