import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.access import people, second_factor
from portal.access.models import AuditEvent, User
from portal.access.roles import ADMINISTRATOR, OPERATOR, VIEWER
from portal.errors import OperationError
from tests.access.factories import make_authenticator, make_user, signed_in

pytestmark = pytest.mark.django_db

LIST = "/admin/access/user/"
PASSWORD_SHOWN = re.compile(r'Password</dt><dd><span class="identifier" data-copy="([^"]+)"')


@pytest.fixture
def administrator() -> User:
    return make_user(ADMINISTRATOR, username="grace")


@pytest.fixture
def desk(administrator: User) -> Client:
    return signed_in(administrator)


def role(name: str) -> Group:
    return Group.objects.get(name=name)


def change(client: Client, person: User, **fields: object) -> Any:
    data = {
        "username": person.username,
        "is_active": "on",
        "groups": [group.pk for group in person.groups.all()],
        **fields,
    }
    return client.post(f"{LIST}{person.pk}/change/", {k: v for k, v in data.items() if v != ""})


def test_a_new_person_gets_a_random_password_shown_once(desk: Client, administrator: User) -> None:
    fields = {"username": "alan", "email": "alan@example.com", "groups": [role(OPERATOR).pk]}

    response = desk.post(f"{LIST}add/", fields)

    alan = User.objects.get(username="alan")
    shown = PASSWORD_SHOWN.search(response.content.decode())
    assert shown is not None
    assert alan.check_password(shown[1])
    assert alan.is_staff
    assert alan.must_change_password
    assert not alan.is_superuser
    assert list(alan.groups.values_list("name", flat=True)) == [OPERATOR]
    event = AuditEvent.objects.get(action="user.create")
    assert (event.actor_id, event.target_id) == (administrator.pk, str(alan.pk))
    assert event.detail == {"roles": [OPERATOR]}
    assert "no-store" in response["Cache-Control"]


def test_a_taken_name_is_told_beside_the_field(desk: Client) -> None:
    response = desk.post(f"{LIST}add/", {"username": "grace"})

    assert response.status_code == 200
    assert "already exists" in response.content.decode()


def test_changes_of_roles_are_audited_with_before_and_after(desk: Client) -> None:
    person = make_user(VIEWER)

    response = change(desk, person, email="new@example.com", groups=[role(OPERATOR).pk])

    assert response.status_code == 302
    event = AuditEvent.objects.get(action="user.change")
    assert event.detail["changes"] == {
        "roles": [VIEWER, OPERATOR],
        "email": ["", "new@example.com"],
    }


def test_a_form_saved_unchanged_leaves_no_line(desk: Client) -> None:
    change(desk, make_user(VIEWER))

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("field", ["is_superuser", "is_staff", "user_permissions", "password"])
def test_an_administrator_cannot_make_superusers(desk: Client, field: str) -> None:
    person = make_user(VIEWER)
    before = person.password

    change(desk, person, **{field: "1"})
    desk.post(f"{LIST}add/", {"username": "alan", field: "1"})

    for user in User.objects.filter(username__in=[person.username, "alan"]):
        assert not user.is_superuser
        assert not user.user_permissions.exists()
    person.refresh_from_db()
    assert person.password == before


def test_an_administrator_cannot_touch_a_superuser(desk: Client) -> None:
    root = make_user(is_superuser=True)
    make_authenticator(root)

    assert desk.get(f"{LIST}{root.pk}/change/").status_code == 200, "may look"
    assert change(desk, root, username="mine").status_code == 403
    assert desk.post(f"{LIST}{root.pk}/reset-password/").status_code == 403
    assert desk.post(f"{LIST}{root.pk}/remove-second-factor/").status_code == 403

    root.refresh_from_db()
    assert root.username != "mine"
    assert second_factor.is_enrolled(root)


def test_nobody_gives_a_role_that_allows_more_than_they_may(administrator: User) -> None:
    more = Group.objects.create(name="More")
    more.permissions.set(
        Group.objects.get(name=ADMINISTRATOR).permissions.model.objects.filter(
            codename="delete_user"
        )
    )
    desk = signed_in(administrator)

    change(desk, administrator, groups=[role(ADMINISTRATOR).pk, more.pk])
    page = desk.post(f"{LIST}add/", {"username": "alan", "groups": [more.pk]})

    assert not more.user_set.exists()
    assert page.status_code == 200
    with pytest.raises(OperationError):
        people.create_person(User(username="bob"), roles=[more], actor=administrator)


def test_a_superuser_can_make_superusers_but_not_unmake_themselves() -> None:
    root, person = make_user(is_superuser=True), make_user()
    desk = signed_in(root)

    change(desk, person, is_superuser="on")
    change(desk, root, is_superuser="")
    change(desk, root, is_superuser="on", is_active="")

    person.refresh_from_db()
    root.refresh_from_db()
    assert person.is_superuser
    assert root.is_superuser
    assert root.is_active


def test_people_are_deactivated_never_deleted(desk: Client) -> None:
    person = make_user()

    change(desk, person, is_active="")

    assert (
        signed_in(make_user(is_superuser=True)).post(f"{LIST}{person.pk}/delete/").status_code
        == 403
    )
    person.refresh_from_db()
    assert not person.is_active
    event = AuditEvent.objects.get(action="user.change")
    assert event.detail["changes"] == {"is_active": ["True", "False"]}


def test_a_password_is_reset_after_asking_once(desk: Client) -> None:
    person = make_user()
    url = f"{LIST}{person.pk}/reset-password/"
    assert desk.get(url).status_code == 200
    person.refresh_from_db()
    assert not person.has_usable_password()

    page = desk.post(url).content.decode()

    person.refresh_from_db()
    shown = PASSWORD_SHOWN.search(page)
    assert shown is not None
    assert person.check_password(shown[1])
    assert person.must_change_password
    assert AuditEvent.objects.get().action == "password.reset"


def test_a_lost_authenticator_is_removed_by_an_administrator(
    desk: Client, administrator: User
) -> None:
    person = make_user()
    make_authenticator(person)
    elsewhere = signed_in(person)

    response = desk.post(f"{LIST}{person.pk}/remove-second-factor/")

    assert response.status_code == 302
    assert not second_factor.is_enrolled(person)
    assert elsewhere.get("/admin/second-factor/").status_code == 302
    event = AuditEvent.objects.get(action="second_factor.remove")
    assert (event.actor_id, event.target_id) == (administrator.pk, str(person.pk))


def test_ones_own_account_is_changed_on_its_own_pages(desk: Client, administrator: User) -> None:
    for page in ["reset-password", "remove-second-factor"]:
        assert desk.post(f"{LIST}{administrator.pk}/{page}/").status_code == 403


def test_passwords_cannot_be_fished_for_through_filters(desk: Client) -> None:
    assert desk.get(LIST, {"password__startswith": "md5"}).status_code in {302, 400}


def test_the_list_does_not_ask_for_each_person(desk: Client) -> None:
    desk.get(LIST)
    with CaptureQueriesContext(connection) as few:
        desk.get(LIST)
    for _ in range(30):
        make_user(VIEWER)

    with CaptureQueriesContext(connection) as many:
        desk.get(LIST)

    assert len(many) == len(few)


def test_roles_are_shown_and_cannot_be_changed(desk: Client) -> None:
    pk = role(VIEWER).pk

    assert VIEWER in desk.get("/admin/auth/group/").content.decode()
    assert "Can view meeting" in desk.get(f"/admin/auth/group/{pk}/change/").content.decode()
    assert desk.post(f"/admin/auth/group/{pk}/change/", {"name": "x"}).status_code == 403


def test_somebody_deactivated_who_could_do_more_is_not_to_be_had(administrator: User) -> None:
    person = make_user(VIEWER, username="ada", is_active=False)
    assert people.may_manage(administrator, person)

    person.user_permissions.add(Permission.objects.get(codename="add_group"))

    assert not people.may_manage(administrator, person)
