"""The audit trail: one function that everything which matters calls."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from django.db.models import Model
from django.http import HttpRequest

from portal.access.addresses import client_address
from portal.access.models import AuditEvent, User
from portal.logs import request_id

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def record(
    action: str,
    *,
    actor: User | None = None,
    request: HttpRequest | None = None,
    target: Model | None = None,
    target_label: str = "",
    **detail: Json,
) -> AuditEvent:
    """Write one line, in the caller's transaction: deed and line stand or fall together.

    `actor` defaults to the person signed in on `request`. Never put a secret into `detail`.
    """
    actor = actor or _signed_in(request)
    return AuditEvent.objects.create(
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else "",
        address=client_address(request) if request else "",
        action=action,
        target_type=target._meta.label_lower if target else "",
        target_id=str(target.pk) if target else "",
        target_label=_clean(target_label or str(target or ""))[:200],
        detail=_storable(detail),
        request_id=request_id.get(),
    )


def _signed_in(request: HttpRequest | None) -> User | None:
    user = getattr(request, "user", None)
    return cast("User", user) if user is not None and user.is_authenticated else None


def _storable(value: Json) -> Json:
    """The same value without what PostgreSQL refuses in jsonb."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, Mapping):
        return {_clean(name): _storable(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_storable(item) for item in value]
    return value


def _clean(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
