"""Plain factories for people and keys."""

from itertools import count
from typing import Any

from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access.models import ApiKey, User
from portal.access.services import create_key

PASSWORD = "plain-horse-41-battery"
_numbers = count(1)


def make_user(*roles: str, password: str = "", **kwargs: Any) -> User:
    """A member of staff with these roles; without a password that works unless one is given."""
    kwargs = {"username": f"person{next(_numbers)}", "is_staff": True, **kwargs}
    user = User(**kwargs)
    if password:
        user.set_password(password)
        user.must_change_password = kwargs.get("must_change_password", False)
    else:
        user.set_unusable_password()
    user.save()
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def make_key(**kwargs: Any) -> tuple[ApiKey, str]:
    kind = kwargs.get("kind", "ingest")
    scopes = ["ingest"] if kind == "ingest" else ["meetings:read"]
    return create_key(**{"kind": kind, "name": "test key", "scopes": scopes, **kwargs})


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_request(**meta: Any) -> HttpRequest:
    return RequestFactory().get("/", **meta)


def make_authenticator(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="Authenticator", confirmed=True)


def code_of(device: TOTPDevice) -> str:
    """What the authenticator app shows now. A used code is let through again by clearing it."""
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1, throttling_failure_count=0)
    return f"{totp(device.bin_key):06d}"
