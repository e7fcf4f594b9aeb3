"""Meetings, the people in them, and what their clients say happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, F, Max, Min, Q
from django.urls import reverse
from django.utils import timezone

from meetings.formats.gists import MAX_REGION


def _by_prefix(field: str, *, name: str) -> models.Index:
    """An index that finds the beginning of a text as well, whatever the database's collation."""
    return models.Index(fields=[field], name=name, opclasses=["varchar_pattern_ops"])


# What the lists call "with failures"; their indexes hold only these rows.
TROUBLED_MEETING = Q(failed_count__gt=0) | Q(dropped_count__gt=0) | Q(device_failed_count__gt=0)
TROUBLED_ATTENDEE = (
    Q(join_failure_count__gt=0)
    | Q(drop_count__gt=0)
    | Q(audio_failure_count__gt=0)
    | Q(video_failure_count__gt=0)
)


class EventName(models.Model):
    """A name of a client event, in our vocabulary, kept once."""

    value = models.CharField(max_length=128, unique=True)

    def __str__(self) -> str:
        return self.value


class MeetingStatus(models.Model):
    """A status with which an SDK says how a meeting session ended, kept once."""

    value = models.CharField(max_length=128, unique=True)

    class Meta:
        verbose_name_plural = "meeting statuses"

    def __str__(self) -> str:
        return self.value


class Client(models.Model):
    """One combination of SDK, browser, system and device, kept once."""

    digest = models.BinaryField(max_length=32, unique=True)
    sdk_name = models.CharField(max_length=200, blank=True)
    sdk_version = models.CharField(max_length=200, blank=True)
    platform = models.CharField(max_length=32, blank=True)  # JavaScript, iOS, Android, Other
    browser_name = models.CharField(max_length=200, blank=True)
    browser_major = models.CharField(max_length=32, blank=True)
    browser_version = models.CharField(max_length=200, blank=True)
    os_name = models.CharField(max_length=200, blank=True)
    os_version = models.CharField(max_length=200, blank=True)
    device_name = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["sdk_name", "sdk_version"], name="meetings_client_sdk"),
            models.Index(fields=["browser_name", "browser_major"], name="meetings_client_browser"),
        ]

    def __str__(self) -> str:
        return " · ".join(filter(None, [self.sdk, self.browser, self.system])) or "unknown client"

    @property
    def sdk(self) -> str:
        return f"{self.platform or self.sdk_name} {self.sdk_version}".strip()

    @property
    def browser(self) -> str:
        return f"{self.browser_name} {self.browser_major}".strip()

    @property
    def system(self) -> str:
        return f"{self.os_name} {self.os_version}".strip()


class MeetingQuerySet(models.QuerySet["Meeting"]):
    def live(self, *, since: datetime) -> Self:
        """Meetings with somebody in them who was heard of since that moment."""
        return self.filter(present_count__gt=0, last_event_at__gte=since)


class Meeting(models.Model):
    """A meeting as its facts tell it. Folded from them; never edited."""

    external_id = models.CharField(max_length=200, unique=True)
    external_meeting_id = models.CharField(max_length=200, blank=True)
    # The AWS Region that carries the media. SDKs do not tell it; applications may.
    media_region = models.CharField(max_length=MAX_REGION, blank=True)
    first_event_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    # When the last attendee who had joined was gone; empty while anybody may still be there.
    ended_at = models.DateTimeField(null=True, blank=True)
    attendee_count = models.PositiveIntegerField(default=0)  # people, without bots
    bot_count = models.PositiveIntegerField(default=0)
    joined_count = models.PositiveIntegerField(default=0)
    present_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)  # attendees who never got in
    dropped_count = models.PositiveIntegerField(default=0)  # attendees who were thrown out
    device_failed_count = models.PositiveIntegerField(default=0)

    objects = MeetingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-last_event_at", "-id"], name="meetings_meeting_newest"),
            _by_prefix("external_meeting_id", name="meetings_meeting_external"),
            models.Index(
                fields=["media_region"],
                condition=~Q(media_region=""),
                name="meetings_meeting_region",
            ),
            models.Index(
                fields=["-last_event_at", "-id"],
                condition=Q(present_count__gt=0),
                name="meetings_meeting_live",
            ),
            models.Index(
                fields=["-last_event_at", "-id"],
                condition=TROUBLED_MEETING,
                name="meetings_meeting_troubled",
            ),
        ]

    def __str__(self) -> str:
        return self.external_meeting_id or self.external_id

    def get_absolute_url(self) -> str:
        return reverse("admin:meeting", args=[self.external_id])


class Attendee(models.Model):
    """One attendee of one meeting, folded from the facts; never edited."""

    class Outcome(models.TextChoices):
        UNKNOWN = "unknown", "Unknown"
        ASKED = "asked", "Asked to join"
        FAILED = "failed", "Could not join"
        PRESENT = "present", "In the meeting"
        LEFT = "left", "Left"
        DROPPED = "dropped", "Dropped out"

    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="attendees", db_index=False)
    external_id = models.CharField(max_length=200)
    external_user_id = models.CharField(max_length=200, blank=True)
    is_bot = models.BooleanField(default=False)
    client = models.ForeignKey(Client, models.PROTECT, null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.UNKNOWN)
    first_event_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # By the client's own clock, log lines included: which partitions hold the attendee's facts.
    first_client_ms = models.BigIntegerField(null=True, blank=True)
    last_client_ms = models.BigIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    event_count = models.PositiveIntegerField(default=0)
    log_line_count = models.PositiveIntegerField(default=0)
    first_log_at = models.DateTimeField(null=True, blank=True)
    last_log_at = models.DateTimeField(null=True, blank=True)
    join_failure_count = models.PositiveIntegerField(default=0)
    drop_count = models.PositiveIntegerField(default=0)
    audio_failure_count = models.PositiveIntegerField(default=0)
    video_failure_count = models.PositiveIntegerField(default=0)
    reconnect_count = models.PositiveIntegerField(default=0)
    # How far the client's clock seems ahead of ours (negative: behind), by its flagged events.
    clock_offset_ms = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meeting", "external_id"], name="meetings_attendee_once_per_meeting"
            ),
            models.CheckConstraint(
                condition=Q(
                    outcome__in=["unknown", "asked", "failed", "present", "left", "dropped"]
                ),
                name="meetings_attendee_outcome_valid",
            ),
        ]
        indexes = [
            _by_prefix("external_id", name="meetings_attendee_external"),
            _by_prefix("external_user_id", name="meetings_attendee_user"),
            models.Index(fields=["-last_event_at", "-id"], name="meetings_attendee_newest"),
            models.Index(
                fields=["last_event_at"],
                include=["first_event_at", "client", "meeting"],
                condition=Q(outcome="failed", is_bot=False),
                name="meetings_attendee_shut_out",
            ),
            models.Index(
                fields=["-last_event_at", "-id"],
                condition=TROUBLED_ATTENDEE,
                name="meetings_attendee_troubled",
            ),
        ]

    def __str__(self) -> str:
        return self.external_user_id or self.external_id

    def get_absolute_url(self) -> str:
        return reverse("admin:attendee", args=[self.pk])

    @property
    def fact_count(self) -> int:
        """Rows of the attendee: events and log lines."""
        return self.event_count + self.log_line_count

    @property
    def person(self) -> str:
        """Who this is across meetings, as far as the application told."""
        return self.external_user_id or self.external_id


class ClientEventQuerySet(models.QuerySet["ClientEvent"]):
    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(happened_at__gte=start, happened_at__lt=end)

    def of(self, attendees: Iterable[Attendee]) -> Self:
        """All their events, looked for only in the partitions that may hold any."""
        found = list(attendees)
        rows = self.filter(attendee__in=[one.pk for one in found])
        first = [one.first_client_ms for one in found if one.first_client_ms is not None]
        last = [one.last_client_ms for one in found if one.last_client_ms is not None]
        if not found or len(first) < len(found) or len(last) < len(found):
            return rows
        return rows.filter(client_ms__gte=min(first), client_ms__lte=max(last))

    def of_meeting(self, meeting: Meeting) -> Self:
        """As `of`, for everybody in the meeting; costs a small query."""
        rows = self.filter(meeting=meeting)
        told = meeting.attendees.aggregate(
            first=Min("first_client_ms"),
            last=Max("last_client_ms"),
            untold=Count("pk", filter=Q(first_client_ms=None) | Q(last_client_ms=None)),
        )
        if told["untold"] or told["first"] is None:
            return rows
        return rows.filter(client_ms__gte=told["first"], client_ms__lte=told["last"])

    def named(self, *names: str) -> Self:
        return self.filter(name__value__in=names)

    def by_people(self) -> Self:
        """Without the events of bots."""
        return self.filter(attendee__is_bot=False)

    def with_everything(self) -> Self:
        return self.select_related("name", "status", "client", "attendee", "meeting")

    def in_order(self) -> Self:
        return self.order_by("happened_at", "client_ms", "sequence", "id")

    def newest_first(self) -> Self:
        return self.order_by(F("happened_at").desc(), F("id").desc())


class ClientEvent(models.Model):
    """A fact: what one client said happened, with what is queried of it.

    Everything else that the client sent stands in the archived body: `delivery_id` and `ordinal`
    say where. The natural key makes retries, beacons and other paths of the same event one row.

    Partitioned by day of `client_ms`, which is part of that key; absurd clocks have a partition of
    their own. The natural key is the primary key in the database, where `id` only numbers the rows;
    and there are no foreign keys, which would cost more than writing the row.
    """

    attendee = models.ForeignKey(
        Attendee, models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    meeting = models.ForeignKey(
        Meeting, models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    name = models.ForeignKey(EventName, models.PROTECT, db_index=False, db_constraint=False)
    # The client's own claim, epoch milliseconds; 0 where it makes none.
    client_ms = models.BigIntegerField()
    # 0 for events; sequence number + 1 for log lines, of which several share a millisecond.
    sequence = models.BigIntegerField(default=0)
    # The client's time, or ours where the client's clock cannot be right (then `skewed`).
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    skewed = models.BooleanField(default=False)
    client = models.ForeignKey(Client, models.PROTECT, db_index=False, db_constraint=False)
    status = models.ForeignKey(
        MeetingStatus, models.PROTECT, null=True, db_index=False, db_constraint=False
    )
    start_duration_ms = models.FloatField(null=True)
    meeting_duration_ms = models.FloatField(null=True)
    signaling_open_ms = models.FloatField(null=True)
    retry_count = models.IntegerField(null=True)
    poor_connection_count = models.IntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    # How many attributes came with it: of two deliveries of one event the fuller one counts.
    fullness = models.PositiveSmallIntegerField(default=0)
    delivery_id = models.BigIntegerField()
    ordinal = models.IntegerField()

    objects = ClientEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # Events (sequence 0) before log lines: a fold reads them alone.
                fields=["attendee", "sequence", "client_ms", "name"],
                name="meetings_clientevent_natural_key",
            ),
        ]
        indexes = [
            models.Index(fields=["-happened_at", "-id"], name="meetings_event_newest"),
            models.Index(fields=["name", "-happened_at", "-id"], name="meetings_event_by_name"),
            models.Index(
                fields=["meeting", "-happened_at", "-id"], name="meetings_event_by_meeting"
            ),
            # Few, and looked for among all: costs nothing where clocks are right.
            models.Index(
                fields=["-happened_at", "-id"],
                condition=Q(skewed=True),
                name="meetings_event_skewed",
            ),
        ]
        permissions = [("export_events", "Can export client events")]

    def __str__(self) -> str:
        return f"{self.name} at {self.happened_at:%Y-%m-%d %H:%M:%S}"


class CloudWatchShipmentQuerySet(models.QuerySet["CloudWatchShipment"]):
    def due(self, now: datetime) -> Self:
        return self.filter(not_before__lte=now).order_by("id")


class CloudWatchShipment(models.Model):
    """Events of one delivery that are still to be sent on to CloudWatch; deleted once they are.

    Written with the facts. `not_before` is also the lease of whoever is sending it now.
    """

    stream = models.CharField(max_length=512)
    delivery_id = models.BigIntegerField()
    ordinals = ArrayField(models.IntegerField())
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    # How many of its log events, in their order, CloudWatch has taken or refused for good.
    logged_count = models.PositiveIntegerField(default=0)
    is_logged = models.BooleanField(default=False)  # then only its metrics are missing
    error = models.CharField(max_length=500, blank=True)

    objects = CloudWatchShipmentQuerySet.as_manager()

    class Meta:
        verbose_name = "CloudWatch shipment"
        default_permissions = ["view"]
        indexes = [models.Index(fields=["not_before", "id"], name="meetings_shipment_due")]

    def __str__(self) -> str:
        return self.stream


# Django finds an app's models here.
from meetings.rollups.models import (  # noqa: E402, F401
    ClientKind,
    RollupCell,
    RollupDirty,
    RollupStale,
    RollupSum,
    RollupTrouble,
)
