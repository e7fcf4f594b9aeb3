from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.access.models import User
from portal.failures import services
from portal.failures.kinds import kind_of
from portal.failures.models import Failure, State
from portal.failures.services import Actor
from portal.inbox.models import Delivery
from portal.inbox.services import Envelope, store
from tests.failures.factories import make_failure, make_operator, make_sighting

pytestmark = pytest.mark.django_db

LIST = "/admin/failures/"


def recent(minutes: float = 1) -> Any:
    return timezone.now() - timedelta(minutes=minutes)


def make_triager(**fields: Any) -> User:
    user = make_operator(**fields)
    names = ["view_failure", "triage_failure"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def triager(client: Client) -> User:
    user = make_triager()
    client.force_login(user)
    return user


def shown(client: Client, query: str = "") -> list[str]:
    return [failure.title for failure in client.get(LIST + query).context["failures"]]


def step(client: Client, failure: Failure, name: str, **data: Any) -> str:
    """Press a button on the failure's page, and give the text of the page that follows."""
    values = {"step": name, "revision": failure.revision, **data}
    url = f"/admin/failures/{failure.pk}/triage/"
    return client.post(url, values, follow=True).content.decode()


def test_the_list_opens_with_what_needs_somebody(client: Client, triager: User) -> None:
    actor = Actor("ann")
    waiting = make_failure()
    services.acknowledge(make_failure(), actor)
    services.resolve(make_failure(), actor)
    services.mute(make_failure(), actor, until=timezone.now() + timedelta(hours=1))

    assert shown(client) == [waiting.title]
    assert len(shown(client, "?state=all")) == 4
    for tab in ("acknowledged", "muted", "resolved"):
        assert len(shown(client, f"?state={tab}")) == 1


def test_filters_narrow_the_list_and_show_as_chips(client: Client, triager: User) -> None:
    mine = make_failure(version="3.20", kind="meetings.join_failed")
    make_failure(version="3.9", kind="recordings.lost")
    Failure.objects.filter(pk=mine.pk).update(owner=triager)

    for query in ("kind=meetings.join_failed", "owner=me", "version=3.20", f"q={mine.title[-3:]}"):
        assert shown(client, f"?{query}") == [mine.title]
        assert len(client.get(f"{LIST}?{query}").context["chips"]) == 1


def test_the_list_can_be_ordered_by_people(client: Client, triager: User) -> None:
    one = make_failure(happened_at=recent(1))
    many = make_failure(
        sightings=[make_sighting(person=str(number), title="many") for number in range(3)]
    )

    assert shown(client) == [one.title, many.title]
    assert shown(client, "?sort=people") == [many.title, one.title]


@pytest.mark.parametrize(
    "query",
    [
        "?state=x&sort=x&owner=x&page=x",
        "?page=0",
        "?page=99999999999999",
        "?page=²",
        "?q=%00&kind=%00&version=%00",
        "?range=nonsense",
        "?from=x&to=y",
    ],
)
def test_nonsense_in_the_url_shows_a_page_all_the_same(
    client: Client, triager: User, query: str
) -> None:
    make_failure()

    assert client.get(LIST + query).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "?after=x",
        "?after=9-9",
        "?after=99999999999999999999-1",
        "?after=²-1",
        "?tag=x",
        "?tag=%00=%00",
        "?tag=a=b&tag=version=1&tag=person=ann",
    ],
)
def test_nonsense_in_the_url_shows_the_failure_all_the_same(
    client: Client, triager: User, query: str
) -> None:
    failure = make_failure(happened_at=recent())

    assert client.get(f"/admin/failures/{failure.pk}/{query}").status_code == 200


def test_the_list_takes_as_many_statements_for_many_failures(
    client: Client, triager: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        make_failure(happened_at=recent())
    client.get(LIST)

    with django_assert_max_num_queries(14):
        client.get(LIST)


def test_the_trend_counts_the_chosen_range(client: Client, triager: User) -> None:
    make_failure(
        sightings=[make_sighting(happened_at=recent(minutes)) for minutes in (1, 2, 40, 3000)]
    )

    [failure] = client.get(f"{LIST}?range=1h").context["failures"]

    assert (failure.in_period, failure.occurrences) == (3, 4)


def test_hostile_text_is_shown_as_text(client: Client, triager: User) -> None:
    attack = "<script>alert(1)</script>"
    failure = make_failure(
        sightings=[
            make_sighting(
                title=attack,
                reason=f'"{attack}',
                person=attack,
                version=attack,
                detail=attack,
                tags={attack: attack},
                happened_at=recent(),
            )
        ]
    )
    services.add_note(failure, Actor(attack), text=attack)

    for url in (LIST, f"/admin/failures/{failure.pk}/", "/admin/"):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_the_page_shows_who_is_affected(client: Client, triager: User) -> None:
    failure = make_failure(
        sightings=[
            make_sighting(happened_at=recent(), person=person, tags={"browser": browser})
            for person, browser in [("ann", "Chrome"), ("bob", "Chrome"), ("cho", "Safari")]
        ]
    )

    page = client.get(f"/admin/failures/{failure.pk}/")

    [(breakdown, _)] = page.context["breakdowns"]
    assert [(one.value, one.occurrences, one.people) for one in breakdown.shares] == [
        ("Chrome", 2, 2),
        ("Safari", 1, 1),
    ]


def test_a_breakdown_leads_to_its_occurrences(client: Client, triager: User) -> None:
    failure = make_failure(
        sightings=[
            make_sighting(happened_at=recent(), tags={"browser": browser})
            for browser in ("Chrome", "Chrome", "a=b&c")
        ]
    )
    [(_, rows)] = client.get(f"/admin/failures/{failure.pk}/").context["breakdowns"]

    page = client.get(f"/admin/failures/{failure.pk}/{rows[1].url}")

    assert page.context["number"] == 1
    assert [chip.value for chip in page.context["chips"]] == ["a=b&c"]


def test_occurrences_are_paged_without_gaps_or_repeats(client: Client, triager: User) -> None:
    moment = recent()
    failure = make_failure(sightings=[make_sighting(happened_at=moment) for _ in range(120)])

    url, seen = f"/admin/failures/{failure.pk}/", []
    while url:
        page = client.get(url).context
        seen += [row.pk for row in page["newest"].rows]
        older = page["pager"].older_url
        url = f"/admin/failures/{failure.pk}/{older}" if older else ""

    assert len(seen) == len(set(seen)) == 120


def test_a_failure_outside_the_range_says_when_it_was_last_seen(
    client: Client, triager: User
) -> None:
    failure = make_failure(happened_at=recent(60 * 24 * 40))

    page = client.get(f"/admin/failures/{failure.pk}/")

    assert "It did not happen in this time range" in page.content.decode()
    assert client.get(page.context["last_seen_url"] and page.wsgi_request.path
                      + page.context["last_seen_url"]).context["number"] == 1  # fmt: skip


def test_each_button_does_its_step(client: Client, triager: User) -> None:
    failure = make_failure()

    for name, standing in [
        ("acknowledge", "acknowledged"),
        ("mute-1h", "muted"),
        ("unmute", "acknowledged"),
        ("reopen", "open"),
        ("resolve", "resolved"),
    ]:
        step(client, failure, name)
        failure.refresh_from_db()
        assert failure.standing == standing


def test_a_step_offers_its_undo(client: Client, triager: User) -> None:
    failure = make_failure()
    page = step(client, failure, "resolve")
    note = failure.notes.get()

    client.post("/admin/failures/undo/", {"note": note.pk})

    failure.refresh_from_db()
    assert "This failure is resolved" in page
    assert f'name="note" value="{note.pk}"' in page
    assert failure.state == State.OPEN


def test_a_step_from_an_outdated_page_is_refused_with_the_reason(
    client: Client, triager: User
) -> None:
    failure = make_failure()
    services.resolve(Failure.objects.get(pk=failure.pk), Actor("bob"))

    page = step(client, failure, "acknowledge")

    assert "bob resolved just now" in page


def test_assigning_and_noting(client: Client, triager: User) -> None:
    failure, other = make_failure(), make_operator()

    step(client, failure, "assign", owner=other.pk)
    page = step(client, failure, "note", text="Called the customer")

    failure.refresh_from_db()
    assert failure.owner == other
    assert "Called the customer" in page


def test_several_are_acknowledged_at_once(client: Client, triager: User) -> None:
    failures = [make_failure() for _ in range(3)]
    selected = [f"{failure.pk}:{failure.revision}" for failure in failures]

    page = client.post(
        "/admin/failures/triage/", {"step": "acknowledge", "selected": selected}, follow=True
    )

    assert "3 failures are acknowledged." in page.content.decode()
    assert Failure.objects.filter(state=State.ACKNOWLEDGED, owner=triager).count() == 3


def test_resolving_several_asks_once(client: Client, triager: User) -> None:
    failures = [make_failure() for _ in range(2)]
    data = {"step": "resolve", "selected": [f"{failure.pk}:0" for failure in failures]}

    page = client.post("/admin/failures/triage/", data).content.decode()
    assert "Resolve 2 failures?" in page
    assert not Failure.objects.filter(state=State.RESOLVED).exists()

    client.post("/admin/failures/triage/", {**data, "confirmed": "yes", "in_version": "3.20"})
    assert Failure.objects.filter(resolved_in_version="3.20").count() == 2


def test_one_outdated_failure_does_not_hold_up_the_others(client: Client, triager: User) -> None:
    outdated, other = make_failure(), make_failure()
    services.acknowledge(Failure.objects.get(pk=outdated.pk), Actor("bob"))

    page = client.post(
        "/admin/failures/triage/",
        {"step": "mute-1d", "selected": [f"{outdated.pk}:0", f"{other.pk}:0"]},
        follow=True,
    ).content.decode()

    assert "1 failure is muted" in page
    assert "bob acknowledged" in page


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example/", "javascript:x"])
def test_a_step_never_leads_away_from_the_portal(client: Client, triager: User, url: str) -> None:
    failure = make_failure()

    answer = client.post(
        f"/admin/failures/{failure.pk}/triage/", {"step": "acknowledge", "next": url}
    )

    assert answer["Location"] == f"/admin/failures/{failure.pk}/"


def test_who_may_only_look_finds_no_buttons_and_can_take_no_step(client: Client) -> None:
    viewer = make_operator()
    viewer.user_permissions.set(Permission.objects.filter(codename="view_failure"))
    client.force_login(viewer)
    failure = make_failure()

    page = client.get(f"/admin/failures/{failure.pk}/").content.decode()
    answer = client.post(f"/admin/failures/{failure.pk}/triage/", {"step": "resolve"})

    assert "Acknowledge</button>" not in page
    assert answer.status_code == 403


def test_who_may_not_see_failures_sees_none(client: Client) -> None:
    client.force_login(make_operator())
    failure = make_failure(title="secret")

    assert client.get(LIST).status_code == 403
    assert client.get(f"/admin/failures/{failure.pk}/").status_code == 403


def test_the_search_box_finds_failures(client: Client, triager: User) -> None:
    failure = make_failure(reason="NotAllowedError")

    page = client.get("/admin/search/?q=notallowed").content.decode()

    assert failure.get_absolute_url() in page


def test_a_kind_nobody_registered_has_a_readable_name() -> None:
    assert kind_of("meetings.join_failed_late").label == "Join failed late"


def test_the_page_of_a_failure_takes_few_statements(
    client: Client, triager: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    failure = make_failure(
        sightings=[make_sighting(happened_at=recent(number)) for number in range(1, 60)]
    )
    url = failure.get_absolute_url()
    client.get(url)

    with django_assert_max_num_queries(18):
        client.get(url)


def test_a_resolved_failure_that_goes_on_in_older_versions_says_so_everywhere(
    client: Client, triager: User
) -> None:
    failure = make_failure(version="3.9", happened_at=recent(), fingerprint=("a",))
    services.resolve(failure, Actor("ann"), in_version="3.20")
    later = timezone.now() + timedelta(seconds=1)
    for _ in range(2):
        services.report([make_sighting(version="3.9", happened_at=later, fingerprint=("a",))])

    page = client.get(f"/admin/failures/{failure.pk}/").content.decode()
    rows = client.get(f"{LIST}?state=resolved").content.decode()
    overview = client.get("/admin/").content.decode()

    assert "opens again if it happens in version 3.20 or later" in page
    assert "It still happens in older versions:</b> 2 times since" in page
    assert "Still happens in older versions: 2 times since" in rows
    assert "Still happening in older versions:" in overview
    assert "1 resolved failure</a>, 2 times since" in overview


def test_resolving_offers_the_versions_seen_and_says_what_opens_it_again(
    client: Client, triager: User
) -> None:
    failure = make_failure(
        sightings=[make_sighting(version=version) for version in ("3.9", "3.20", "3.9")]
    )

    page = client.get(f"/admin/failures/{failure.pk}/")
    after = step(client, failure, "resolve", in_version="3.21")

    assert page.context["versions"] == ["3.20", "3.9"]
    assert "opens again if it happens in version 3.21 or later" in after
    assert "Still happening in older versions" not in client.get("/admin/").content.decode()


def test_what_hits_most_people_in_the_range_comes_first(client: Client, triager: User) -> None:
    often = make_failure(
        sightings=[
            make_sighting(title="often", fingerprint=("often",), happened_at=recent(30))
            for _ in range(5)
        ]
    )
    once = make_failure(happened_at=recent(1), person="")
    long_ago = make_failure(
        sightings=[
            make_sighting(title="long ago", fingerprint=("long",), person=str(number))
            for number in range(9)
        ]
    )
    many = make_failure(
        sightings=[
            make_sighting(
                title="many", fingerprint=("many",), person=str(number), happened_at=recent(60)
            )
            for number in range(2)
        ]
    )

    expected = [many.title, often.title, once.title, long_ago.title]

    assert shown(client) == expected
    overview = client.get("/admin/").content.decode()
    places = [overview.index(f">{title}</a>") for title in expected]
    assert places == sorted(places)


def test_new_is_what_nobody_has_touched_for_a_day_at_most(client: Client, triager: User) -> None:
    new, acknowledged = make_failure(happened_at=recent()), make_failure(happened_at=recent())
    make_failure(happened_at=recent(60 * 25))
    services.acknowledge(acknowledged, Actor("ann"))

    page = client.get(f"{LIST}?state=all&range=30d").content.decode()

    assert page.count(">New</span>") == 1
    assert ">New</span>" in client.get(f"/admin/failures/{new.pk}/").content.decode()


@pytest.mark.parametrize(
    ("browsers", "sentence"),
    [
        (["Chrome 143"] * 12, "All of them on <bdi>Chrome 143</bdi>"),
        (["Chrome 143"] * 39 + ["Safari 26"], "97 % on <bdi>Chrome 143</bdi>"),
        (["Chrome 143"] * 9, ""),
        (["Chrome 143"] * 17 + ["Safari 26"] * 3, ""),
    ],
)
def test_what_nearly_all_have_in_common_is_said_in_a_sentence(
    client: Client, triager: User, browsers: list[str], sentence: str
) -> None:
    failure = make_failure(
        sightings=[
            make_sighting(happened_at=recent(), tags={"Browser": browser, "Meeting": "m"})
            for browser in browsers
        ]
    )

    page = client.get(f"/admin/failures/{failure.pk}/").content.decode()

    assert ("failure-common" in page) == bool(sentence)
    assert sentence in page


def test_an_occurrence_leads_to_its_person_and_its_meeting(client: Client, triager: User) -> None:
    person = "0a8cd2c1-0000-4b7a-9d2e-6b2f8f6f1234"
    failure = make_failure(
        happened_at=recent(), person=person, url="/admin/attendees/1/", tags={"Meeting": "a b"}
    )

    page = client.get(f"/admin/failures/{failure.pk}/").content.decode()

    assert page.count('href="/admin/attendees/1/"') == 2
    assert "0a8cd2c1-0…6f1234" in page
    assert 'href="/admin/search/?q=a%20b"' in page


def test_the_totals_lead_to_all_occurrences(client: Client, triager: User) -> None:
    failure = make_failure(sightings=[make_sighting(happened_at=recent(ago)) for ago in (1, 3000)])

    page = client.get(f"/admin/failures/{failure.pk}/")
    everything = client.get(f"/admin/failures/{failure.pk}/{page.context['all_time_url']}")

    assert page.context["rows_url"] == "#occurrences"
    assert everything.context["number"] == failure.occurrences == 2


def test_only_who_may_triage_gets_a_badge(client: Client) -> None:
    viewer = make_operator()
    viewer.user_permissions.set(Permission.objects.filter(codename="view_failure"))
    client.force_login(viewer)
    make_failure()

    groups = client.get(LIST).context["navigation"]

    [entry] = [entry for group in groups for entry in group.entries if entry.label == "Failures"]
    assert entry.badge == ""


def tiles_of(client: Client, failure: Failure) -> str:
    page = client.get(f"/admin/failures/{failure.pk}/").content.decode()
    return page.partition('<div class="tiles')[2].partition('<div class="failure-columns"')[0]


def test_the_figures_of_a_failure_say_as_of_when(client: Client, triager: User) -> None:
    tiles = tiles_of(client, make_failure(happened_at=recent()))

    assert tiles.count("as of ") == 4
    assert "is-stale" not in tiles


def test_the_figures_of_a_failure_grey_while_the_drain_lags(client: Client, triager: User) -> None:
    failure = make_failure(happened_at=recent())
    store(b"[]", Envelope(door="meetingevents"))
    Delivery.objects.update(queued_at=recent(5))

    tiles = tiles_of(client, failure)

    assert tiles.count("is-stale") == 4
    assert tiles.count("What came in the last 5\u00a0min") == 4
    assert "as of " not in tiles
