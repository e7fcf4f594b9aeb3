"""People: who may manage whom, and accounts made and mended by administrators."""

import secrets
from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from portal.access import audit, sessions
from portal.access.models import User
from portal.access.services import ForbiddenError


def may_manage(actor: User, person: User) -> bool:
    """Nobody changes somebody who can do more: that would be a way to become them."""
    if actor.is_superuser:
        return True
    return not person.is_superuser and _permissions_of(person) <= actor.get_all_permissions()


def grantable_roles(actor: User) -> QuerySet[Group]:
    """The roles that hold nothing which the actor lacks."""
    if actor.is_superuser:
        return Group.objects.order_by("pk")
    own = actor.get_all_permissions()
    roles = Group.objects.prefetch_related("permissions__content_type")
    return Group.objects.filter(
        pk__in=[role.pk for role in roles if _names(role.permissions.all()) <= own]
    ).order_by("pk")


def create_person(
    person: User, *, roles: Iterable[Group], actor: User, request: HttpRequest | None = None
) -> str:
    """Save a new member of staff and return the random password, to be changed at first sign-in."""
    roles = list(roles)
    _check_roles(actor, roles)
    password = secrets.token_urlsafe(15)
    person.is_staff = True
    person.is_superuser = False
    person.set_password(password)
    person.must_change_password = True
    with transaction.atomic():
        person.save()
        person.groups.set(roles)
        names = [role.name for role in roles]
        audit.record("user.create", actor=actor, request=request, target=person, roles=names)
    return password


def reset_password(person: User, *, actor: User, request: HttpRequest | None = None) -> str:
    """Give a random password, to be changed at the next sign-in. Ends the person's sessions."""
    if not may_manage(actor, person):
        raise ForbiddenError(f"{person} can do more than you. Ask a superuser.")
    password = secrets.token_urlsafe(15)
    person.set_password(password)
    person.must_change_password = True
    with transaction.atomic():
        person.save(update_fields=["password", "must_change_password"])
        sessions.end_sessions(person)
        audit.record("password.reset", actor=actor, request=request, target=person)
    return password


def _check_roles(actor: User, roles: list[Group]) -> None:
    if set(roles) - set(grantable_roles(actor)):
        raise ForbiddenError("A role can only be given by somebody who can do all that it allows.")


def _permissions_of(person: User) -> set[str]:
    """Also of somebody deactivated, to whom Django grants none: they can be activated again."""
    held = Permission.objects.filter(Q(group__user=person) | Q(user=person))
    return _names(held.select_related("content_type"))


def _names(permissions: Iterable[Permission]) -> set[str]:
    return {f"{one.content_type.app_label}.{one.codename}" for one in permissions}
