"""Deliveries and the quarantine in the admin: looking, replaying, discarding."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from meetings.models import ClientEvent
from portal.access.models import AuditEvent, User
from portal.access.roles import OPERATOR, VIEWER
from portal.inbox.handlers import RefusedItem
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import Envelope, quarantine, store
from tests.inbox.sending import array, drain_everything, event, post

pytestmark = pytest.mark.django_db

HELD_LIST = "/admin/inbox/quarantine/"
DELIVERIES = "/admin/inbox/delivery/"


def signed_in(*roles: str) -> Client:
    user = User.objects.create_user("grace", password="correct horse battery", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    client = Client()
    client.force_login(user)
    return client


def make_held(raw: bytes = b"[]", reason: str = "no-timestamp", **fields: Any) -> Quarantine:
    quarantine("meetingevents", RefusedItem(0, reason, "The item has no readable time.", raw))
    item = Quarantine.objects.latest("pk")
    Quarantine.objects.filter(pk=item.pk).update(**fields)
    return item


def make_delivery(body: bytes) -> Delivery:
    return Delivery.objects.get(pk=store(body, Envelope(door="meetingevents", origin="https://a")))


def page_of(item: Quarantine) -> str:
    return reverse("admin:inbox_quarantine_change", args=[item.pk])


def decide(client: Client, item: Quarantine, **data: str) -> Any:
    return client.post(reverse("admin:held_decide", args=[item.pk]), data, follow=True)


def test_the_list_counts_what_is_held_by_reason_in_plain_words() -> None:
    for number in range(3):
        make_held(b"[%d]" % number)
    make_held(b"x", reason="not-json")

    page = signed_in(OPERATOR).get(HELD_LIST)

    groups = page.context["groups"]
    assert [(group["words"].label, group["number"]) for group in groups] == [
        ("An event without a time", 3),
        ("Not JSON", 1),
    ]
    assert b"Replay all 3" in page.content


def test_replaying_an_item_that_can_be_read_now_makes_it_an_event() -> None:
    item = make_held(array(event()))
    client = signed_in(OPERATOR)

    answer = decide(client, item, decision="replay")
    drain_everything()
    page = client.get(page_of(item))

    assert b"1 item on the way" in answer.content
    assert ClientEvent.objects.count() == 1
    assert b"It was understood" in page.content
    replayed = item.replays.get()
    assert reverse("admin:inbox_delivery_change", args=[replayed.pk]).encode() in page.content


def test_a_replay_that_is_refused_again_is_told_with_the_new_reason() -> None:
    item = make_held(b"{", reason="no-timestamp")
    client = signed_in(OPERATOR)

    decide(client, item, decision="replay")
    drain_everything()
    page = client.get(page_of(item))

    assert b"refused again" in page.content
    assert b"Not JSON" in page.content


def test_all_items_of_a_reason_are_replayed_at_once() -> None:
    for number in range(3):
        make_held(array(event(attendeeId=f"a-{number}")))
    other = make_held(b"x", reason="not-json")

    signed_in(OPERATOR).post(
        reverse("admin:held_of_reason"),
        {"reason": "no-timestamp", "door": "meetingevents", "decision": "replay"},
    )
    drain_everything()

    assert ClientEvent.objects.count() == 3
    other.refresh_from_db()
    assert other.state == "held"
    assert AuditEvent.objects.filter(action="quarantine.replay").count() == 3


def test_discarding_asks_once_with_the_count_and_keeps_the_reason() -> None:
    items = [make_held(b"[%d]" % number) for number in range(2)]
    client = signed_in(OPERATOR)
    chosen = {"action": "discard_selected", "_selected_action": [str(one.pk) for one in items]}

    asked = client.post(HELD_LIST, chosen)
    untouched = Quarantine.objects.held().count()
    client.post(HELD_LIST, {**chosen, "confirmed": "yes", "why": "Old app, known"})

    assert b"Discard 2 items" in asked.content
    assert untouched == 2
    assert not Quarantine.objects.held().exists()
    assert {item.discard_reason for item in Quarantine.objects.all()} == {"Old app, known"}
    assert {item.settled_by for item in Quarantine.objects.all()} == {"grace"}


def test_nothing_is_discarded_without_a_reason() -> None:
    item = make_held()

    answer = decide(signed_in(OPERATOR), item, decision="discard", confirmed="yes", why="  ")

    item.refresh_from_db()
    assert item.state == "held"
    assert b"Say why" in answer.content


@pytest.mark.parametrize("decision", ["replay", "discard"])
def test_a_viewer_decides_nothing_and_sees_no_bytes(decision: str) -> None:
    item = make_held(b"secret bytes")
    client = signed_in(VIEWER)

    page = client.get(page_of(item))
    answer = decide(client, item, decision=decision, confirmed="yes", why="x")

    assert b"secret bytes" not in page.content
    assert b"Replay</button>" not in page.content
    assert answer.status_code == 403
    item.refresh_from_db()
    assert item.state == "held"


def test_nobody_sees_anything_without_the_permission() -> None:
    item, delivery = make_held(), make_delivery(b"[]")
    client = signed_in()

    for url in [
        HELD_LIST,
        DELIVERIES,
        page_of(item),
        reverse("admin:inbox_delivery_change", args=[delivery.pk]),
        reverse("admin:doors"),
    ]:
        assert client.get(url).status_code == 403


def test_a_raw_body_is_shown_on_request_only_and_each_look_is_on_record() -> None:
    delivery = make_delivery(b'[{"name":"x<script>alert(1)</script>"}]')
    client = signed_in(OPERATOR)
    url = reverse("admin:inbox_delivery_change", args=[delivery.pk])

    closed = client.get(url)
    looks = AuditEvent.objects.filter(action="delivery.view_raw")
    before = looks.count()
    opened = client.get(f"{url}?raw=1")

    assert b"alert(1)" not in closed.content
    assert before == 0
    assert b"x&lt;script&gt;alert(1)" in opened.content
    assert looks.get().actor_name == "grace"


def test_a_viewer_cannot_open_a_raw_body_by_its_address() -> None:
    delivery = make_delivery(b"private")

    page = signed_in(VIEWER).get(f"{DELIVERIES}{delivery.pk}/change/?raw=1")

    assert b"private" not in page.content
    assert not AuditEvent.objects.filter(action="delivery.view_raw").exists()


def test_a_delivery_tells_what_it_led_to_and_what_of_it_is_held() -> None:
    delivery = make_delivery(array(event(externalUserId="ada"), {"name": "x", "attributes": {}}, 7))
    drain_everything()

    page = signed_in(OPERATOR).get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()

    assert "ada" in page
    assert "An event</" in page
    assert "Not a JSON object" in page


def test_an_event_that_came_before_is_said_to_belong_to_that_delivery() -> None:
    first = make_delivery(array(event()))
    second = make_delivery(array(event(), event("meetingEnded")))
    drain_everything()
    fullest = {row.delivery_id for row in ClientEvent.objects.all()}

    page = signed_in(VIEWER).get(f"{DELIVERIES}{second.pk}/change/").content.decode()

    assert fullest == {first.pk, second.pk}
    assert f"The event of delivery #{first.pk}" in page


@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00bytes", b"\x1b[2J\x07bell", b"[" * 100_000, b'{"a":"\\ud800"}', b""]
)
def test_hostile_bytes_can_be_looked_at(body: bytes) -> None:
    item = make_held(body)

    page = signed_in(OPERATOR).get(page_of(item))

    assert page.status_code == 200
    assert b"\x1b" not in page.content
    assert b"\x07" not in page.content


def test_the_lists_take_few_queries_and_read_no_bodies(
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(40):
        make_held(b"[%d]" % number)
        make_delivery(b"[%d]" % number)
    client = signed_in(OPERATOR)
    client.get(HELD_LIST)

    with django_assert_max_num_queries(16) as held:
        client.get(HELD_LIST)
    with django_assert_max_num_queries(16) as deliveries:
        client.get(DELIVERIES)

    assert not any('"raw_zstd"' in query["sql"] for query in held.captured_queries)
    assert not any('."body"' in query["sql"] for query in deliveries.captured_queries)


def test_nothing_can_be_edited_or_deleted_by_anybody(staff: User) -> None:
    item, delivery = make_held(), make_delivery(b"[]")
    client = Client()
    client.force_login(staff)

    for path in [f"{HELD_LIST}{item.pk}", f"{DELIVERIES}{delivery.pk}"]:
        assert client.post(f"{path}/delete/").status_code == 403
    assert client.get(f"{HELD_LIST}add/").status_code == 403
    assert Permission.objects.filter(codename="replay_quarantine").exists()


def test_the_doors_page_has_a_line_that_can_be_sent_for_each_door(ingest_key: str) -> None:
    page = signed_in(VIEWER).get(reverse("admin:doors"))

    doors = {door.name: door for door in page.context["doors"]}
    assert set(doors) == {"meetingevents", "client-events", "log-lines", "log-streams"}
    assert "http://testserver/ingest/KEY/meetingevents" in doors["meetingevents"].curl
    assert b"Test app" in page.content
    assert ingest_key.encode() not in page.content


def test_an_item_says_who_sent_it(ingest_key: str) -> None:
    post(ingest_key, "client-events", b"{", headers={"Origin": "https://shop.example"})
    drain_everything()
    item = Quarantine.objects.get()
    client = signed_in(OPERATOR)

    page = client.get(page_of(item)).content.decode()
    listed = client.get(HELD_LIST).content.decode()

    assert f"Test app <code>{ingest_key[:12]}…</code>" in page
    assert "https://shop.example" in page
    assert "127.0.0.1" in page
    assert "Test app" in listed


def test_replay_stands_back_where_only_the_client_can_help() -> None:
    by_sender, by_portal = make_held(b"x", reason="not-json"), make_held(b"y", "handling-failed")
    client = signed_in(OPERATOR)

    pages = [client.get(page_of(item)).content.decode() for item in (by_sender, by_portal)]

    prominent = ['button-primary" name="decision" value="replay"' in page for page in pages]
    assert prominent == [False, True]


def test_a_reason_chosen_as_a_filter_shows_in_words() -> None:
    make_held(b"x", reason="not-json")

    page = signed_in(OPERATOR).get(HELD_LIST, {"reason": "not-json"})

    assert [chip.value for chip in page.context["cl"].chips] == ["Not JSON"]


@pytest.mark.parametrize(("role", "badge"), [(OPERATOR, "1"), (VIEWER, "")])
def test_only_who_decides_about_held_items_gets_a_badge(role: str, badge: str) -> None:
    make_held()

    groups = signed_in(role).get("/admin/").context["navigation"]

    found = [one.badge for group in groups for one in group.entries if one.label == "Quarantine"]
    assert found in ([badge], [])
