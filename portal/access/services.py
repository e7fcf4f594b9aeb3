"""Keys and people: everything that writes more than one row."""

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from portal.access import audit, outage
from portal.access.models import ApiKey, KeyKind, QuotaWindow, SignInAttempt, User
from portal.access.origins import normalise_origin
from portal.access.quota import take_quota
from portal.access.scopes import check as check_scopes
from portal.errors import ConflictError, OperationError

__all__ = [
    "ForbiddenError",
    "create_first_administrator",
    "create_key",
    "delete_stale_rows",
    "find_key",
    "forget_cached_keys",
    "is_use_noted",
    "note_use",
    "remembered_key",
    "renew_key",
    "revoke_key",
    "take_quota",
]

logger = logging.getLogger(__name__)

_MARKS = {KeyKind.INGEST: "gri_", KeyKind.SECRET: "grs_"}
_KEY = re.compile(r"gr[is]_[A-Za-z0-9_-]{43}")
_PREFIX_LENGTH = 12

CACHE_SECONDS = 5  # how long a revoked key may still be accepted by another process
_CACHE_SIZE = 2048
_USE_NOTED_SECONDS = 60


@dataclass(slots=True)
class _Cached:
    key: ApiKey
    expires: float
    read_at: float
    is_renewing: bool = False


_cache: dict[str, _Cached] = {}
_noted: dict[int, float] = {}
_lock = threading.Lock()

FIRST_ADMINISTRATOR_LOCK = 0x67726E01


class ForbiddenError(OperationError):
    """You may not do this. Ask an administrator."""

    status = 403


def create_key(
    *,
    kind: str,
    name: str,
    scopes: Iterable[str],
    origins: Iterable[str] = (),
    quota_per_minute: int | None = None,
    expires_at: datetime | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> tuple[ApiKey, str]:
    """Make a key. The second value is the key itself, which cannot be read again later.

    With an actor, only scopes that the actor has the permission for can be given.
    """
    _refuse_senseless(kind, name, origins, quota_per_minute, expires_at)
    names = _grantable_scopes(scopes, kind, actor)
    text = _MARKS[KeyKind(kind)] + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            kind=kind,
            name=name.strip()[:100],
            prefix=text[:_PREFIX_LENGTH],
            digest=_digest(text),
            scopes=names,
            origins=sorted({normalise_origin(origin) for origin in origins}),
            quota_per_minute=quota_per_minute,
            expires_at=expires_at,
            created_by=actor,
        )
        audit.record(
            "key.create",
            actor=actor,
            request=request,
            target=key,
            kind=kind,
            scopes=key.scopes,
            origins=key.origins,
            quota_per_minute=quota_per_minute,
            expires_at=expires_at.isoformat() if expires_at else None,
        )
    return key, text


def _refuse_senseless(
    kind: str,
    name: str,
    origins: Iterable[str],
    quota_per_minute: int | None,
    expires_at: datetime | None,
) -> None:
    if kind not in _MARKS:
        raise OperationError(f"A key is of kind {' or '.join(KeyKind.values)}, not {kind!r}.")
    if not name.strip():
        raise OperationError("Give the key a name that says what uses it.")
    if expires_at and expires_at <= timezone.now():
        raise OperationError("The key would have expired already. Choose a later moment.")
    if quota_per_minute is not None and quota_per_minute < 1:
        raise OperationError("The quota must be at least 1 a minute. Leave it out for no limit.")
    if origins and kind != KeyKind.INGEST:
        raise OperationError("Origins are for ingest keys: a secret key never goes into a page.")


def revoke_key(key: ApiKey, *, actor: User | None, request: HttpRequest | None = None) -> None:
    """End a key for good. Other processes follow within CACHE_SECONDS."""
    with transaction.atomic():
        now = timezone.now()
        if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            raise ConflictError(f"The key {key} has been revoked already.")
        audit.record("key.revoke", actor=actor, request=request, target=key)
    key.revoked_at = now
    forget_cached_keys()


def find_key(text: str, kind: str) -> ApiKey | None:
    """The usable key of this kind, or None. What it returns is shared: read it, do not change it.

    The look-up goes by digest, so its time tells nothing about how much of a guess was right.
    """
    if not _KEY.fullmatch(text):
        return None
    digest = _digest(text)
    with _lock:
        found = _cache.get(digest)
    if found and found.expires > time.monotonic():
        key: ApiKey | None = found.key
    else:
        key = _read_or_recall_key(digest, found)
    return key if key and key.kind == kind and key.is_usable() else None


def remembered_key(text: str, kind: str) -> tuple[ApiKey | None, bool]:
    """As find_key, but from memory alone: None also where the database would have to be asked.

    The second value asks for `renew_key`, one caller at a time: the answer grows old, and with a
    new one in time a busy key is never looked up while its requests wait.
    """
    found = _cache.get(_digest(text))
    now = time.monotonic()
    if found is None or found.expires <= now:
        return None, False
    renew = not found.is_renewing and found.expires - now < CACHE_SECONDS / 2
    if renew:
        found.is_renewing = True
    key = found.key
    return (key if key.kind == kind and key.is_usable() else None), renew


def renew_key(text: str) -> None:
    _read_key(_digest(text))


def is_use_noted(key: ApiKey) -> bool:
    """Whether note_use would do nothing."""
    return _noted.get(key.pk, -_USE_NOTED_SECONDS) > time.monotonic() - _USE_NOTED_SECONDS


def note_use(key: ApiKey) -> None:
    """Keep `last_used_at`, written at most once a minute whatever the load."""
    now = time.monotonic()
    with _lock:
        if _noted.get(key.pk, -_USE_NOTED_SECONDS) > now - _USE_NOTED_SECONDS:
            return
        if len(_noted) >= _CACHE_SIZE:
            _noted.clear()
        _noted[key.pk] = now
    moment = timezone.now()
    long_ago = moment - timedelta(seconds=_USE_NOTED_SECONDS)
    unnoted = ApiKey.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=long_ago), pk=key.pk
    )
    try:
        with outage.asking():
            unnoted.update(last_used_at=moment)
    except (DatabaseError, InterfaceError):
        if not outage.goes_on():
            raise


def forget_cached_keys() -> None:
    with _lock:
        _cache.clear()


def create_first_administrator() -> str | None:
    """Make the superuser `admin` if there is nobody yet, and return the random password."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_ADMINISTRATOR_LOCK])
        if User.objects.exists():
            return None
        password = secrets.token_urlsafe(15)
        user = User.objects.create_superuser("admin", password=password)
        audit.record("user.create", target=user, first=True)
    return password


def delete_stale_rows() -> int:
    """Housekeeping: quota windows and sign-in attempts that no longer count."""
    minute = int(time.time() // 60)
    window = timedelta(minutes=settings.SIGN_IN_WINDOW_MINUTES)
    quota, _ = QuotaWindow.objects.filter(minute__lt=minute - 10).delete()
    attempts, _ = SignInAttempt.objects.filter(at__lt=timezone.now() - window).delete()
    return quota + attempts


def _grantable_scopes(names: Iterable[str], kind: str, actor: User | None) -> list[str]:
    wanted = check_scopes(list(names), kind)
    if actor is not None:
        for scope in wanted:
            if not actor.has_perm(scope.permission):
                raise ForbiddenError(
                    f"You cannot give the scope {scope.name}, because you lack the permission "
                    f"{scope.permission} yourself. Ask an administrator who has it."
                )
    return [scope.name for scope in wanted]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_or_recall_key(digest: str, found: _Cached | None) -> ApiKey | None:
    """What was read last counts while the database is away, if doors can do without it."""
    try:
        return _read_key(digest)
    except (DatabaseError, InterfaceError) as error:
        now = time.monotonic()
        is_good = found and now - found.read_at < outage.KEYS_ARE_GOOD_SECONDS
        if not (found and is_good and outage.goes_on()):
            raise
        logger.warning("A key is believed without the database: %s", error)
        found.expires = now + CACHE_SECONDS
        return found.key


def _read_key(digest: str) -> ApiKey | None:
    read_at = time.monotonic()
    with outage.asking():
        key = ApiKey.objects.usable().filter(digest=digest).first()
    with _lock:
        if key is None:  # unknown keys are not kept: there is no end of them
            _cache.pop(digest, None)
            return None
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        _cache[digest] = _Cached(key, read_at + CACHE_SECONDS, read_at)
    return key
