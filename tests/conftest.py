"""What several apps' tests share. What one app needs lies in its own folder."""

import logging
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings
from rest_framework.test import APIClient

from meetings import dimensions
from meetings.rollups import kinds
from portal.access.models import User
from portal.access.services import create_key, forget_cached_keys
from tests.world.portals import Portal

logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes a line for each request


@pytest.fixture(scope="session", autouse=True)
def _static_files_as_they_lie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In process nothing is collected, so names of static files carry no hash."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(
        STATIC_ROOT=tmp_path_factory.mktemp("static"),
        STORAGES={**settings.STORAGES, "staticfiles": plain},
    ):
        yield


@pytest.fixture(autouse=True)
def _fresh_key_cache() -> None:
    """Keys are cached for seconds in the process; the tests' database forgets them at once."""
    forget_cached_keys()


@pytest.fixture(autouse=True)
def _fresh_dimensions() -> None:
    """The ids of names and clients that another test's database had given."""
    dimensions.forget_known()
    kinds.forget_known()


@pytest.fixture
def ingest_key(db: None) -> str:
    return create_key(kind="ingest", name="Test app", scopes=["ingest"])[1]


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("ada", password="correct horse battery")


@pytest.fixture
def api(staff: User) -> APIClient:
    """Somebody signed in who may do everything."""
    client = APIClient()
    client.force_login(staff)
    return client


@pytest.fixture(scope="session")
def prepared_portal(tmp_path_factory: pytest.TempPathFactory) -> Portal:
    """A portal with all tables and nothing in them, at rest: portals of tests are copies of it."""
    portal = Portal(tmp_path_factory.mktemp("prepared"))
    portal.prepare()
    portal.stop()
    return portal


@pytest.fixture
def portal(prepared_portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal of real processes, none of which is started yet."""
    portal = Portal(tmp_path_factory.mktemp("portal"))
    portal.copy_of(prepared_portal)
    yield portal
    portal.stop()
