import re
from html import unescape

import pytest
from django.test import Client

from portal.access.models import ApiKey, AuditEvent
from portal.access.roles import ADMINISTRATOR
from portal.access.services import find_key, revoke_key
from tests.access.factories import make_key, make_user, signed_in

pytestmark = pytest.mark.django_db

LIST = "/admin/access/apikey/"


@pytest.fixture
def desk() -> Client:
    return signed_in(make_user(ADMINISTRATOR))


def test_a_new_ingest_key_is_shown_once_with_a_line_to_try_it(desk: Client) -> None:
    fields = {
        "kind": "ingest",
        "name": "Web app",
        "origins": "https://app.example.com\nhttps://B.example.com:443/",
        "quota_per_minute": "600",
    }

    response = desk.post(f"{LIST}add/", fields)

    page = response.content.decode()
    text = re.search(r"gri_[A-Za-z0-9_-]{43}", page)
    assert text is not None
    key = find_key(text[0], "ingest")
    assert key is not None
    assert key.origins == ["https://app.example.com", "https://b.example.com"]
    assert (key.quota_per_minute, key.scopes) == (600, ["ingest"])
    assert f"curl -i 'http://testserver/ingest/{text[0]}/meetingevents'" in unescape(page)
    assert "no-store" in response["Cache-Control"]
    assert text[0] not in desk.get(LIST).content.decode()
    assert text[0] not in desk.get(f"{LIST}{key.pk}/change/").content.decode()


def test_a_new_secret_key_has_the_chosen_scopes(desk: Client) -> None:
    fields = {"kind": "secret", "name": "Report", "scopes": ["meetings:read", "events:export"]}

    page = desk.post(f"{LIST}add/", fields).content.decode()

    assert re.search(r"grs_[A-Za-z0-9_-]{43}", page)
    assert ApiKey.objects.get().scopes == ["events:export", "meetings:read"]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"name": ""}, "required"),
        ({"origins": "https://a.example/path"}, "is not an origin"),
        ({"quota_per_minute": "0"}, "greater than or equal to 1"),
        ({"expires_at": "2020-01-01T00:00"}, "in the future"),
        ({"kind": "secret"}, "Choose what the program may do"),
        ({"kind": "secret", "scopes": ["everything"]}, "not one of the available choices"),
        (
            {"kind": "secret", "scopes": ["meetings:read"], "origins": "https://a.example"},
            "leave it empty",
        ),
    ],
)
def test_mistakes_are_told_beside_the_field(desk: Client, wrong: dict[str, str], hint: str) -> None:
    response = desk.post(f"{LIST}add/", {"kind": "ingest", "name": "x", **wrong})

    assert hint in response.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_can_be_narrowed_and_the_change_is_audited(desk: Client) -> None:
    key, text = make_key(name="Web app")
    assert find_key(text, "ingest")

    response = desk.post(
        f"{LIST}{key.pk}/change/",
        {"name": "Web app", "origins": "https://app.example.com", "quota_per_minute": ""},
    )

    assert response.status_code == 302
    changed = find_key(text, "ingest")
    assert changed is not None
    assert changed.origins == ["https://app.example.com"]
    event = AuditEvent.objects.get(action="key.change")
    assert event.detail["changes"] == {"origins": ["[]", "['https://app.example.com']"]}


@pytest.mark.parametrize("field", ["digest", "prefix", "kind", "scopes", "revoked_at"])
def test_what_makes_a_key_cannot_be_edited(desk: Client, field: str) -> None:
    key, _ = make_key()
    before = ApiKey.objects.values().get()

    desk.post(f"{LIST}{key.pk}/change/", {"name": key.name, field: "x"})

    assert ApiKey.objects.values().get() == before


def test_revoking_asks_once_and_says_how_many(desk: Client) -> None:
    keys = [make_key(name=f"key {number}")[0] for number in range(2)]
    data = {"action": "revoke", "_selected_action": [key.pk for key in keys]}

    page = desk.post(LIST, data).content.decode()
    assert "Revoke 2 keys" in page
    assert "key 0" in page
    assert ApiKey.objects.usable().count() == 2

    desk.post(LIST, data | {"confirmed": "yes"})

    assert ApiKey.objects.usable().count() == 0
    assert AuditEvent.objects.filter(action="key.revoke").count() == 2


def test_revoked_keys_stay_in_the_list_and_cannot_be_changed(desk: Client) -> None:
    key, _ = make_key()
    revoke_key(key, actor=None)

    page = desk.get(LIST, {"state": "ended"}).content.decode()

    assert key.prefix in page
    assert "Revoked" in page
    assert desk.post(f"{LIST}{key.pk}/change/", {"name": "x"}).status_code == 403
    root = signed_in(make_user(is_superuser=True))
    assert root.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_key_is_revoked_from_its_own_page_after_asking(desk: Client) -> None:
    key, _ = make_key(name="Old app")
    page = f"{LIST}{key.pk}/change/"

    link = f'href="{LIST}{key.pk}/revoke/"'
    before = desk.get(page).content.decode()
    asked = desk.get(f"{LIST}{key.pk}/revoke/").content.decode()
    assert ApiKey.objects.usable().count() == 1
    desk.post(f"{LIST}{key.pk}/revoke/", {"confirmed": "yes"})
    after = desk.get(page).content.decode()

    assert link in before
    assert "Revoke 1 key" in asked
    assert ApiKey.objects.usable().count() == 0
    assert link not in after


def test_who_may_not_manage_keys_cannot_revoke_one() -> None:
    key, _ = make_key()

    answer = signed_in(make_user("Viewer")).post(f"{LIST}{key.pk}/revoke/", {"confirmed": "yes"})

    assert answer.status_code == 403
    assert ApiKey.objects.usable().count() == 1


def test_requests_refused_because_of_their_origin_are_counted_on_the_key(desk: Client) -> None:
    key, text = make_key(origins=["https://app.example"])
    url = f"/ingest/{text}/meetingevents"

    for _ in range(3):
        desk.post(
            url, [], content_type="application/json", headers={"Origin": "https://evil.example"}
        )

    key.refresh_from_db()
    page = desk.get(f"{LIST}{key.pk}/change/").content.decode()
    assert 1 <= key.refused_origin_count <= 3
    assert key.last_refused_origin == "https://evil.example"
    assert "refused, last from https://evil.example just now" in page
