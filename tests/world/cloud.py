"""AWS as a process of its own: moto over HTTP, with what a portal with SQS as its inbox needs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from tests.world.portals import free_port, wait_for

REGION = "us-east-1"
BUCKET = "greenroom-test"


class Cloud:
    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = (folder / "moto.log").open("ab")
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=self._log,
            stderr=self._log,
        )
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        session = boto3.Session("test", "test", region_name=REGION)
        make: Any = session.client
        self.sqs: Any = make("sqs", endpoint_url=self.url, config=config)
        self.s3: Any = make("s3", endpoint_url=self.url, config=config)
        wait_for(self._answers, seconds=40, what="moto answers")
        self.make_anew()

    def make_anew(self, *, most_receives: int = 20) -> None:
        """Empty queues, an empty bucket."""
        httpx.post(f"{self.url}/moto-api/reset").raise_for_status()
        self.dead_url: str = self.sqs.create_queue(QueueName="inbox-dead")["QueueUrl"]
        arn = self._attribute(self.dead_url, "QueueArn")
        policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "{most_receives}"}}'
        self.queue_url: str = self.sqs.create_queue(
            QueueName="inbox",
            Attributes={"RedrivePolicy": policy, "MessageRetentionPeriod": "1209600"},
        )["QueueUrl"]
        self.sqs.set_queue_attributes(
            QueueUrl=self.dead_url, Attributes={"MessageRetentionPeriod": "1209600"}
        )
        self.s3.create_bucket(Bucket=BUCKET)

    def settings(self, *, visibility_seconds: int = 60) -> dict[str, str]:
        """Of a portal whose inbox this is."""
        return {
            "INBOX": "sqs",
            "INBOX_SQS_URL": self.queue_url,
            "INBOX_SQS_DEAD_LETTER_URL": self.dead_url,
            "INBOX_SQS_VISIBILITY_SECONDS": str(visibility_seconds),
            "INBOX_S3_BUCKET": BUCKET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    # --- Questions --------------------------------------------------------------------------

    def on_queue(self) -> int:
        """Messages that are there, whether an intake has them in hand or not."""
        return sum(
            int(self._attribute(self.queue_url, name))
            for name in (
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            )
        )

    def dead(self) -> int:
        return int(self._attribute(self.dead_url, "ApproximateNumberOfMessages"))

    def objects(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET)
        return [entry["Key"] for entry in listed.get("Contents", ())]

    def put_message(self, text: str, *, url: str = "") -> None:
        self.sqs.send_message(QueueUrl=url or self.queue_url, MessageBody=text)

    def messages(self) -> list[str]:
        """Read what is on the queue and leave it there."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in answer.get("Messages", ())]

    def _attribute(self, url: str, name: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        value: str = answer["Attributes"][name]
        return value

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/data.json", timeout=2).status_code == 200
        except httpx.TransportError:
            return False
