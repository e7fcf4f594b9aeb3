"""Protection of the sign-in: so many failures, then a wait.

An attempt is written down before the password is looked at and taken away again when it succeeds,
so attempts made at the same moment cannot slip past the count together.
"""

import math
import unicodedata
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from portal.access import audit
from portal.access.addresses import client_address, network_of
from portal.access.models import SignInAttempt, User

REFUSED = "sign_in.failed"
_ADDRESS_FACTOR = 10  # one address may fail for this many people, as behind an office's gateway
_LOCK_SPACE = 0x67726E02  # first half of the advisory lock's name; the second is the source


def begin_attempt(user_name: str, request: HttpRequest) -> int:
    """Write an attempt down: 0 if it may go on, else how many seconds there are to wait."""
    name, source = _counted_name(user_name), network_of(client_address(request))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_SPACE, source])
        wait = _seconds_to_wait(name, source)
        if wait == 0:
            SignInAttempt.objects.create(user_name=name, source=source)
    return wait


def record_failure(
    user_name: str, request: HttpRequest, *, reason: str, action: str = REFUSED
) -> None:
    """Tell the audit trail. What was refused during a wait is not told: that could fill a disk."""
    name, source = _counted_name(user_name), network_of(client_address(request))
    audit.record(action, request=request, target_label=name, reason=reason)
    if _seconds_to_wait(name, source):
        audit.record(
            "sign_in.locked",
            request=request,
            target_label=name,
            minutes=settings.SIGN_IN_WINDOW_MINUTES,
        )


def forget_failures(user_name: str, request: HttpRequest) -> None:
    SignInAttempt.objects.filter(
        user_name=_counted_name(user_name), source=network_of(client_address(request))
    ).delete()


def confirm_password(
    request: HttpRequest, user: User, password: str, *, action: str = REFUSED
) -> str:
    """Ask somebody signed in for the password again: "" if it is right, else what to tell."""
    name = user.get_username()
    if wait := begin_attempt(name, request):
        return too_many(wait)
    if not user.check_password(password):
        record_failure(name, request, reason="password", action=action)
        return "This is not your password."
    forget_failures(name, request)
    return ""


def too_many(wait: int) -> str:
    return f"Too many failed sign-ins. Try again in {wait_in_words(wait)}."


def wait_in_words(seconds: int) -> str:
    if seconds <= 90:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{math.ceil(seconds / 60)} minutes"


def _seconds_to_wait(name: str, source: str) -> int:
    now = timezone.now()
    window = timedelta(minutes=settings.SIGN_IN_WINDOW_MINUTES)
    recent = SignInAttempt.objects.filter(source=source, at__gt=now - window)
    limit = settings.SIGN_IN_FAILURES
    waits = [0]
    for attempts, allowed in [
        (recent.filter(user_name=name), limit),
        (recent, limit * _ADDRESS_FACTOR),
    ]:
        # The wait ends when the oldest of the failures that fill the limit leaves the window.
        latest = list(attempts.order_by("-at").values_list("at", flat=True)[:allowed])
        if len(latest) == allowed:
            waits.append(math.ceil((latest[-1] + window - now).total_seconds()))
    return max(waits)


def _counted_name(user_name: str) -> str:
    """One spelling for what the database would take for different guesses at one person."""
    return unicodedata.normalize("NFKC", user_name).strip().casefold()[:150]
