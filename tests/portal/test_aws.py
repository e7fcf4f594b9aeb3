from typing import Any

from django.test import override_settings

from portal import aws


def test_clients_wait_seconds_and_not_minutes() -> None:
    config: Any = aws.client("logs").meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


@override_settings(AWS_REGION="eu-central-1", AWS_ENDPOINT_URL="http://127.0.0.1:5999")
def test_region_and_endpoint_come_from_the_settings() -> None:
    meta = aws.client("logs").meta

    assert (meta.region_name, meta.endpoint_url) == ("eu-central-1", "http://127.0.0.1:5999")


def test_a_client_is_made_once() -> None:
    assert aws.client("logs") is aws.client("logs")
