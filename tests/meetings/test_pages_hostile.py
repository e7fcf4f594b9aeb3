"""Whatever clients write, the pages show it as text and stay in one piece."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from meetings import vocabulary
from meetings.models import Attendee, ClientEvent, Meeting
from tests.meetings.factories import minutes_ago, post, told

pytestmark = pytest.mark.django_db

CANARIES = {
    "markup": '"><x-canary onclick=alert(1)><script>alert(1)</script><img src=x onerror=alert(2)>',
    "attribute": "' onmouseover='alert(1)' style='x:y",
    "template": "{{ 7|add:'7' }}{% debug %}${7*7}<%= 7*7 %>",
    "url": "javascript:alert(1)//",
    "end of everything": "</title></style></textarea></script></svg></a><x-canary>",
    "right to left": "\u202egnp.live\u202c مرحبا بالعالم",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 réunion",
    "long": "W" * 190,
    "nul": "before\x00after",
    "percent": "%s %(x)s %d {0} {name}",
}


class Page(HTMLParser):
    """Collects what the policy forbids and what no page of ours has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "x-canary" or (tag == "script" and "src" not in given) or tag == "style":
            self.forbidden.append(self.get_starttag_text() or tag)
        if any(name.startswith("on") or name == "style" for name in given):
            self.forbidden.append(self.get_starttag_text() or tag)
        for name in ("href", "src", "action"):
            if given.get(name, "").strip().lower().startswith(("javascript:", "data:")):
                self.forbidden.append(self.get_starttag_text() or tag)


def story(text: str) -> list[dict[str, Any]]:
    """Every kind of event, with the text wherever a client may write one."""
    at = minutes_ago(30)
    who = {"meeting": text, "attendee": text, "person": text}
    client = dict.fromkeys(
        ("sdkName", "sdkVersion", "browserName", "osName", "osVersion", "deviceName"), text
    )
    texts = {name: text for name in vocabulary.TEXTS if name not in {"externalUserId", *client}}
    unknown: dict[str, Any] = {text[:100]: {"deep": [text]}}
    return [
        told(name, at, client=client, **who, **texts, **unknown)
        for name in (*sorted(vocabulary.EVENT_NAMES), text)
    ]


@pytest.mark.parametrize("name", CANARIES)
def test_hostile_text_is_shown_as_text_on_every_page(api: APIClient, name: str) -> None:
    post(story(CANARIES[name]))
    meeting, attendee = Meeting.objects.get(), Attendee.objects.get()
    event = ClientEvent.objects.filter(name__value="meetingStartFailed").get()
    urls = [
        reverse("admin:index"),
        reverse("admin:meetings_dashboard"),
        reverse("admin:meetings"),
        reverse("admin:attendees"),
        reverse("admin:client_events"),
        meeting.get_absolute_url(),
        f"{meeting.get_absolute_url()}?event={event.pk}",
        attendee.get_absolute_url(),
    ]

    for url in urls:
        response = api.get(url)

        assert response.status_code == 200, url
        assert Page(response.content.decode()).forbidden == [], url


@pytest.mark.parametrize(
    "page", ["meetings_dashboard", "meetings", "attendees", "client_events", "search"]
)
def test_hostile_text_in_the_url_is_shown_as_text(api: APIClient, page: str) -> None:
    filters = ("sdk", "browser", "os", "user", "meeting", "attendee", "q", "name", "after", "from")

    for text in CANARIES.values():
        response = api.get(reverse(f"admin:{page}"), dict.fromkeys(filters, text))

        assert response.status_code == 200, text
        assert Page(response.content.decode()).forbidden == [], text


def test_numbers_that_cannot_be_do_not_break_a_page(api: APIClient) -> None:
    at = minutes_ago(30)
    absurd: dict[str, Any] = {
        "meetingStartDurationMs": 1e300,
        "meetingDurationMs": -1e300,
        "signalingOpenDurationMs": 1e18,
        "retryCount": -5,
        "poorConnectionCount": 10**18,
    }
    post([told(name, at, **absurd) for name in sorted(vocabulary.EVENT_NAMES)])
    pages = [reverse("admin:meetings_dashboard"), reverse("admin:meeting", args=["m-1"])]

    for url in (*pages, Attendee.objects.get().get_absolute_url()):
        assert api.get(url).status_code == 200


@pytest.mark.parametrize("ms", [0, 1, -(2**62), 2**62, 4 * 10**14])
def test_times_that_cannot_be_do_not_break_a_page(api: APIClient, ms: int) -> None:
    item = told("meetingStartSucceeded", minutes_ago(1))
    item["attributes"]["timestampMs"] = ms
    item["attributes"]["meetingHistory"] = [{"name": "x", "timestampMs": ms}]
    post([item])
    pages = [reverse("admin:meetings_dashboard"), reverse("admin:meeting", args=["m-1"])]

    for url in (*pages, Attendee.objects.get().get_absolute_url()):
        assert api.get(url).status_code == 200
