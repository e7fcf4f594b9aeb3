"""What an operator does, in a real browser on a running portal."""

import re
import time

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, sign_in
from tests.world import bodies
from tests.world.devices import browser as browser_device
from tests.world.portals import Portal
from tests.world.visits import Fate, Visit, dice, made_up_id, visit

Live = tuple[Portal, str]


def fresh_visit(seed: int, fate: Fate) -> Visit:
    random = dice(seed)
    device = browser_device("Chrome", "143.0.7499.41", ("Windows", "11"))
    return visit(
        random,
        device,
        meeting=(made_up_id(random), f"Fresh meeting {seed}"),
        person=f"u-fresh-{seed}#Nobody Else",
        at_ms=int(time.time() * 1000) - 20_000,
        fate=fate,
        minutes=0.1,
    )


def send(live: Live, one: Visit) -> float:
    """Returns the moment of the answer."""
    portal, key = live
    answer = httpx.post(f"{portal.doors(key)}/meetingevents", content=bodies.event_array(one))
    assert answer.status_code == 200
    return time.monotonic()


def test_signing_in_leads_to_the_overview(live: Live, open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/admin/login/"))

    sign_in(page, live[0].url)

    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_an_event_is_on_the_dashboard_within_a_second_of_its_answer(
    live: Live, open_page: OpenPage
) -> None:
    page = open_page()
    page.goto("/admin/meetings/")
    taken = []

    for seed in range(100, 112):
        before = attempts(page)
        answered = send(live, fresh_visit(seed, Fate.WELL))
        while attempts(page) == before and time.monotonic() - answered < 10:
            pass
        taken.append(time.monotonic() - answered)

    taken.sort()
    print(f"answer to dashboard: median {taken[6]:.2f} s, p95 {taken[11]:.2f} s")  # noqa: T201
    assert taken[6] < 1.5  # 1 s is the bar on a quiet machine; tests share theirs


def test_an_open_dashboard_shows_a_new_event_by_itself(live: Live, open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/admin/meetings/")
    page.evaluate("window.isStillThere = true")
    before = attempts(page)

    send(live, fresh_visit(200, Fate.WELL))

    grown = re.compile(rf"of\s+{before + 1:,}\s+attempts")
    expect(page.locator("#dashboard")).to_contain_text(grown, timeout=25_000)
    assert page.evaluate("window.isStillThere")  # the page was not loaded anew


@pytest.mark.parametrize(
    "where", ["/admin/", "/admin/meetings/events/", "/admin/inbox/quarantine/"]
)
def test_the_slash_leads_to_the_one_search_box(open_page: OpenPage, where: str) -> None:
    page = open_page()
    page.goto(where)

    page.keyboard.press("/")

    expect(page.locator("#search-box")).to_be_focused()


def attempts(page: Page) -> int:
    """The number in the join success tile of the dashboard, asked for anew."""
    text = page.request.get("/admin/meetings/").text()
    found = re.search(r"of\s+([\d,]+)\s+attempts", text)
    assert found
    return int(found[1].replace(",", ""))


def test_a_number_leads_to_the_rows_behind_it(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/admin/meetings/")
    tile = page.locator("main").get_by_role("link", name=re.compile("^Could not join")).first
    number = int(re.sub(r"\D", "", tile.inner_text().split("\n")[1]) or 0)

    tile.click()

    expect(page).to_have_url(re.compile(r"/admin/meetings/attendees/\?"))
    rows = page.locator("main").get_by_role("table").get_by_role("row")
    assert rows.count() - 1 == number


def test_an_attendee_is_found_with_the_keyboard_alone(live: Live, open_page: OpenPage) -> None:
    one = fresh_visit(7, Fate.JOIN_FAILED)
    send(live, one)
    live[0].wait_until_drained()
    page = open_page()
    page.goto("/admin/")

    tab_to(page, "document.activeElement.type === 'search'")
    page.keyboard.type(one.external_user_id)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    if not re.search(r"/admin/meetings/attendees/\d+/", page.url):
        tab_to(page, "/attendees\\/\\d+/.test(document.activeElement.getAttribute('href') || '')")
        with page.expect_navigation():
            page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/admin/meetings/attendees/\d+/"))
    expect(page.locator("main")).to_contain_text(one.external_user_id)


def tab_to(page: Page, condition: str) -> None:
    for _ in range(80):
        if page.evaluate(condition):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {condition}")


def test_a_failure_is_acknowledged(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/admin/failures/?sort=occurrences")
    page.locator("main").get_by_role("table").get_by_role("rowheader").get_by_role(
        "link"
    ).first.click()
    expect(page).to_have_url(re.compile(r"/admin/failures/\d+/"))
    name = page.get_by_role("heading", level=1).inner_text().split("\n")[0]

    page.locator("main").get_by_role("button", name=re.compile("^Acknowledge")).first.click()

    page.wait_for_load_state()
    expect(page.locator("main")).to_contain_text("Acknowledged")
    page.goto("/admin/failures/?state=acknowledged")
    expect(page.locator("main")).to_contain_text(name)


def test_the_incident_stands_out_with_the_browser_they_have_in_common(
    open_page: OpenPage,
) -> None:
    page = open_page()
    page.goto("/admin/failures/?state=all&sort=occurrences")

    page.locator("main").get_by_role("table").get_by_role("rowheader").get_by_role(
        "link"
    ).first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("microphone", re.I))
    expect(page.locator("main")).to_contain_text("Chrome 143")


def test_a_held_delivery_is_replayed(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/admin/inbox/quarantine/")
    held = page.locator("main").get_by_role("row").filter(has_text="Required properties")
    held.get_by_role("button", name=re.compile("^Replay")).first.click()
    page.wait_for_load_state()
    confirm = page.locator("main").get_by_role("button", name=re.compile("^Replay|^Yes"))
    if "quarantine/?" not in page.url and confirm.count() == 1:
        confirm.click()
        page.wait_for_load_state()

    expect(page.locator("body")).to_contain_text(re.compile("replay", re.I))
    page.goto("/admin/access/auditevent/")
    expect(page.locator("main")).to_contain_text("quarantine.replay")


@pytest.mark.parametrize("where", ["/admin/meetings/events/", "/admin/failures/"])
def test_what_needs_no_script_works_without(live: Live, open_page: OpenPage, where: str) -> None:
    page = open_page()
    page.route("**/*.js", lambda route: route.abort())
    context = page.context.browser
    assert context is not None
    plain = context.new_context(
        base_url=live[0].url,
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
    )
    bare = plain.new_page()
    bare.goto(where)

    assert bare.locator("main").get_by_role("row").count() > 1
    plain.close()
