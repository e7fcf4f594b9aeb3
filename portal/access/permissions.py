"""What a caller of the API may do."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.access.models import ApiKey, KeyKind
from portal.access.origins import origin_allowed
from portal.access.refusals import note_refused_origin
from portal.access.services import take_quota

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time it would import this module


class ScopeOrPermission(BasePermission):
    """Keys need the view's `required_scope`, people its `required_permission`.

    A view that declares neither is open to nobody.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.auth, ApiKey):
            return _key_may(request.auth, getattr(view, "required_scope", ""))
        user: Any = request.user
        if user is None or not user.is_authenticated:
            return False
        permission = getattr(view, "required_permission", "")
        if user.is_staff and permission and user.has_perm(permission):
            return True
        raise PermissionDenied(
            f"You lack the permission {permission or 'for this'}. Ask an administrator for a role "
            "that has it.",
            code="permission-missing",
        )


class IngestAllowed(BasePermission):
    """An ingest key, used from an origin on its list, within its quota.

    A door whose URL takes no key is open while INGEST_ANONYMOUS is True, and shut otherwise.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            if settings.INGEST_ANONYMOUS and "key" not in view.kwargs:
                return True
            raise NotAuthenticated(
                "This address takes no events without a key. Send to /ingest/<key>/meetingevents."
            )
        if key.kind != KeyKind.INGEST:
            raise PermissionDenied("Only ingest keys can send here.", code="key-kind")
        if not origin_allowed(key, request._request):  # noqa: SLF001 - DRF's way to it
            note_refused_origin(key, request.headers.get("Origin", ""))
            raise PermissionDenied(
                "This key is not allowed from this origin. Add the origin to the key under "
                "Settings, API keys.",
                code="origin-refused",
            )
        charge(key)
        return True


def charge(key: ApiKey, amount: int = 1) -> None:
    """Take from the key's quota, or answer 429 with the time to wait."""
    if wait := take_quota(key, amount):
        raise Throttled(wait, f"This key may be used {key.quota_per_minute} times a minute.")


def _key_may(key: ApiKey, scope: str) -> bool:
    if key.kind != KeyKind.SECRET or not scope or scope not in key.scopes:
        raise PermissionDenied(
            f"This key lacks the scope {scope or 'for this'}. Create a key with it under "
            "Settings, API keys.",
            code="scope-missing",
        )
    charge(key)
    return True
