"""People, keys, and what is remembered about their use."""

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac


class User(AbstractUser):
    """A member of staff. Clients and programs have keys instead."""

    time_zone = models.CharField(max_length=64, blank=True)
    must_change_password = models.BooleanField(
        "must choose a new password",
        default=False,
        help_text="Set while the password is one that somebody else has seen.",
    )
    # Part of the session hash: raising it ends every session of this person.
    session_generation = models.PositiveIntegerField(default=0, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.must_change_password = False

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        """Django's hash of the password, and of `session_generation` beside it."""
        return salted_hmac(
            "portal.access.models.User.session",
            f"{self.session_generation}:{self.password}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


class KeyKind(models.TextChoices):
    INGEST = "ingest", "Ingest"
    SECRET = "secret", "Secret"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime | None = None) -> Self:
        """Keys that are neither revoked nor expired."""
        now = now or timezone.now()
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True
        )


class ApiKey(models.Model):
    """A key of a client or a program. Only its digest is kept: nobody can read it again."""

    kind = models.CharField(max_length=8, choices=KeyKind)
    name = models.CharField(max_length=100, help_text="What uses it, so that people recognise it.")
    prefix = models.CharField(max_length=12, unique=True)
    # SHA-256 in hex. Fast is right here: the key has 256 random bits, so there is nothing to guess.
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=40))
    origins = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    quota_per_minute = models.PositiveIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    # Requests that came from a web site which is not on the list.
    refused_origin_count = models.PositiveBigIntegerField(default=0, editable=False)
    last_refused_origin = models.CharField(max_length=255, blank=True, editable=False)
    last_refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="created_keys"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "API key"
        default_permissions = ["view"]
        permissions = [("manage_keys", "Can create, change and revoke API keys")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=KeyKind.values), name="access_apikey_kind_valid"
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="access_apikey_digest_is_sha256"
            ),
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0), name="access_apikey_has_a_scope"
            ),
            models.CheckConstraint(
                # What stands in a URL ends up in logs and browsers: it must never open anything.
                condition=~Q(kind=KeyKind.INGEST) | Q(scopes=["ingest"]),
                name="access_apikey_ingest_only_ingests",
            ),
            models.CheckConstraint(
                condition=Q(quota_per_minute__isnull=True) | Q(quota_per_minute__gt=0),
                name="access_apikey_quota_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_usable(self, now: datetime | None = None) -> bool:
        now = now or timezone.now()
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    @property
    def state(self) -> str:
        if self.revoked_at:
            return "revoked"
        return "active" if self.is_usable() else "expired"


class QuotaWindow(models.Model):
    """How much of its quota a key has been lent in one minute, over all processes."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="quota_windows")
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    used = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["key", "minute"], name="access_quotawindow_one_per_minute"
            )
        ]
        indexes = [models.Index(fields=["minute"], name="access_quotawindow_minute")]

    def __str__(self) -> str:
        return f"{self.used} in minute {self.minute}"


class AuditEvent(models.Model):
    """Who did what, when and from where. The database refuses to change or delete a row."""

    at = models.DateTimeField("time", default=timezone.now)
    # A number and a name rather than a foreign key: the row must outlive the person's.
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField("who", max_length=150, blank=True)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    target_type = models.CharField(max_length=100, blank=True)
    target_id = models.CharField(max_length=100, blank=True)
    target_label = models.CharField("object", max_length=200, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "audit event"
        verbose_name_plural = "audit trail"
        default_permissions = ["view"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="access_auditevent_at"),
            models.Index(fields=["action", "-at"], name="access_auditevent_action"),
            models.Index(fields=["actor_id", "-at"], name="access_auditevent_actor"),
            models.Index(fields=["target_type", "target_id"], name="access_auditevent_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name or 'nobody signed in'}"


class SignInAttempt(models.Model):
    """A sign-in that has not succeeded: counted, so that guessing takes too long."""

    at = models.DateTimeField("time", default=timezone.now)
    user_name = models.CharField(max_length=150, help_text="As typed, case folded.")
    source = models.CharField(max_length=64, help_text="IPv4 address, or IPv6 network of 64 bits.")

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "sign-in attempt"
        default_permissions = ["view"]
        indexes = [models.Index(fields=["source", "at"], name="access_signinattempt_source")]

    def __str__(self) -> str:
        return f"{self.user_name} from {self.source}"
