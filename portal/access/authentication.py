"""Who calls the API: a program with a secret key, a client with an ingest key, or staff."""

from typing import TypeAlias, cast

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portal.access import second_factor, sessions
from portal.access.models import ApiKey, KeyKind, User
from portal.access.services import find_key, note_use

Caller: TypeAlias = tuple[User | AnonymousUser, ApiKey | None]

BEARER_UNKNOWN = (
    "This secret key is unknown, expired or revoked. Ask for a new one: "
    "Settings, API keys, or `manage.py apikey create --kind secret`."
)
BEARER_IS_INGEST = (
    "This is an ingest key, which can only send. Use a secret key (grs_…) in the Authorization "
    "header."
)
URL_KEY_UNKNOWN = (
    "The ingest key in this URL is unknown, expired or revoked. Take a new URL from Settings, "
    "API keys, or `manage.py apikey create --kind ingest`."
)
URL_HOLDS_BEARER = (
    "There is a secret key in this URL. It is in logs now: revoke it, and send with an ingest key "
    "(gri_…)."
)


class SecretKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer grs_…`. Never from a URL, never an ingest key."""

    def authenticate(self, request: Request) -> Caller | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        text = text.strip()
        key = find_key(text, KeyKind.SECRET)
        if key is None:
            ingest = text.startswith("gri_")
            raise AuthenticationFailed(
                BEARER_IS_INGEST if ingest else BEARER_UNKNOWN, code="key-unknown"
            )
        note_use(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class IngestKeyAuthentication(BaseAuthentication):
    """The key in the URL, as clients that can set no header need it. Reads no cookies."""

    def authenticate(self, request: Request) -> Caller | None:
        text = request.parser_context["kwargs"].get("key")
        if text is None:
            return None
        key = find_key(text, KeyKind.INGEST)
        if key is None:
            secret = text.startswith("grs_")
            raise AuthenticationFailed(
                URL_HOLDS_BEARER if secret else URL_KEY_UNKNOWN, code="key-unknown"
            )
        note_use(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'IngestKey realm="doors"'


class StaffSessionAuthentication(SessionAuthentication):
    """A member of staff, signed in to the portal, on the same terms as in the pages."""

    def authenticate(self, request: Request) -> Caller | None:
        caller = super().authenticate(request)  # enforces CSRF
        if caller is None:
            return None
        user = cast(User, caller[0])
        if not user.is_staff or sessions.end_if_idle(request._request):  # noqa: SLF001 - DRF's way
            return None
        if user.must_change_password:
            raise AuthenticationFailed("Choose a new password first.", code="password-change")
        if not second_factor.satisfied_by(user):
            raise AuthenticationFailed(
                "Set up your authenticator first, under /admin/second-factor/.",
                code="second-factor",
            )
        return user, None
