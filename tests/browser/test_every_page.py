"""Every page: accessible, no wider than the window, within the CSP, deaf to hostile text.

A violation of the CSP is an error on the console, and fails the test as a complaint of the page.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, Page

from tests.browser.conftest import (
    CANARY,
    COLLEAGUE,
    OpenPage,
    opener,
    signed_in_state,
)
from tests.world.portals import Portal

API_DOCS = "/api/docs/"
# Pages to which no link leads, or only one with other text in it.
_ASIDE = [
    "/admin/search/?q=window.pwned",
    "/admin/search/?q=nothing-has-this-name",
    "/admin/failures/?state=resolved",
    "/admin/meetings/?range=15m&os=none-such",
]
_OF_OTHERS = ["change", "reset-password", "remove-second-factor"]
_REFUSALS = {
    "/admin/no/such/page/": 404,
    "/admin/meetings/no-such-meeting/": 404,
    "/admin/meetings/attendees/0/": 404,
    "/admin/auth/group/add/": 403,
}
_LINKS = "links => links.map(link => link.getAttribute('href'))"
_FOUND: list[str] = []

LOOKS = pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)


@pytest.fixture
def pages(open_page: OpenPage, live: tuple[Portal, str]) -> list[str]:
    """Paths of all pages, found once."""
    if not _FOUND:
        [(person,)] = live[0].ask("SELECT id FROM access_user WHERE username = %s", [COLLEAGUE])
        of_others = [f"/admin/access/user/{person}/{name}/" for name in _OF_OTHERS]
        page = open_page()
        _FOUND.extend([*one_of_each(page), *_ASIDE, *of_others, *_REFUSALS])
        page.context.close()
    return _FOUND


def one_of_each(page: Page) -> list[str]:
    """The first page of each route that links lead to, from the overview on."""
    found: dict[str, str] = {"admin/": "/admin/"}
    waiting = list(found.values())
    while waiting:
        path = waiting.pop(0)
        page.goto(path)
        for link in page.eval_on_selector_all("a[href]", _LINKS):
            linked = urlsplit(urljoin(path, link))
            route = _route(linked.path)
            if route and route not in found and not linked.netloc:
                found[route] = f"{linked.path}?{linked.query}" if linked.query else linked.path
                waiting.append(found[route])
    return list(found.values())


def _route(path: str) -> str:
    """Of a page; empty for what is none, or ends the session."""
    if path != API_DOCS and (not path.startswith("/admin/") or "logout" in path):
        return ""
    try:
        return resolve(path).route
    except Resolver404:
        return ""


def visited(page: Page, pages: Iterable[str]) -> Iterator[str]:
    for path in pages:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == _REFUSALS.get(path, 200), path
        if path == API_DOCS:
            page.locator(".opblock-summary-control").first.click()
            page.locator(".opblock-body .responses-wrapper").first.wait_for()
        yield path


def barriers(page: Page, pages: Iterable[str]) -> list[str]:
    """What axe finds serious, and what is wider than the window."""
    axe = Axe()
    findings = []
    for path in visited(page, pages):
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            findings.append(f"{path}: wider than the window")
        result = axe.run(page, options={"resultTypes": ["violations"]})
        findings += [
            f"{path}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:150]}"
            for one in result.response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    return findings


@LOOKS
def test_no_page_has_serious_barriers_or_overflows(
    open_page: OpenPage, pages: list[str], width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme)

    assert barriers(page, pages) == []


@LOOKS
def test_the_sign_in_page_has_no_serious_barriers_and_fits(
    open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme, signed_in=False)

    assert barriers(page, ["/admin/login/", "/admin/login/?next=/admin/meetings/"]) == []


@LOOKS
def test_pages_of_a_portal_with_nothing_in_it_have_no_serious_barriers_and_fit(
    untouched: Portal, browser: Browser, width: int, scheme: str
) -> None:
    cookies = signed_in_state(browser, untouched.url)
    with opener(browser, untouched.url, cookies) as open_one:
        page = open_one(width=width, scheme=scheme)
        page.goto("/admin/")
        links = page.eval_on_selector_all("nav a[href^='/admin/']", _LINKS)

        assert barriers(page, [link for link in links if _route(link)]) == []


def test_hostile_text_is_shown_and_never_run(open_page: OpenPage, pages: list[str]) -> None:
    page = open_page()
    seen = 0

    for path in visited(page, [*pages, "/admin/meetings/canary-meeting/"]):
        assert page.evaluate("window.pwned") is None, path
        if path != API_DOCS:
            seen += "<script>window.pwned=1</script>" in page.locator("main").inner_text()
    page.goto("/admin/meetings/attendees/")
    page.get_by_role("searchbox").first.fill("window.pwned")
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert page.evaluate("window.pwned") is None
    assert seen >= 2, CANARY
