import pytest

from portal import startup
from portal.access.models import ApiKey
from portal.access.services import find_key

pytestmark = pytest.mark.django_db


def test_the_first_key_has_a_quota() -> None:
    text = startup.make_first_ingest_key()

    assert text is not None
    key = find_key(text, "ingest")
    assert key is not None
    assert key.quota_per_minute == 60_000


def test_there_is_one_first_key_only() -> None:
    startup.make_first_ingest_key()

    assert startup.make_first_ingest_key() is None

    assert ApiKey.objects.count() == 1
