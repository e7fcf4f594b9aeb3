"""What came in through the doors, as it came, and what of it could not be understood."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Self

import zstandard
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.access.models import ApiKey

# Level 1: JSON shrinks to a seventh already, and the door answers sooner.
ZSTD_LEVEL = 1


def compress(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def decompress(stored: bytes | memoryview[int]) -> bytes:
    return zstandard.ZstdDecompressor().decompress(bytes(stored))


def digest_of(body: bytes) -> bytes:
    """SHA-256 of the bytes as they are kept: what makes two copies one."""
    return hashlib.sha256(body).digest()


def today() -> date:
    """The day by which deliveries are partitioned: that of storing them, in UTC."""
    return datetime.now(UTC).date()


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> Self:
        return self.filter(state=Delivery.State.WAITING)

    def oldest_waiting_age(self, *, now: datetime) -> timedelta:
        """How long the next delivery has been waiting; zero when none is."""
        queued_at = self.waiting().order_by("id").values_list("queued_at", flat=True).first()
        return max(now - queued_at, timedelta()) if queued_at else timedelta()


class Delivery(models.Model):
    """One body that a door has acknowledged: the archive, and the queue in front of the drain.

    Partitioned by `stored_on`, so that retention drops whole days. The database keeps no foreign
    keys from or to it: a day goes without looking at other tables.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        HANDLED = "handled"
        QUARANTINED = "quarantined"

    door = models.CharField(max_length=64)
    key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, blank=True, db_index=False, db_constraint=False
    )
    stored_on = models.DateField(default=today)
    received_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    origin = models.CharField(max_length=200, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    body = models.BinaryField()  # zstd
    size_bytes = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    copies = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    # Counted before handling begins, so that a body which kills the process is found out.
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    replay_of = models.ForeignKey(
        "Quarantine",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replays",
        db_index=False,
        db_constraint=False,
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                # With the day, because a partition knows nothing of the others.
                fields=["door", "digest", "stored_on"],
                condition=Q(replay_of__isnull=True),
                name="inbox_delivery_one_row_per_body",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "handled", "quarantined"]),
                name="inbox_delivery_state_valid",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="waiting"), name="inbox_waiting"),
            models.Index(
                fields=["-id"], condition=Q(state="quarantined"), name="inbox_delivery_refused"
            ),
            models.Index(fields=["key", "-id"], name="inbox_delivery_by_key"),
            models.Index(fields=["received_at"], name="inbox_received"),
            models.Index(
                fields=["replay_of"], condition=Q(replay_of__isnull=False), name="inbox_replays"
            ),
        ]
        permissions = [("view_raw", "Can read raw bodies, which hold personal data")]

    def __str__(self) -> str:
        return f"Delivery {self.pk}"

    def raw(self) -> bytes:
        """The body as it was received, without what a door must not keep (join tokens)."""
        return decompress(self.body)


class QuarantineQuerySet(models.QuerySet["Quarantine"]):
    def held(self) -> Self:
        return self.filter(state=Quarantine.State.HELD)


class Quarantine(models.Model):
    """An item that could not be understood, kept until somebody replays or discards it."""

    class State(models.TextChoices):
        HELD = "held"
        REPLAYING = "replaying"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    door = models.CharField(max_length=64)
    reason = models.CharField(max_length=64)
    detail = models.TextField(blank=True)
    raw_zstd = models.BinaryField()
    size_bytes = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    delivery = models.ForeignKey(
        Delivery,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="quarantined",
        db_constraint=False,
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.HELD)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True)
    discard_reason = models.CharField(max_length=300, blank=True)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        verbose_name = "quarantined item"
        constraints = [
            models.UniqueConstraint(
                fields=["door", "digest"], name="inbox_quarantine_one_row_per_item"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["held", "replaying", "replayed", "discarded"]),
                name="inbox_quarantine_state_valid",
            ),
        ]
        indexes = [
            models.Index(fields=["-last_seen_at"], name="inbox_quarantine_newest"),
            models.Index(
                fields=["door", "reason"], condition=Q(state="held"), name="inbox_quarantine_held"
            ),
        ]
        permissions = [
            ("replay_quarantine", "Can replay quarantined items"),
            ("discard_quarantine", "Can discard quarantined items"),
        ]

    def __str__(self) -> str:
        return f"Quarantined item {self.pk}"

    def raw(self) -> bytes:
        """The smallest body of the same door that holds this item alone."""
        return decompress(self.raw_zstd)
