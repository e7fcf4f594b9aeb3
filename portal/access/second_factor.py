"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

import django_otp
import segno
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from portal.access import audit, sessions
from portal.access.models import User

RECOVERY_CODES = 10
_PENDING = "pending_authenticator"


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code as one SVG path in units of modules, margin included."""

    size: int
    path: str


def satisfied_by(user: User) -> bool:
    """Whether the person has shown what REQUIRE_SECOND_FACTOR asks for."""
    return not settings.REQUIRE_SECOND_FACTOR or getattr(user, "otp_device", None) is not None


def is_enrolled(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def recovery_codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


def verify(user: User, code: str) -> Device | None:
    """The device that this code belongs to. A code works once; django-otp slows down guessing."""
    code = _plain(code)
    is_totp = len(code) == 6 and code.isascii() and code.isdigit()
    model, token = (TOTPDevice, code) if is_totp else (StaticDevice, _recovery_digest(code))
    with transaction.atomic():
        for device in model.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(token):
                return device
    return None


def pending_device(request: HttpRequest, user: User) -> TOTPDevice:
    """The authenticator that this session is setting up. Its secret is never another session's."""
    pk = request.session.get(_PENDING)
    device = TOTPDevice.objects.filter(user=user, confirmed=False, pk=pk).first() if pk else None
    if device is None:
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        device = TOTPDevice.objects.create(user=user, name="Authenticator", confirmed=False)
        request.session[_PENDING] = device.pk
    return device


def enrol(request: HttpRequest, user: User, code: str) -> list[str] | None:
    """Confirm the pending authenticator: the recovery codes, or None if the code is wrong.

    Ends the person's other sessions, which have not shown the second factor.
    """
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().get(pk=pending_device(request, user).pk)
        if not device.verify_token(_plain(code)):
            return None
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        codes = _new_recovery_codes(user)
        audit.record("second_factor.enrol", actor=user, request=request, target=user)
        del request.session[_PENDING]
        sessions.end_other_sessions(request, user)
        django_otp.login(request, device)
    return codes


def renew_recovery_codes(request: HttpRequest, user: User) -> list[str]:
    with transaction.atomic():
        codes = _new_recovery_codes(user)
        audit.record("second_factor.recovery_codes", actor=user, request=request, target=user)
    return codes


def remove(user: User, *, actor: User | None, request: HttpRequest | None = None) -> None:
    """Take the second factor away, and end the person's sessions but the one that asks for it."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        audit.record("second_factor.remove", actor=actor, request=request, target=user)
        if request and actor and actor.pk == user.pk:
            sessions.end_other_sessions(request, user)
        else:
            sessions.end_sessions(user)


def secret_text(device: TOTPDevice) -> str:
    """The secret as people type it: base32 in groups of four."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr_code(device: TOTPDevice) -> QrCode:
    rows = [bytes(row) for row in segno.make(device.config_url, micro=False).matrix_iter(border=4)]
    return QrCode(
        size=len(rows),
        path="".join(
            f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
        ),
    )


def _new_recovery_codes(user: User) -> list[str]:
    codes = [
        base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)
    ]
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="Recovery codes")
    StaticToken.objects.bulk_create(
        StaticToken(device=device, token=_recovery_digest(code)) for code in codes
    )
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _recovery_digest(code: str) -> str:
    """What is stored of a recovery code: 80 bits of SHA-256, as many as the code itself has."""
    digest = hashlib.sha256(b"greenroom.recovery:" + code.encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()
