"""A clean queue, dead-letter queue and bucket for each test, on moto over HTTP."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from portal.access import outage
from portal.inbox.sqs import sender, watch
from tests.world.cloud import Cloud


@pytest.fixture(scope="session")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.stop()


@pytest.fixture(autouse=True)
def cloud(_cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    _cloud.make_anew()
    for name, value in _cloud.settings().items():
        setattr(settings, name, int(value) if value.isdigit() else value)
    sender.sender.cache_clear()  # it may have been told to pause by another test
    watch.forget()
    monkeypatch.setattr(outage, "_breaker", outage.Breaker())
    return _cloud
