"""A running portal with something in it, and pages that fail the test on any complaint."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from tests.world.browsers import chromium
from tests.world.clients import Clock, JsIngestion, Wire, play_all, usual_client
from tests.world.devices import browser as browser_device
from tests.world.people import MALFORMED, Company, Incident
from tests.world.portals import Portal
from tests.world.visits import Fate, Visit, dice, visit

USER, PASSWORD = "ada", "correct horse battery staple"
COLLEAGUE = "ben"
# Runs if any page puts it into HTML unescaped, wherever it stands.
CANARY = "\"'><script>window.pwned=1</script><img src=x onerror=window.pwned=1>{{7*7}}"


@pytest.fixture(scope="session")
def live(
    prepared_portal: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Portal, str]]:
    """The portal and an ingest key, after a day of meetings."""
    portal = Portal(tmp_path_factory.mktemp("live"), DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    portal.copy_of(prepared_portal)
    try:
        portal.start_web()
        portal.start_drain()
        for name in (USER, COLLEAGUE):
            make_administrator(portal, name)
        key = portal.ingest_key()
        asyncio.run(_tell(portal.doors(key)))
        portal.wait_until_drained(seconds=90)
        yield portal, key
    finally:
        portal.stop()


@pytest.fixture(scope="session")
def untouched(
    prepared_portal: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    """A portal to which nobody has sent anything yet."""
    portal = Portal(tmp_path_factory.mktemp("untouched"), DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    portal.copy_of(prepared_portal)
    try:
        portal.start_web()
        make_administrator(portal, USER)
        yield portal
    finally:
        portal.stop()


def make_administrator(portal: Portal, name: str) -> None:
    portal.manage(
        "createsuperuser", "--noinput", "--username", name, "--email", f"{name}@a.example"
    )


async def _tell(doors: str) -> None:
    now_ms = int(time.time() * 1000)
    company = Company(dice(1), Incident(now_ms - 36_000_000), size=40)
    visits = [
        one
        for number in range(24)
        for one in company.meeting(now_ms - (24 - number) * 3_000_000, minutes=20)
    ]
    async with httpx.AsyncClient(timeout=30) as http:
        wire = Wire(http, doors, dice(2), Clock(math.inf))
        await play_all(visits, wire, make=usual_client, at_once=4)
        await play_all([_canary(now_ms)], wire, make=JsIngestion)
        for door, body in MALFORMED:
            await wire.post(door, body)
        await wire.post("meetingevents", ('[{"name":"' + CANARY.replace('"', "") + '"}]').encode())


def _canary(now_ms: int) -> Visit:
    device = browser_device(CANARY, CANARY, (CANARY, CANARY), sdk_version=CANARY, device=CANARY)
    return visit(
        dice(3),
        device,
        meeting=("canary-meeting", CANARY),
        person=CANARY,
        at_ms=now_ms - 600_000,
        fate=Fate.MIC_FAILED,
        minutes=2,
        reason=CANARY,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/login/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview", level=1).wait_for()


@pytest.fixture(scope="module")
def cookies(live: tuple[Portal, str], browser: Browser) -> object:
    """Signed in once for all pages of a module."""
    return signed_in_state(browser, live[0].url)


def signed_in_state(browser: Browser, url: str) -> object:
    context = browser.new_context()
    sign_in(context.new_page(), url)
    state = context.storage_state()
    context.close()
    return state


class Complaints(list[str]):
    """What a page had to complain about: errors, CSP violations, dialogs, answers >= 500."""

    def listen(self, page: Page) -> None:
        page.on("console", lambda line: self._note_line(line, page))
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("dialog", lambda dialog: self.append(f"dialog: {dialog.message}"))
        page.on("response", self._note_answer)

    def _note_line(self, line: ConsoleMessage, page: Page) -> None:
        at = line.location["url"]
        # A page may be a refusal: tests look at its status themselves.
        is_the_page = line.text.startswith("Failed to load resource") and at == page.url
        if line.type == "error" and not is_the_page:
            self.append(f"{line.text} ({at})")

    def _note_answer(self, answer: Response) -> None:
        if answer.status >= 500:
            self.append(f"{answer.status} {answer.url}")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(live: tuple[Portal, str], browser: Browser, cookies: object) -> Iterator[OpenPage]:
    """Opens signed-in pages of a width and colour scheme. Complaints fail the test."""
    with opener(browser, live[0].url, cookies) as open_one:
        yield open_one


@contextmanager
def opener(browser: Browser, url: str, cookies: object) -> Iterator[OpenPage]:
    complaints = Complaints()
    contexts: list[BrowserContext] = []

    def open_one(*, width: int = 1440, scheme: str = "light", signed_in: bool = True) -> Page:
        context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            storage_state=cookies if signed_in else None,  # type: ignore[arg-type]
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        complaints.listen(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
