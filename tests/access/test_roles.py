"""Role by model by verb, over everything that is registered in the admin."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client, RequestFactory

from portal import pages
from portal.access.models import User
from portal.access.roles import ADMINISTRATOR, OPERATOR, PRIVACY, ROLES, VIEWER, sync_roles
from portal.inbox.handlers import RefusedItem
from portal.inbox.services import Envelope, quarantine, store
from tests.access.factories import make_key, make_user, signed_in

pytestmark = pytest.mark.django_db

NO_ROLE = ""
EVERYBODY = [NO_ROLE, VIEWER, OPERATOR, PRIVACY, ADMINISTRATOR]

# What the roles can write in the admin's forms. Everything else there is refused to all of them.
WRITE = {
    ("access.user", "add"): {ADMINISTRATOR},
    ("access.user", "change"): {ADMINISTRATOR},
    ("access.apikey", "add"): {ADMINISTRATOR},
    ("access.apikey", "change"): {ADMINISTRATOR},
}
ACTIONS = {
    ("access.apikey", "revoke"): {ADMINISTRATOR},
    ("inbox.quarantine", "replay_selected"): {OPERATOR, ADMINISTRATOR},
    ("inbox.quarantine", "discard_selected"): {OPERATOR, ADMINISTRATOR},
}

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)  # noqa: SLF001


def label(model: type[Model]) -> str:
    return model._meta.label_lower


def person_with(role: str) -> User:
    return make_user(*([role] if role else []))


def may_see(role: str, model: type[Model]) -> bool:
    return f"{model._meta.app_label}.view_{model._meta.model_name}" in ROLES.get(role, set())


def url(model: type[Model], verb: str, pk: Any) -> str:
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return base + {"list": "", "add": "add/"}.get(verb, f"{pk}/{verb}/")


def some_pk(model: type[Model]) -> Any:
    """A row to try with. Without one the admin redirects whoever is let in, and refuses others."""
    if label(model) == "access.user":
        return make_user().pk
    if label(model) == "access.apikey":
        return make_key()[0].pk
    if label(model) == "inbox.delivery":
        return store(b"[]", Envelope(door="meetingevents"))
    if label(model) == "inbox.quarantine":
        quarantine("meetingevents", RefusedItem(0, "not-json", "No JSON.", b"x"))
    first = model._default_manager.first()
    return first.pk if first else 0


def rows(model: type[Model]) -> list[dict[str, Any]]:
    return list(model._default_manager.order_by("pk").values())


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("model", MODELS, ids=label)
def test_reading_follows_the_table(model: type[Model], role: str) -> None:
    client, pk = signed_in(person_with(role)), some_pk(model)

    statuses = [client.get(url(model, verb, pk)).status_code for verb in ["list", "change"]]

    assert all(status in {200, 302} for status in statuses) is may_see(role, model)
    assert all(status == 403 for status in statuses) is not may_see(role, model)


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("model", MODELS, ids=label)
def test_writing_is_refused_except_where_the_table_allows_it(model: type[Model], role: str) -> None:
    client, pk = signed_in(person_with(role)), some_pk(model)
    before = rows(model)

    for verb in ["add", "change", "delete"]:
        response = client.post(url(model, verb, pk), {"post": "yes"})

        if role in WRITE.get((label(model), verb), set()):
            assert response.status_code != 403, verb
        elif verb == "change" and may_see(role, model):
            assert response.status_code in {200, 403, 405}, "at most the page that only shows"
        else:
            assert response.status_code == 403, verb
    assert rows(model) == before


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("model", MODELS, ids=label)
def test_actions_are_offered_only_where_the_table_allows_them(
    rf: RequestFactory, model: type[Model], role: str
) -> None:
    request = rf.get("/")
    request.user = person_with(role)

    offered = admin.site.get_model_admin(model).get_actions(request)

    for name in offered:
        assert role in ACTIONS.get((label(model), name), set()), name


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_without_a_role_not_even_the_side_doors_are_open(model: type[Model]) -> None:
    client, pk = signed_in(make_user()), some_pk(model)
    name = model._meta.model_name
    lookup: dict[str, Any] = {
        "app_label": model._meta.app_label,
        "model_name": name,
        "field_name": "groups",
    }

    assert client.get(url(model, "history", pk)).status_code in {302, 403}
    assert client.get("/admin/autocomplete/", lookup).status_code == 403
    assert client.get(f"/admin/{model._meta.app_label}/").status_code in {403, 404}


def test_own_pages_ask_for_their_permission() -> None:
    client = signed_in(make_user())
    closed = [page for page in pages.registered() if page.permission]

    for page in closed:
        path = "/admin/" + page.path.replace("<int:pk>", "1")
        assert client.get(path).status_code == 403, path


def test_without_a_role_there_is_only_the_own_account() -> None:
    client = signed_in(make_user())

    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/password_change/").status_code == 200
    assert client.get("/admin/second-factor/").status_code == 200


def test_the_database_follows_the_table() -> None:
    viewer = Group.objects.get(name=VIEWER)
    viewer.permissions.add(Permission.objects.get(codename="manage_keys"))
    Group.objects.get(name=PRIVACY).delete()

    sync_roles()
    sync_roles()

    assert Group.objects.count() == 4
    for name, wanted in ROLES.items():
        held = set(_names(Group.objects.get(name=name)))
        assert held == wanted & _declared()


def _names(role: Group) -> Iterator[str]:
    for permission in role.permissions.select_related("content_type"):
        yield f"{permission.content_type.app_label}.{permission.codename}"


def _declared() -> set[str]:
    return {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Permission.objects.select_related("content_type")
    }


def test_the_table_names_only_permissions_that_exist() -> None:
    installed = {config.label for config in apps.get_app_configs()}
    named = {name for names in ROLES.values() for name in names}

    assert {name for name in named if name.split(".")[0] in installed} <= _declared()


def test_more_than_looking_is_never_given_to_viewers() -> None:
    assert all(name.split(".")[1].startswith("view_") for name in ROLES[VIEWER])
    assert "inbox.view_raw" not in ROLES[VIEWER]


def test_secrets_of_authenticators_are_on_no_page() -> None:
    client: Client = signed_in(make_user(is_superuser=True))

    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert client.get("/admin/otp_static/staticdevice/").status_code == 404
