from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.http import HttpRequest
from django.test import Client, RequestFactory

from portal import navigation, search
from portal.access.models import User
from portal.navigation import NavItem
from portal.search import Hit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    kept = {group: list(items) for group, items in navigation._items.items()}  # noqa: SLF001
    cache.clear()
    yield
    navigation._items.update(kept)  # noqa: SLF001


def make_request(user: User, path: str = "/admin/") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user
    return request


def make_viewer() -> User:
    return User.objects.create_user("viewer", is_staff=True)


def labels(groups: list[navigation.Group]) -> list[str]:
    return [entry.label for group in groups for entry in group.entries]


def test_items_stand_in_their_group_by_order(staff: User) -> None:
    navigation.register("Chat", NavItem("Second", "admin:search", order=20))
    navigation.register("Chat", NavItem("First", "admin:tables", order=10))

    (chat,) = [group for group in navigation.build(make_request(staff)) if group.label == "Chat"]

    assert [entry.label for entry in chat.entries] == ["First", "Second"]


def test_what_a_person_may_not_see_and_empty_groups_are_not_shown() -> None:
    navigation.register("Chat", NavItem("Rooms", "admin:search", "chat.view_room"))

    groups = navigation.build(make_request(make_viewer()))

    assert "Rooms" not in labels(groups)
    assert "Chat" not in [group.label for group in groups]


def test_a_page_that_this_installation_lacks_is_not_shown(staff: User) -> None:
    navigation.register("Chat", NavItem("Rooms", "admin:no_such_page"))

    assert "Rooms" not in labels(navigation.build(make_request(staff)))


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="no navigation group"):
        navigation.register("Misc", NavItem("Rooms", "admin:search"))


def test_the_item_of_the_present_page_is_marked(staff: User) -> None:
    groups = navigation.build(make_request(staff, "/admin/access/user/5/change/"))

    (current,) = [entry for group in groups for entry in group.entries if entry.current]
    assert current.url == "/admin/access/user/"


def test_badges_count_what_waits_and_are_asked_seldom(staff: User) -> None:
    asked = []

    def waiting(request: HttpRequest) -> int:
        asked.append(request)
        return 120

    navigation.register("Chat", NavItem("Rooms", "admin:search", badge=waiting))
    navigation.register("Chat", NavItem("Quiet", "admin:tables", badge=lambda request: 0))

    for _ in range(2):
        groups = navigation.build(make_request(staff))

    badges = {entry.label: entry.badge for group in groups for entry in group.entries}
    assert badges["Rooms"] == "99+"
    assert badges["Quiet"] == ""
    assert len(asked) == 1


def test_the_time_range_is_carried_from_page_to_page(client: Client, staff: User) -> None:
    client.force_login(staff)

    page = client.get("/admin/", {"range": "7d"}).content.decode()

    assert 'href="/admin/tables/?range=7d"' in page


def test_a_list_does_not_mistake_the_time_range_for_a_filter(client: Client, staff: User) -> None:
    client.force_login(staff)

    response = client.get("/admin/access/user/", {"range": "7d", "is_active__exact": "1"})

    assert response.status_code == 200
    assert b"chip-value" in response.content
    assert response.content.count(b'class="chip"') == 1


def test_the_search_finds_pages_by_their_name(client: Client, staff: User) -> None:
    client.force_login(staff)

    page = client.get("/admin/search/", {"q": "all TAB"}).content.decode()

    assert 'href="/admin/tables/"' in page


def test_pages_one_may_not_open_are_not_found() -> None:
    navigation.register("Chat", NavItem("Rooms", "admin:search", "chat.view_room"))

    assert not search.find("rooms", make_viewer())


def test_one_exact_hit_is_gone_to_at_once(
    client: Client, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Hit("Meeting", "m-1", "ended", "/admin/meetings/m-1/", exact=True)
    near = Hit("Meeting", "m-11", "live", "/admin/meetings/m-11/")
    monkeypatch.setattr(search, "_providers", [lambda text, user: [near, exact]])
    client.force_login(staff)

    assert client.get("/admin/search/", {"q": "m-1"}).headers["Location"] == exact.url


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 100_000, "<script>alert(1)</script>"])
def test_the_search_bears_any_text(client: Client, staff: User, text: str) -> None:
    client.force_login(staff)

    response = client.get("/admin/search/", {"q": text})

    assert response.status_code == 200
    assert b"<script>alert" not in response.content
