import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings

from portal.access import outage, quota
from portal.access.models import ApiKey, QuotaWindow
from portal.access.quota import take_quota
from tests.access.factories import make_key

MINUTE_CHANGE_SECONDS = 10


@pytest.fixture(autouse=True)
def _not_across_two_minutes() -> None:
    """Each test counts within one minute; near its end wait for the next."""
    left = 60 - time.time() % 60
    if left < MINUTE_CHANGE_SECONDS:
        time.sleep(left)


@pytest.fixture(autouse=True)
def _no_outage_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "_breaker", outage.Breaker())


@pytest.mark.django_db
def test_a_key_without_quota_costs_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, _ = make_key()

    with django_assert_num_queries(0):
        assert take_quota(key) == 0


@pytest.mark.django_db
def test_the_quota_is_granted_to_the_last_and_no_further() -> None:
    key, _ = make_key(quota_per_minute=250)

    answers = [take_quota(key) for _ in range(300)]

    assert answers.count(0) == 250
    assert all(0 < wait <= 60 for wait in answers[250:])
    assert QuotaWindow.objects.get().used == 250


@pytest.mark.django_db
def test_an_exhausted_quota_is_refused_without_asking_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, _ = make_key(quota_per_minute=1)
    take_quota(key)
    take_quota(key)

    with django_assert_num_queries(0):
        assert take_quota(key) > 0


@pytest.mark.django_db
def test_larger_amounts_are_taken_whole() -> None:
    key, _ = make_key(quota_per_minute=10)

    assert take_quota(key, 7) == 0
    assert take_quota(key, 7) > 0
    assert take_quota(key, 3) == 0
    assert take_quota(key, 1) > 0


@pytest.mark.django_db
def test_more_than_a_whole_quota_is_charged_as_the_whole() -> None:
    key, _ = make_key(quota_per_minute=10)

    assert take_quota(key, 500) == 0
    assert take_quota(key, 1) > 0


@pytest.mark.django_db
def test_most_requests_need_no_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, _ = make_key(quota_per_minute=6000)

    with django_assert_num_queries(10):
        assert [take_quota(key) for _ in range(600)] == [0] * 600


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shared_memory", [True, False], ids=["one process", "twenty processes"])
def test_twenty_at_once_never_get_more_than_the_quota(
    monkeypatch: pytest.MonkeyPatch, shared_memory: bool
) -> None:
    limit = 1000
    key, _ = make_key(quota_per_minute=limit)
    if not shared_memory:
        monkeypatch.setattr(quota, "_leases", _LeasesOfEachThread())
    granted: list[int] = []
    start = threading.Barrier(20)

    def ask() -> None:
        start.wait()
        granted.append(sum(take_quota(key) == 0 for _ in range(100)))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert limit * 0.98 <= sum(granted) <= limit
    assert QuotaWindow.objects.get().used <= limit


class _LeasesOfEachThread(threading.local):
    """Stands for processes: each thread has a memory of its own."""

    def __init__(self) -> None:
        self.own: dict[str, object] = {}

    def get(self, digest: str) -> object:
        return self.own.get(digest)

    def __setitem__(self, digest: str, lease: object) -> None:
        self.own[digest] = lease

    def __len__(self) -> int:
        return len(self.own)


@pytest.mark.django_db
@pytest.mark.parametrize("inbox", ["database", "sqs"])
def test_without_the_database_a_process_grants_at_most_the_quota_on_its_own(
    settings: Settings, inbox: str
) -> None:
    settings.INBOX = inbox
    key, _ = make_key(quota_per_minute=20)

    def fail(*_: object) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(fail):
        if inbox == "database":
            with pytest.raises(OperationalError):
                take_quota(key)
        else:
            assert [take_quota(key) for _ in range(30)].count(0) == 20


@pytest.mark.django_db
@pytest.mark.parametrize("inbox", ["database", "sqs"])
def test_requests_in_line_do_not_each_find_out_that_the_database_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, inbox: str
) -> None:
    settings.INBOX = inbox
    key, _ = make_key(quota_per_minute=20)
    tries = []
    start = threading.Barrier(8)

    def connect_in_vain(*_: object) -> bool:
        tries.append(1)
        time.sleep(0.2)  # so that the others have got in line
        raise OperationalError("time-out")

    def ask(_: int) -> int | None:
        start.wait()
        try:
            return take_quota(key)
        except OperationalError:
            return None

    monkeypatch.setattr(quota, "_borrow_chunk", connect_in_vain)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert len(tries) == 1
    assert answers == ([0] * 8 if inbox == "sqs" else [None] * 8)


@pytest.mark.django_db
def test_one_key_that_waits_for_the_database_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, _ = make_key(quota_per_minute=20)
    quick, _ = make_key(quota_per_minute=20)
    waits, go_on = threading.Event(), threading.Event()
    borrow = quota._borrow_chunk  # noqa: SLF001 - stands in the way of one key

    def borrow_slowly(key: ApiKey, *about: int) -> bool:
        if key != slow:
            return borrow(key, *about)
        waits.set()
        return go_on.wait(20)

    monkeypatch.setattr(quota, "_borrow_chunk", borrow_slowly)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(take_quota, slow)
        assert waits.wait(20)
        try:
            assert take_quota(quick) == 0
            assert not other.done()
        finally:
            go_on.set()
    assert other.result() == 0
