"""Sessions of staff: ended when idle, ended elsewhere when the credentials change."""

import time

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.db.models import F
from django.http import HttpRequest

from portal.access import audit
from portal.access.models import User

_SEEN_AT = "seen_at"
_WRITE_EVERY_SECONDS = 60
# Sent by scripts that refresh a page on their own: not a sign of somebody being there.
_BACKGROUND_HEADER = "X-Background"


def end_if_idle(request: HttpRequest) -> bool:
    """Sign out a session unused for SESSION_IDLE_MINUTES; else note that it is in use."""
    now = int(time.time())
    seen_at = request.session.get(_SEEN_AT)
    if seen_at is not None and now - seen_at > settings.SESSION_IDLE_MINUTES * 60:
        audit.record("sign_out.idle", request=request)
        logout(request)
        return True
    background = _BACKGROUND_HEADER in request.headers
    if seen_at is None or (not background and now - seen_at >= _WRITE_EVERY_SECONDS):
        request.session[_SEEN_AT] = now
    return False


def end_sessions(user: User) -> None:
    """Sign this person out everywhere."""
    User.objects.filter(pk=user.pk).update(session_generation=F("session_generation") + 1)
    user.refresh_from_db(fields=["session_generation"])


def end_other_sessions(request: HttpRequest, user: User) -> None:
    """Sign this person out everywhere but here, where the session gets a new key."""
    end_sessions(user)
    update_session_auth_hash(request, user)
