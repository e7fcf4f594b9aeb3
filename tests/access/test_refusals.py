import pytest
from pytest_django import DjangoAssertNumQueries

from portal.access import refusals
from portal.access.refusals import note_refused_origin
from tests.access.factories import make_key

pytestmark = pytest.mark.django_db


def test_a_burst_of_refusals_is_written_once_a_second_and_loses_none(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = make_key()

    with django_assert_num_queries(1):
        for _ in range(5):
            note_refused_origin(key, "https://evil.example")
    monkeypatch.setattr(refusals, "WRITTEN_SECONDS", 0)
    note_refused_origin(key, "https://worse.example\0")

    key.refresh_from_db()
    assert key.refused_origin_count == 6
    assert key.last_refused_origin == "https://worse.example"
