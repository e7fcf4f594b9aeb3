"""Every page that the navigation leads to: accessible, within the CSP, deaf to hostile text."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page

from tests.browser.conftest import CANARY, OpenPage

_FOUND: list[str] = []
# One page of each kind that lists lead to.
_DETAILS = {
    "/admin/meetings/all/": "/admin/meetings/",
    "/admin/meetings/attendees/": "/admin/meetings/attendees/",
    "/admin/failures/": "/admin/failures/",
    "/admin/inbox/delivery/": "/admin/inbox/delivery/",
    "/admin/inbox/quarantine/": "/admin/inbox/quarantine/",
}


@pytest.fixture
def pages(open_page: OpenPage) -> list[str]:
    """Paths of all pages, found once."""
    if not _FOUND:
        page = open_page()
        page.goto("/admin/")
        _FOUND.extend(dict.fromkeys(paths(page, "nav a[href^='/admin/']")))
        for listing, prefix in _DETAILS.items():
            page.goto(listing)
            links = paths(page, f"main table a[href^='{prefix}']")
            _FOUND.extend([link for link in links if link.rstrip("/") != prefix.rstrip("/")][:1])
        page.context.close()
    return _FOUND


def paths(page: Page, selector: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        selector, "links => links.map(link => link.getAttribute('href'))"
    )
    return [path for path in found if "logout" not in path]


def visited(page: Page, pages: list[str]) -> Iterator[str]:
    for path in pages:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        yield path


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_no_page_has_serious_barriers_or_overflows(
    open_page: OpenPage, pages: list[str], width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme)
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

    assert findings == []


def test_hostile_text_is_shown_and_never_run(open_page: OpenPage, pages: list[str]) -> None:
    page = open_page()
    seen = 0

    for path in [*visited(page, pages), *visited(page, ["/admin/meetings/canary-meeting/"])]:
        assert page.evaluate("window.pwned") is None, path
        seen += "<script>window.pwned=1</script>" in page.locator("main").inner_text()
    page.goto("/admin/meetings/attendees/")
    page.get_by_role("searchbox").first.fill("window.pwned")
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert page.evaluate("window.pwned") is None
    assert seen >= 2, CANARY
