"""The doors' quick way against their ordinary one: the same rows, answers and refusals."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection as database
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from meetings.formats import UnreadableError, event_array
from portal.access.models import ApiKey
from portal.access.services import create_key, forget_cached_keys, revoke_key
from portal.inbox.doors import Door
from portal.inbox.lane import Lane
from portal.inbox.models import Delivery
from portal.inbox.paths import door_views
from portal.inbox.services import Envelope
from portal.inbox.writer import Item, Writer
from portal.web.connection import Connection
from portal.web.requests import Request
from portal.web.server import Server
from tests.inbox import hostile
from tests.inbox.sending import array, event, log_batch, record
from tests.world.servers import Running
from tests.world.silent_proxy import silent_proxy

T = TypeVar("T")

ORIGIN = "https://app.example"
BODIES: dict[str, Callable[[str], bytes]] = {
    "meetingevents": lambda name: array(event(name)),
    "client-events": lambda name: record([{"name": name, "ts": 1_795_252_656_926}]),
    "log_meeting_event": lambda name: log_batch(name),
    "create_log_stream": lambda name: json.dumps({"meetingId": name, "attendeeId": "a"}).encode(),
}


class WatchedLane(Lane):
    """Tells how many requests it took."""

    taken = 0

    def take(self, connection: Connection, request: Request) -> bool:
        is_taken = super().take(connection, request)
        self.taken += is_taken
        return is_taken


class Doors:
    """A server with the lane, and a key to send with."""

    def __init__(self, **about_key: Any) -> None:
        forget_cached_keys()
        self.key, self.text = create_key(
            kind="ingest", name="Test app", scopes=["ingest"], **about_key
        )
        self.lanes: list[WatchedLane] = []
        self.server = Running(get_wsgi_application(), make_lane=self._make_lane)

    def _make_lane(self, server: Server) -> WatchedLane:
        self.lanes.append(WatchedLane(server))
        return self.lanes[0]

    @property
    def taken(self) -> int:
        return self.lanes[0].taken if self.lanes else 0

    def post(
        self, door: str, body: bytes, **headers: str
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        sent = {"Origin": ORIGIN, "User-Agent": "Browser/1", "Content-Type": "text/plain"}
        sent |= headers
        response, content = self.server.ask("POST", f"/ingest/{self.text}/{door}", body, sent)
        return response.status, dict(response.getheaders()), json.loads(content)

    def open_lane(self, door: str) -> None:
        """By ordinary requests, until the next one is sure to be a quick one."""
        before = self.taken
        for number in range(50):
            self.post(door, BODIES[door](f"opening-{number}"))
            if self.taken > before:
                return
        raise AssertionError("no request took the quick way")


@pytest.fixture
def doors(transactional_db: None) -> Iterator[Doors]:
    doors = Doors(origins=[ORIGIN])
    yield doors
    doors.server.end()


def row_of(body: bytes) -> dict[str, Any]:
    found = [row for row in Delivery.objects.filter(size_bytes=len(body)) if row.raw() == body]
    (row,) = found
    ignored = {"id", "received_at", "queued_at", "body", "digest", "size_bytes"}
    fields = [field.attname for field in Delivery._meta.concrete_fields]
    return {name: getattr(row, name) for name in fields if name not in ignored}


def test_both_ways_store_the_same_row_and_answer_alike(doors: Doors) -> None:
    for door, body in BODIES.items():
        ordinary, quick = body("ordinary"), body("quick")
        status, headers, content = doors.post(door, ordinary)
        doors.open_lane(door)
        before = doors.taken

        quick_status, quick_headers, quick_content = doors.post(door, quick)

        assert doors.taken == before + 1
        assert (quick_status, quick_content) == (status, content) == (200, {})
        assert row_of(quick) == row_of(ordinary)
        varying = {"Date", "X-Request-Id"}
        assert quick_headers.keys() == headers.keys()
        assert {name: quick_headers[name] for name in quick_headers.keys() - varying} == {
            name: headers[name] for name in headers.keys() - varying
        }


def test_headers_are_kept_alike(doors: Doors) -> None:
    body = BODIES["client-events"]
    cases = [
        {name: value}
        for name in ("User-Agent", "Content-Type", "X-Forwarded-For", "Authorization")
        for value in ("é" * 400, "x" * 4000, "a\tb", "<script>", "\xed\xa0\x80", "")
    ]
    for number, headers in enumerate(cases):
        doors.post("client-events", body(f"ordinary-{number}"), **headers)
    doors.open_lane("client-events")
    before = doors.taken

    for number, headers in enumerate(cases):
        doors.post("client-events", body(f"quick-{number}"), **headers)

    assert doors.taken == before + len(cases)
    for number in range(len(cases)):
        assert row_of(body(f"quick-{number}")) == row_of(body(f"ordinary-{number}"))


def test_the_id_that_a_proxy_gave_is_handed_back(doors: Doors) -> None:
    doors.open_lane("client-events")

    _, headers, _ = doors.post("client-events", b"{}", **{"X-Request-Id": "proxy-12345"})
    _, other, _ = doors.post("client-events", b"[]", **{"X-Request-Id": "no good"})

    assert headers["X-Request-Id"] == "proxy-12345"
    assert len(other["X-Request-Id"]) == 32


REFUSED: list[tuple[bytes, dict[str, str], int, str | None]] = [
    (b"{}", {}, 422, None),
    (b"[1]", {}, 422, None),
    (array(event(meetingId="")), {}, 422, None),
    (b"", {}, 422, None),
    (array(event()), {"Origin": "https://evil.example"}, 403, "origin-refused"),
    (gzip.compress(b"[]"), {"Content-Encoding": "gzip"}, 415, "encoded"),
    (array(event()), {"Accept": "text/html"}, 406, "not-acceptable"),
    (array(event()), {"Host": "evil.example"}, 400, "http-400"),
    (array(event("x" * 3000)), {}, 413, "too-large"),
]


def test_what_is_refused_is_refused_by_the_ordinary_way(doors: Doors, settings: Settings) -> None:
    settings.INGEST_MAX_BYTES = 2048
    doors.open_lane("meetingevents")
    before = doors.taken, Delivery.objects.filter(state="waiting").count()

    for body, headers, status, code in REFUSED:
        answered, answer_headers, content = doors.post("meetingevents", body, **headers)

        assert answered == status, (body, headers)
        assert answer_headers["Access-Control-Allow-Origin"] == "*"
        if code is not None:
            assert content["error"]["code"] == code
    assert (doors.taken, Delivery.objects.filter(state="waiting").count()) == before


def test_a_revoked_key_is_refused_at_once(doors: Doors) -> None:
    doors.open_lane("meetingevents")
    revoke_key(doors.key, actor=None)

    status, _, content = doors.post("meetingevents", array(event()))

    assert (status, content["error"]["code"]) == (401, "key-unknown")


def test_a_key_that_expires_is_refused_although_it_is_remembered(doors: Doors) -> None:
    soon = timezone.now() + timedelta(seconds=1.5)
    ApiKey.objects.filter(pk=doors.key.pk).update(expires_at=soon)
    forget_cached_keys()
    doors.open_lane("meetingevents")

    time.sleep(max(0.0, (soon - timezone.now()).total_seconds()))
    status, _, _ = doors.post("meetingevents", array(event("late")))

    assert status == 401


def test_the_quota_is_exact_over_both_ways(transactional_db: None) -> None:
    while time.time() % 60 > 40:
        time.sleep(1)  # all in one minute of the quota
    doors = Doors(quota_per_minute=300)

    try:
        statuses = [doors.post("client-events", b'{"n": %d}' % number)[0] for number in range(305)]
    finally:
        doors.server.end()

    assert statuses == [200] * 300 + [429] * 5
    assert doors.taken > 100


def test_use_of_a_key_is_noted(doors: Doors) -> None:
    doors.open_lane("client-events")

    assert ApiKey.objects.get(pk=doors.key.pk).last_used_at is not None


def test_a_copy_is_counted_and_acknowledged(doors: Doors) -> None:
    doors.open_lane("client-events")
    body = BODIES["client-events"]("copied")

    answers = [doors.post("client-events", body)[0] for _ in range(4)]

    assert answers == [200] * 4
    assert [row.copies for row in Delivery.objects.all() if row.raw() == body] == [4]


def test_join_tokens_take_the_ordinary_way_and_are_not_kept(doors: Doors) -> None:
    doors.open_lane("client-events")
    before = doors.taken
    body = record([{"name": "meetingEnded", "ts": 1}], authorization="very-secret-join-token")

    status, _, _ = doors.post("client-events", body)

    assert (status, doors.taken) == (200, before)
    kept = b"".join(row.raw() for row in Delivery.objects.all())
    assert b"meetingEnded" in kept
    assert b"very-secret" not in kept


def test_what_waits_when_the_server_stops_is_stored_and_answered(doors: Doors) -> None:
    doors.open_lane("client-events")
    before = doors.taken
    connections = [doors.server.connect() for _ in range(50)]
    for number, connection in enumerate(connections):
        body = b'{"number": %d}' % number
        request = (
            f"POST /ingest/{doors.text}/client-events HTTP/1.1\r\nHost: 127.0.0.1:"
            f"{doors.server.port}\r\nContent-Length: {len(body)}\r\nOrigin: {ORIGIN}\r\n\r\n"
        )
        connection.sendall(request.encode() + body)
    doors.server.stop.set()

    answers = [connection.recv(65536) for connection in connections]

    doors.server.thread.join()
    for connection in connections:
        connection.close()
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 50
    assert sum(b"number" in row.raw() for row in Delivery.objects.all()) == 50
    assert doors.taken >= before


def test_an_answer_that_cannot_be_made_quickly_is_made_by_the_ordinary_way(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.open_lane("client-events")
    before = doors.taken

    def fail(offered: str) -> str:
        raise RuntimeError("This is broken on purpose.")

    monkeypatch.setattr("portal.inbox.lane.choose_id", fail)
    status, _, _ = doors.post("client-events", BODIES["client-events"]("unanswered"))

    assert (status, doors.taken) == (200, before + 1)


def test_what_nobody_vouches_for_makes_no_new_answers(doors: Doors, settings: Settings) -> None:
    doors.open_lane("client-events")
    before = doors.taken

    for number in range(5):
        doors.post("client-events", b'{"n": %d}' % number, **{"X-Forwarded-Proto": f"x{number}"})
    assert doors.taken == before + 5

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for number in range(3):  # the first of them is answered the ordinary way
        doors.post("client-events", b'{"m": %d}' % number, **{"X-Forwarded-Proto": "https"})
    assert doors.taken == before + 5 + 2


def test_many_hosts_push_out_one_answer_at_a_time(
    doors: Doors, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.inbox.lane._MOST_ANSWERS", 2)
    settings.ALLOWED_HOSTS = ["*"]
    doors.open_lane("client-events")

    def is_quick(host: str) -> bool:
        before = doors.taken
        doors.post("client-events", f'"{host} {before}"'.encode(), Host=host)
        return doors.taken > before

    assert [is_quick(host) for host in ("a", "b", "b", "a", "b")] == [
        False, False, True, True, True,
    ]  # fmt: skip
    assert [is_quick("a." * 130) for _ in range(2)] == [False, False]
    assert is_quick("b")


def test_use_of_a_key_is_noted_by_one_thread_at_a_time(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.open_lane("client-events")
    goes_on = threading.Event()
    noted: list[int] = []

    def note(key: ApiKey) -> None:
        noted.append(key.pk)
        goes_on.wait(10)

    monkeypatch.setattr("portal.inbox.lane.is_use_noted", lambda key: False)
    monkeypatch.setattr("portal.inbox.lane.note_use", note)
    before = doors.taken
    for number in range(20):
        doors.post("client-events", b'{"n": %d}' % number)
    while_noting = list(noted)
    goes_on.set()

    assert doors.taken == before + 20
    assert while_noting == [doors.key.pk]


# --- The writer -----------------------------------------------------------------------------


def written(*items: tuple[str, bytes]) -> list[bool]:
    """Store bodies at doors in one group; which of them are stored."""
    fates: dict[int, bool] = {}

    async def write() -> None:
        loop = asyncio.get_running_loop()
        writer = Writer(loop)
        done = asyncio.Event()

        def settle(number: int, is_stored: bool) -> None:
            fates[number] = is_stored
            if len(fates) == len(items):
                done.set()

        for number, (door, body) in enumerate(items):
            envelope = Envelope(door=door)

            def tell(is_stored: bool, number: int = number) -> None:
                settle(number, is_stored)

            writer.add(Item(body, envelope, time.time_ns() // 1000, tell))
        await done.wait()
        writer.stop(5)

    asyncio.run(write())
    return [fates[number] for number in range(len(items))]


class Writing:
    """A writer in an event loop of its own, for as long as the block."""

    writer: Writer

    def __enter__(self) -> "Writing":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.writer = self._call(lambda: Writer(self._loop)).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.stop(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Callable[[], T]) -> "Future[T]":
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done

    def add(self, body: bytes, settle: Callable[[bool], None]) -> None:
        item = Item(body, Envelope(door="log-lines"), time.time_ns() // 1000, settle)
        self._loop.call_soon_threadsafe(self.writer.add, item)

    def store(self, body: bytes) -> "Future[bool]":
        """Whether it was stored, once that is known."""
        fate: Future[bool] = Future()
        self.add(body, fate.set_result)
        return fate


@pytest.mark.django_db(transaction=True)
def test_a_body_that_the_database_refuses_fails_alone() -> None:
    fates = written(("log-lines", b"a"), ("x" * 65, b"b"), ("log-lines", b"c"))

    assert fates == [True, False, True]
    assert sorted(row.raw() for row in Delivery.objects.all()) == [b"a", b"c"]


@pytest.mark.django_db(transaction=True)
def test_copies_within_a_group_are_one_delivery_with_a_count() -> None:
    fates = written(("log-lines", b"a"), ("log-lines", b"b"), *[("log-lines", b"a")] * 3)
    again = written(("log-lines", b"a"), ("log-streams", b"a"))

    assert fates + again == [True] * 7
    counts = {(row.door, row.raw()): row.copies for row in Delivery.objects.all()}
    assert counts == {("log-lines", b"a"): 5, ("log-lines", b"b"): 1, ("log-streams", b"a"): 1}


@pytest.mark.django_db(transaction=True)
def test_more_than_one_group_can_hold_is_stored_in_several() -> None:
    fates = written(*[("log-lines", b"%d" % number) for number in range(1000)])

    assert fates == [True] * 1000
    assert Delivery.objects.count() == 1000


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_database_is_not_looked_for_in_the_bodies(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [("log-lines", b"%d" % number) for number in range(20)]
    fates: list[bool] = []
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE inbox_delivery RENAME TO inbox_elsewhere")
    try:
        fates = written(*items)
    finally:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_elsewhere RENAME TO inbox_delivery")

    assert fates == [False] * 20
    told = [record.message for record in caplog.records if "long way" in record.message]
    assert len(told) == 1
    assert told[0].startswith("20 deliveries")


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_could_not_be_prepared_is_prepared_later() -> None:
    with Writing() as writing:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_delivery RENAME TO inbox_elsewhere")
        try:
            assert writing.store(b"a").result(10) is False
        finally:
            with database.cursor() as cursor:
                cursor.execute("ALTER TABLE inbox_elsewhere RENAME TO inbox_delivery")
        fates = [writing.store(b"%d" % number).result(10) for number in range(4)]

        assert fates == [True] * 4
        flushers = writing.writer._flushers  # noqa: SLF001 - nothing else tells of it
        assert all(flusher.prepares for flusher in flushers)


@pytest.mark.django_db(transaction=True)
def test_groups_with_the_same_bodies_in_another_order_do_not_block_each_other() -> None:
    doors = ("log-lines", "log-streams", "client-events")
    fates: list[bool] = []

    def write(items: list[tuple[str, bytes]]) -> None:
        fates.extend(written(*items))

    for round_ in range(5):
        items = [(door, b"%d %d" % (round_, body)) for body in range(80) for door in doors]
        threads = [threading.Thread(target=write, args=[each]) for each in (items, items[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert fates == [True] * 5 * 2 * 240
    assert {row.copies for row in Delivery.objects.all()} == {2}


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_fails_does_not_take_theirs_from_others() -> None:
    with Writing() as writing:

        def fail(is_stored: bool) -> None:
            raise RuntimeError("This client is broken on purpose.")

        writing.add(b"a", fail)
        others = [writing.store(b"%d" % number) for number in range(3)]

        assert [other.result(10) for other in others] == [True] * 3


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_silent_requests_are_not_led_into_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portal.inbox.writer._LATE_SECONDS", 0.3)
    monkeypatch.setattr("portal.inbox.writer._PAUSE_SECONDS", 0.1)
    place = connections.settings["default"]
    with silent_proxy(place["HOST"], int(place["PORT"] or 5432)) as proxy:
        monkeypatch.setitem(place, "HOST", "127.0.0.1")
        monkeypatch.setitem(place, "PORT", proxy.port)
        with Writing() as writing:
            assert writing.store(b"before").result(10)

            proxy.fall_silent()
            meanwhile = writing.store(b"meanwhile")
            had_room = writing.writer.has_room()
            time.sleep(0.5)
            has_room = writing.writer.has_room()
            is_waiting = not meanwhile.done()
            proxy.recover()

            assert (had_room, is_waiting, has_room) == (True, True, False)
            assert meanwhile.result(10) is False
            time.sleep(0.2)
            assert writing.writer.has_room()
            assert writing.store(b"after").result(10)


# --- What the doors say ---------------------------------------------------------------------

VIEWS = sorted({view for view, _ in door_views()}, key=lambda view: view.name)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_what_passes_quickly_would_pass_the_long_way(view: type[Door]) -> None:
    passed = 0
    for body in dict.fromkeys([*hostile.bodies(), *(make("a") for make in BODIES.values())]):
        kept = view.quick(body)
        if kept is None:
            continue
        passed += 1
        assert kept == view().redact(body)
        assert view().refusal(kept) is None, body[:200]

    assert passed > 50


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
_IDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"meetingId": _SCALARS, "attendeeId": _SCALARS | st.just([])}
)
_ITEMS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"name": _SCALARS, "attributes": _IDS | _SCALARS}
)
_DOCUMENTS = st.lists(_ITEMS | _SCALARS, max_size=3) | _ITEMS | _SCALARS


def accepted_by_the_reader(body: bytes) -> bool:
    try:
        return not event_array.refuses(event_array.decode(body))
    except UnreadableError:
        return False


@given(_DOCUMENTS, st.booleans())
def test_the_quick_look_accepts_nothing_that_the_reader_refuses(
    document: Any, is_ascii: bool
) -> None:
    body = json.dumps(document, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    if event_array.surely_accepts(body):
        assert accepted_by_the_reader(body)


@given(
    st.lists(
        st.sampled_from(
            [
                b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"1e400",
                b"-0", b"01", b"NaN", b"null", b"\t", b"\x00", b"\x01", b"\xff", b"\xef\xbb\xbf",
                b'"attributes"', b'"meetingId"', b'"attendeeId"', b'"a"', b"9" * 5000, b"\n",
                b'{"attributes":{"meetingId":"m","attendeeId":"a"}}',
            ]
        ),
        max_size=12,
    )
)  # fmt: skip
def test_the_quick_look_at_broken_json_is_no_wider_than_the_reader(parts: list[bytes]) -> None:
    body = b"".join(parts)
    for candidate in (body, b"[" + body + b"]"):
        if event_array.surely_accepts(candidate):
            assert accepted_by_the_reader(candidate)


def test_ordinary_bodies_do_pass_quickly() -> None:
    assert event_array.surely_accepts(array(event(), event("meetingEnded")))
    assert event_array.surely_accepts(b"[]")
    assert event_array.surely_accepts(
        '[{"attributes":{"meetingId":"é","attendeeId":"a"}}]'.encode()
    )
