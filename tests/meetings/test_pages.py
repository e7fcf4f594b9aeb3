"""The pages about meetings: what each says first, who may see it, and how much it asks."""

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from meetings import panels, verdicts
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.pages.converters import MeetingIdConverter
from portal.access.models import User
from portal.inbox.models import Delivery
from tests.meetings.factories import (
    FIREFOX,
    joined,
    make_attendee,
    make_event,
    make_meeting,
    minutes_ago,
    post,
    shut_out,
    stayed,
    thrown_out,
    told,
)

pytestmark = pytest.mark.django_db

LISTS = ["admin:meetings", "admin:attendees", "admin:client_events"]


def get(api: APIClient, url: str) -> str:
    response = api.get(url)
    assert response.status_code == 200, url
    page: str = response.content.decode()
    return page


def every_page() -> list[str]:
    """All URLs, with a meeting and an attendee in them."""
    attendee = make_attendee(external_user_id="ada")
    return [
        reverse("admin:meetings_dashboard"),
        *(reverse(name) for name in LISTS),
        attendee.get_absolute_url(),
        attendee.meeting.get_absolute_url(),
    ]


# --- Who may see what -------------------------------------------------------------------------


def test_a_viewer_sees_every_page(client: Browser) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="Viewer"))
    client.force_login(user)

    answers = {url: client.get(url).status_code for url in every_page()}

    assert set(answers.values()) == {200}, answers


def test_staff_without_permissions_see_none(client: Browser) -> None:
    client.force_login(User.objects.create_user("new", is_staff=True))

    assert {client.get(url).status_code for url in every_page()} == {403}


def test_strangers_are_sent_to_sign_in(client: Browser) -> None:
    for url in every_page():
        response = client.get(url)
        assert response.status_code == 302
        assert "login" in response["Location"]


def test_a_viewer_is_offered_neither_raw_bodies_nor_files(client: Browser) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="Viewer"))
    client.force_login(user)
    post(stayed(minutes_ago(30)))

    events = client.get(reverse("admin:client_events")).content.decode()
    attendee = client.get(Attendee.objects.get().get_absolute_url()).content.decode()

    assert "format=csv" not in events
    assert "The delivery as it came in" not in attendee


# --- Lists ------------------------------------------------------------------------------------


def test_meetings_in_progress_stand_on_top(api: APIClient) -> None:
    post(joined(minutes_ago(60), meeting="live-one", attendee="a-1"))
    post(stayed(minutes_ago(30), meeting="over-one", attendee="a-2"))

    page = get(api, reverse("admin:meetings"))

    assert page.count("live-one") == page.count("over-one")
    assert page.index("live-one") < page.index("over-one")
    assert "1 of 1 meeting" in page


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_says_how_to_fill_it(api: APIClient, name: str) -> None:
    page = get(api, reverse(name))

    assert "Nothing in this period" in page
    assert "curl -d" in page


@pytest.mark.parametrize("name", LISTS)
def test_a_filter_without_rows_says_which_is_in_the_way(api: APIClient, name: str) -> None:
    page = get(api, f"{reverse(name)}?user=nobody")

    assert "Nothing matches these filters" in page
    assert re.search(r'chip-label">Person</span>.*nobody', page)


def test_a_filter_that_makes_no_sense_is_left_out_and_told(api: APIClient) -> None:
    post(stayed(minutes_ago(30)))

    page = get(api, f"{reverse('admin:client_events')}?failed=maybe&after=nonsense")

    assert "The filter “failed” was left out" in page
    assert "3 of 3 events" in page


def test_pages_are_leafed_through_without_losing_or_repeating_a_row(api: APIClient) -> None:
    at = minutes_ago(60)
    post([told("audioInputSelected", at, attendee=f"a-{number}") for number in range(120)])
    seen: list[str] = []
    url = reverse("admin:client_events")

    while url:
        page = get(api, url)
        seen += re.findall(r"#event-(\d+)", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        url = reverse("admin:client_events") + unescape(older[1]) if older else ""

    assert len(seen) == len(set(seen)) == 120


def test_filters_stay_while_leafing_and_one_can_be_taken_away(api: APIClient) -> None:
    at = minutes_ago(60)
    post([told("audioInputSelected", at, attendee=f"a-{number}") for number in range(60)])

    page = get(api, f"{reverse('admin:client_events')}?name=audioInputSelected&browser=Chrome")

    [older] = re.findall(r'rel="next" href="([^"]+)"', page)
    removals = re.findall(r'class="chip" href="([^"]+)"', page)
    assert "name=audioInputSelected" in older
    assert "browser=Chrome" in older
    assert [unescape(url) for url in removals] == ["?browser=Chrome", "?name=audioInputSelected"]


def test_files_are_of_the_rows_on_the_page(api: APIClient) -> None:
    post(stayed(minutes_ago(30)))
    post(stayed(minutes_ago(30), attendee="a-2", client=FIREFOX))

    page = get(api, f"{reverse('admin:client_events')}?browser=Firefox&bot=0")

    [url] = [unescape(found) for found in re.findall(r'href="([^"]+format=csv[^"]*)"', page)]
    response = api.get(url)
    content = response.getvalue().decode()
    assert response.status_code == 200
    assert content.count("Firefox") == 3
    assert "Chrome" not in content


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_one(
    api: APIClient, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        post(thrown_out(minutes_ago(60), meeting=f"m-{number}", attendee=f"a-{number}"))
        post(joined(minutes_ago(60), meeting=f"live-{number}", attendee=f"b-{number}"))
    get(api, reverse(name))

    with django_assert_max_num_queries(17):
        get(api, reverse(name))


# --- The meeting ------------------------------------------------------------------------------


def test_a_meeting_says_first_how_many_of_how_many_and_why(api: APIClient) -> None:
    post(stayed(minutes_ago(30), attendee="a-1"))
    post(shut_out(minutes_ago(30), attendee="a-2"))
    post(thrown_out(minutes_ago(30), attendee="a-3"))

    page = get(api, reverse("admin:meeting", args=["m-1"]))

    assert "1 of 3 people could not join: the meeting was full" in page
    assert "1 of 3 people dropped out: the audio connection broke" in page


def test_a_meeting_that_nobody_is_in_yet_is_beginning_for_five_minutes(api: APIClient) -> None:
    post([told("meetingStartRequested", minutes_ago(1), meeting="new")])
    post([told("meetingStartRequested", minutes_ago(6), meeting="old", attendee="a-2")])

    rows = get(api, reverse("admin:meetings")).split("<tr")

    [new] = [row for row in rows if "/new/" in row]
    [old] = [row for row in rows if "/old/" in row]
    assert "Joining" in new
    assert "Nobody joined" in old


def test_somebody_shut_out_is_as_bad_in_a_large_meeting_as_in_a_small_one() -> None:
    small = make_meeting(attendee_count=2, failed_count=1, joined_count=1)
    large = make_meeting(attendee_count=200, failed_count=1, joined_count=199)

    assert verdicts.health(small) == verdicts.health(large) == ("bad", "1 could not join")


def test_numbers_of_a_meeting_lead_to_what_failed(api: APIClient) -> None:
    post(shut_out(minutes_ago(30), attendee="a-1"))
    post(thrown_out(minutes_ago(30), attendee="a-2"))
    post([told("videoInputFailed", minutes_ago(20), attendee="a-2")])

    page = get(api, reverse("admin:meetings"))

    for name in ("meetingStartFailed", "meetingFailed", "videoInputFailed"):
        [url] = set(re.findall(rf'href="([^"]*/events/[^"]*{name}[^"]*)"', page))
        assert "1 of 1 event" in get(api, unescape(url))


def test_a_meeting_without_trouble_says_so(api: APIClient) -> None:
    post(stayed(minutes_ago(30)))

    page = get(api, reverse("admin:meeting", args=["m-1"]))

    assert "Everybody who is known got in and stayed" in page
    assert "No failure was reported" in page


def test_an_event_opens_beside_the_time_axis(api: APIClient) -> None:
    post(shut_out(minutes_ago(30)))
    event = ClientEvent.objects.get(name__value="meetingStartFailed")

    page = get(api, f"{reverse('admin:meeting', args=['m-1'])}?event={event.pk}")

    detail = page[page.index('id="event-detail"') :]
    assert "Could not join: the meeting was full" in detail
    assert "Ask somebody to leave" in detail
    assert "signalingOpenDurationMs" in detail
    assert "4000 ms (4 s)" in unescape(detail).replace("\u00a0", " ")


def test_an_event_of_another_meeting_is_not_shown(api: APIClient) -> None:
    post(stayed(minutes_ago(30), meeting="other"))
    make_meeting(external_id="m-2")
    event = ClientEvent.objects.first()
    assert event

    response = api.get(f"{reverse('admin:meeting', args=['m-2'])}?event={event.pk}")

    assert response.status_code == 404


@pytest.mark.parametrize("text", ["x", "-1", "9" * 30, "٣", ""])
def test_an_event_number_that_is_none_shows_none(api: APIClient, text: str) -> None:
    make_meeting(external_id="m-2")

    page = get(api, f"{reverse('admin:meeting', args=['m-2'])}?event={text}")

    assert 'aria-live="polite" hidden' in page


def test_a_huge_meeting_shows_those_with_problems_first(
    api: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    items = [item for n in range(299) for item in stayed(minutes_ago(30), attendee=f"a-{n:03}")]
    post(items + shut_out(minutes_ago(1), attendee="unlucky"))
    url = reverse("admin:meeting", args=["m-1"])
    get(api, url)

    with django_assert_max_num_queries(16):
        page = get(api, url)

    lanes = re.findall(r'class="lane-name"[^>]*>([^<]+)<', page)
    assert lanes[0] == "unlucky@example.com"
    assert len(lanes) == 40
    assert "40 of 300 attendees" in page
    assert get(api, f"{url}?lanes=all").count('class="lane-name"') == 300


def test_the_time_axis_zooms_into_a_part_of_the_meeting(api: APIClient) -> None:
    post(stayed(minutes_ago(60), minutes=50))
    url = reverse("admin:meeting", args=["m-1"])
    first = re.search(r'href="(\?from=[^"]+)">First', get(api, url))
    assert first

    page = get(api, url + unescape(first[1]))

    start, end = re.findall(r'data-(?:start|end)="([^"]+)"', page)
    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) <= timedelta(minutes=10)
    assert "A part of the meeting" in page


def test_a_range_beside_the_meeting_shows_all_of_it(api: APIClient) -> None:
    post(stayed(minutes_ago(60), minutes=50))

    page = get(api, f"{reverse('admin:meeting', args=['m-1'])}?from=2020-01-01&to=2020-01-02")

    assert "A part of the meeting" not in page
    assert 'class="lanes"' in page


def test_other_apps_add_panels_to_a_meeting(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recordings(request: HttpRequest, meeting: Meeting) -> str:
        return format_html("<p>Recordings of {}</p>", meeting.external_id)

    monkeypatch.setattr(panels, "on_meeting", panels.Panels())
    panels.on_meeting.register(recordings)
    panels.on_meeting.register(recordings)
    make_meeting(external_id="m-2")

    page = get(api, reverse("admin:meeting", args=["m-2"]))

    assert page.count("Recordings of m-2") == 1


def test_panels_are_for_those_who_may_see_them() -> None:
    request = HttpRequest()
    request.user = User.objects.create_user("viewer", is_staff=True)
    registry: panels.Panels[Meeting] = panels.Panels()
    registry.register(lambda request, meeting: "secret", permission="chat.view_message")

    assert registry.render(request, make_meeting()) == []


# --- Meeting ids in URLs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "external_id",
    [
        "99ad1626-76b9-0e0a-7dc5-62be74e9181d",
        "a/b",
        "/",
        "..",
        "../../x/",
        ".",
        "all",
        "attendees",
        "events",
        "attendees/1",
        "~YQ",
        "a b",
        " ",
        "%2F",
        "a?b=c#d",
        "é 👩‍👩‍👧 مرحبا",
        "W" * 200,
        '"><script>',
    ],
)
def test_any_meeting_id_has_a_page_of_its_own(api: APIClient, external_id: str) -> None:
    meeting = make_meeting(external_id=external_id)

    response = api.get(meeting.get_absolute_url())

    assert response.status_code == 200
    assert response.context["meeting"] == meeting


@pytest.mark.parametrize("text", ["~%", "~YQ=x", "~/////w", "~éé"])
def test_what_encodes_no_id_is_no_page(api: APIClient, text: str) -> None:
    assert api.get(f"/admin/meetings/{text}/").status_code == 404


def test_plain_ids_stand_in_the_url_as_they_are() -> None:
    assert MeetingIdConverter().to_url("m-1.2_3") == "m-1.2_3"


# --- The attendee -----------------------------------------------------------------------------


def test_an_attendee_page_says_what_happened_and_what_to_do(api: APIClient) -> None:
    post(shut_out(minutes_ago(30), status="AudioCallAtCapacity"))

    page = get(api, Attendee.objects.get().get_absolute_url())

    assert "Could not join: the meeting was full" in page
    assert "Ask somebody to leave" in page
    assert "JavaScript 3.32.0 · Chrome 131 · Windows 11" in page


def test_who_joined_with_a_blocked_microphone_is_no_success_without_a_word(api: APIClient) -> None:
    at = minutes_ago(30)
    blocked = "NotAllowedError: Permission denied"
    failed = told("audioInputFailed", at, audioInputErrorMessage=blocked)
    post([failed, *stayed(at + timedelta(seconds=5))])

    page = get(api, Attendee.objects.get().get_absolute_url())

    assert "verdict-warn" in page
    assert "Was in the meeting and left after" in page
    assert "Microphone blocked by the browser or system" in page


def test_events_stand_in_order_with_their_offset_and_all_attributes(api: APIClient) -> None:
    at = minutes_ago(30)
    chosen = told("audioInputSelected", at - timedelta(seconds=2), brandNew={"deep": [1]})
    post([*stayed(at, minutes=10), chosen])

    page = unescape(get(api, Attendee.objects.get().get_absolute_url())).replace("\u00a0", " ")

    names = re.findall(r"<strong>([^<]+)</strong> <small>(\w+)</small>", page)
    assert [name for _, name in names] == [
        "audioInputSelected",
        "meetingStartRequested",
        "meetingStartSucceeded",
        "meetingEnded",
    ]
    assert "\u22121.2 s" in page
    assert '{"deep": [1]}' in page


def test_a_history_shows_what_never_came_as_an_event(api: APIClient) -> None:
    at = minutes_ago(30)
    ms = int(at.timestamp() * 1000)
    history = [
        {"name": "videoInputSelected", "timestampMs": ms - 5000},
        {"name": "meetingStartRequested", "timestampMs": ms},
    ]
    post([told("meetingStartRequested", at, meetingHistory=history)])

    page = get(api, Attendee.objects.get().get_absolute_url())

    listed = page[page.index('class="history"') :]
    assert listed.count("<li") == 2
    assert listed.count("is-only-history") == 1


def test_a_wrong_clock_is_told_and_how_long_things_took_is_still_right(api: APIClient) -> None:
    ahead = timezone.now() + timedelta(hours=3)
    post(stayed(ahead, minutes=10))

    page = unescape(get(api, Attendee.objects.get().get_absolute_url())).replace("\u00a0", " ")

    assert re.search(r"clock is about 3 h( 9 min| 10 min)? ahead", page)
    assert "our clock" in page
    assert page.count(">corrected<") == 3
    assert "+9 min 58 s" in page or "+9 min 59 s" in page


def test_events_of_a_wrong_clock_stand_in_the_clients_order_on_one_clock(api: APIClient) -> None:
    ahead = timezone.now() + timedelta(hours=3)
    story = stayed(ahead, minutes=10)
    post(story[2:])  # the end comes first
    post(story[:2])

    response = api.get(Attendee.objects.get().get_absolute_url())

    shown = [detail.event for detail in response.context["details"]]
    assert [event.name.value for event in shown] == [
        "meetingStartRequested",
        "meetingStartSucceeded",
        "meetingEnded",
    ]
    assert shown[-1].happened_at - shown[0].happened_at == timedelta(minutes=10)
    times = response.context["times"]
    assert (times["joined"], times["left"]) == (shown[1].happened_at, shown[2].happened_at)


def test_somebody_still_in_the_meeting_has_been_there_so_far(api: APIClient) -> None:
    post(joined(minutes_ago(12)))

    page = unescape(get(api, Attendee.objects.get().get_absolute_url())).replace("\u00a0", " ")

    assert re.search(r"<dd>1[12] min( \d+ s)? so far", page)


def test_an_attendee_whose_bodies_are_gone_still_has_a_story(api: APIClient) -> None:
    post(thrown_out(minutes_ago(30)))
    Delivery.objects.all().delete()

    page = get(api, Attendee.objects.get().get_absolute_url())

    assert "Dropped out: the audio connection broke" in page
    assert "no longer kept" in page
    assert "meetingDurationMs" in page


def test_a_body_that_retention_took_is_told_of_and_not_linked_to(api: APIClient) -> None:
    long_ago = minutes_ago(31 * 24 * 60)
    attendee = make_attendee(first_event_at=long_ago, last_event_at=long_ago)
    make_event(attendee=attendee, happened_at=long_ago, delivery_id=4711)

    page = get(api, attendee.get_absolute_url())

    assert "was deleted by retention after 30 days" in page
    assert "4711" not in page


def test_other_meetings_of_the_person_are_listed(api: APIClient) -> None:
    post(stayed(minutes_ago(90), meeting="earlier", person="ada"))
    post(stayed(minutes_ago(30), meeting="later", person="ada"))
    post(stayed(minutes_ago(30), meeting="strangers", person="bob"))

    page = get(api, Attendee.objects.get(meeting__external_id="later").get_absolute_url())

    assert "Other meetings of this person" in page
    assert "earlier" in page
    assert "strangers" not in page


def test_an_attendee_page_takes_as_many_queries_for_many_events_as_for_few(
    api: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        post([told("audioInputSelected", minutes_ago(60 - number))])
    post(thrown_out(minutes_ago(30)))
    url = Attendee.objects.get().get_absolute_url()
    get(api, url)

    with django_assert_max_num_queries(16):
        get(api, url)


def test_an_attendee_who_is_not_known_is_no_page(api: APIClient) -> None:
    assert api.get(reverse("admin:attendee", args=[12345])).status_code == 404
