"""Events of the unmodified SDK in a real browser arrive, once each, whatever happens on the way."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from tests.system import real_sdk
from tests.world.browsers import chromium
from tests.world.fault_proxy import Faults, fault_proxy
from tests.world.portals import Portal, wait_for

MEETING_ID = "5f3c2a10-7d1e-4b0a-9c55-2b7f8f1a0706"
ATTENDEE_ID = "c1a8b5a2-3d0e-1f4c-8a77-90c4f0f3b1de"
FAILED = {"audioInputErrorMessage": "NotReadableError: Could not start audio source"}
SESSION = {"signalingOpenDurationMs": 212, "meetingStartDurationMs": 861, "retryCount": 0}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    downloads = Path(settings.BASE_DIR) / "var" / "npm-cache"
    with real_sdk.served(real_sdk.build(tmp_path_factory.mktemp("sdk"), downloads)) as url:
        yield url


def join(page: Page, ingestion_url: str, attendee_id: str = ATTENDEE_ID) -> None:
    """With the JSON of CreateMeeting and CreateAttendee, in which only our URL is ours."""
    placement = {"AudioHostUrl": "x", "SignalingUrl": "x", "EventIngestionUrl": ingestion_url}
    page.evaluate(
        "([meeting, attendee]) => window.join(meeting, attendee)",
        [
            {"Meeting": {"MeetingId": MEETING_ID, "MediaPlacement": placement}},
            {"Attendee": {"AttendeeId": attendee_id, "ExternalUserId": "u", "JoinToken": "token"}},
        ],
    )


def publish(page: Page, name: str, attributes: dict[str, Any] | None = None) -> None:
    page.evaluate("([name, more]) => window.publish(name, more)", [name, attributes or {}])


def live_through_a_meeting(page: Page) -> Counter[tuple[str, int]]:
    """What happened, as an observer in the page was told of it."""
    publish(page, "audioInputSelected")
    publish(page, "meetingStartRequested")
    publish(page, "meetingStartSucceeded", SESSION)
    publish(page, "audioInputFailed", FAILED)
    publish(page, "attendeePresenceReceived", {"attendeePresenceDurationMs": 1002})
    publish(page, "receivingAudioDropped", SESSION)
    publish(page, "videoInputSelected")  # waits for a second one, hence for the beacon
    page.wait_for_function("window.observed.length === 7")
    return Counter(
        (one["name"], int(one["attributes"]["timestampMs"]))
        for one in page.evaluate("window.observed")
    )


def stored(portal: Portal) -> Counter[tuple[str, int]]:
    return Counter((name, at_ms) for _, _, name, at_ms in portal.event_keys())


def leave(page: Page) -> None:
    page.goto("about:blank")  # the page is hidden: what is left goes by beacon


def test_every_event_of_the_sdk_arrives_once(
    portal: Portal, browser: Browser, app_url: str
) -> None:
    portal.start_web()
    portal.start_drain()
    page = browser.new_page()
    page.goto(app_url)
    join(page, f"{portal.doors(portal.ingest_key('--origins', app_url))}/client-events")

    happened = live_through_a_meeting(page)
    leave(page)

    wait_for(lambda: len(stored(portal)) >= len(happened), seconds=20, what="all events")
    assert stored(portal) == happened
    assert portal.ask("SELECT count(*) FROM inbox_quarantine")[0][0] == 0
    sdk = portal.ask("SELECT DISTINCT sdk_name, sdk_version FROM meetings_client")
    assert sdk == [("amazon-chime-sdk-js", real_sdk.SDK_VERSION)]
    page.close()


def test_refusals_and_lost_answers_lose_and_double_nothing(
    portal: Portal, browser: Browser, app_url: str
) -> None:
    portal.start_web()
    portal.start_drain()
    key = portal.ingest_key()
    faults = Faults(refuse=3, lose_answer=1, delay_seconds=0.05)
    page = browser.new_page()
    page.goto(app_url)

    with fault_proxy(portal.url, faults) as proxy:
        join(page, f"{proxy}/ingest/{key}/client-events")
        happened = live_through_a_meeting(page)
        wait_for(lambda: faults.lose_answer == 0, seconds=40, what="retries")
        page.wait_for_timeout(6000)  # the SDK's flush timer is 5 s
        leave(page)
        wait_for(lambda: len(stored(portal)) >= len(happened), seconds=20, what="all events")
        time.sleep(0.5)  # a double would be on its way

    assert stored(portal) == happened
    statuses = Counter(status for path, status in faults.requests if path.startswith("POST"))
    assert statuses[503] == 3
    assert statuses[0] == 1
    assert any("beacon=1" in path for path, _ in faults.requests)
    page.close()


def test_the_log_lines_of_the_sdks_own_logger_arrive_once(
    portal: Portal, browser: Browser, app_url: str
) -> None:
    portal.start_web()
    portal.start_drain()
    key = portal.ingest_key()
    ids = {"appName": "SDKEvent", "meetingId": MEETING_ID, "attendeeId": ATTENDEE_ID}
    page = browser.new_page()
    page.goto(app_url)

    with fault_proxy(portal.url, Faults(refuse=1, lose_answer=1)) as proxy:
        url = f"{proxy}/ingest/{key}/log_meeting_event"
        page.evaluate("([url, ids]) => window.startLogger(url, ids)", [url, ids])
        page.evaluate("() => { for (let i = 0; i < 100; i++) window.logger.info(`line ${i}`) }")
        lines = "SELECT count(*), count(DISTINCT sequence) FROM meetings_clientevent"
        wait_for(lambda: portal.ask(lines) == [(100, 100)], seconds=25, what="all lines")
        leave(page)

    portal.wait_until_drained()
    assert portal.ask(lines) == [(100, 100)]
    page.close()
