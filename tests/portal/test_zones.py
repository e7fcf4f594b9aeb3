from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from portal import moments, zones
from portal.access.models import User

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def footer(client: Client) -> str:
    page = client.get("/admin/tables/").content.decode()
    return page[page.index("<footer") : page.index("</footer>")]


def test_times_are_in_the_installations_zone_unless_chosen(client: Client, staff: User) -> None:
    client.force_login(staff)

    assert "Times in UTC" in footer(client)


def test_a_choice_is_kept_with_the_person(client: Client, staff: User) -> None:
    client.force_login(staff)

    client.post("/admin/preferences/", {"time_zone": "Asia/Tokyo", "next": "/admin/tables/"})

    staff.refresh_from_db()
    assert staff.time_zone == "Asia/Tokyo"
    assert "Tokyo" in footer(client)
    other_browser = Client()
    other_browser.force_login(staff)
    assert "Tokyo" in footer(other_browser)


def test_without_a_choice_of_the_person_the_cookie_counts(client: Client, staff: User) -> None:
    client.force_login(staff)
    client.cookies[zones.COOKIE] = "Europe/Berlin"

    assert "Berlin" in footer(client)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "\x00", "localtime"])
def test_an_unknown_zone_changes_nothing(client: Client, staff: User, zone: str) -> None:
    client.force_login(staff)
    client.cookies[zones.COOKIE] = zone.replace("\x00", "")

    answer = client.post("/admin/preferences/", {"time_zone": zone, "next": "/admin/tables/"})

    staff.refresh_from_db()
    assert answer.status_code == 302
    assert staff.time_zone == ""
    assert "Times in UTC" in footer(client)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_one_is_never_sent_away_from_the_portal(client: Client, staff: User, target: str) -> None:
    client.force_login(staff)

    answer = client.post("/admin/preferences/", {"theme": "dark", "next": target})

    assert answer.headers["Location"] == "/admin/"


def test_the_theme_is_right_from_the_first_byte(client: Client, staff: User) -> None:
    client.force_login(staff)

    client.post("/admin/preferences/", {"theme": "dark"})

    assert b'data-theme="dark"' in client.get("/admin/tables/").content
    client.post("/admin/preferences/", {"theme": "<b>"})
    assert b'data-theme="dark"' in client.get("/admin/tables/").content


def test_a_moment_is_told_in_both_zones() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        told = moments.both_zones(NOON)

    assert told == "31 Jan 2026, 21:00:00 JST · 31 Jan, 12:00:00 UTC"
