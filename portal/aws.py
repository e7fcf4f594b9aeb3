"""The only maker of boto3 clients: short time-outs, few retries, one region and endpoint."""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from django.conf import settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

CONNECT_SECONDS = 2
READ_SECONDS = 10


@overload
def client(service: Literal["cloudwatch"]) -> "CloudWatchClient": ...
@overload
def client(service: Literal["logs"]) -> "CloudWatchLogsClient": ...
@overload
def client(service: str) -> Any: ...
def client(service: str) -> Any:
    """A client of an AWS service. Clients may be shared between threads, and are kept.

    Credentials come from where AWS' own tools look for them.
    """
    return _client(service, settings.AWS_REGION, settings.AWS_ENDPOINT_URL)


@cache
def _client(service: str, region: str, endpoint_url: str) -> Any:
    # Here, because the import takes a good part of a process start, and few processes need it.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra="greenroom",
    )
    make: Any = boto3.Session().client  # the service is only known at run time
    return make(service, region_name=region, endpoint_url=endpoint_url or None, config=config)
