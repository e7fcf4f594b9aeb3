"""Counts of client events by kind of client, in buckets of time. People only: bots never count.

Drains only ever insert here: new cells, and marks of buckets to be counted anew. All else is the
compactor's, of which one works at a time.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from meetings.formats.gists import MAX_REGION


class ClientKind(models.Model):
    """Clients as far as figures tell them apart: without device and full browser version."""

    # Of all columns, as an index cannot hold that much text (see rollups.kinds).
    digest = models.BinaryField(max_length=32, unique=True)
    platform = models.CharField(max_length=32, blank=True)
    sdk_name = models.CharField(max_length=200, blank=True)
    sdk_version = models.CharField(max_length=200, blank=True)
    browser_name = models.CharField(max_length=200, blank=True)
    browser_major = models.CharField(max_length=32, blank=True)
    os_name = models.CharField(max_length=200, blank=True)
    os_version = models.CharField(max_length=200, blank=True)

    class Meta:
        app_label = "meetings"

    def __str__(self) -> str:
        parts = [self.sdk_name, self.sdk_version, self.browser_name, self.browser_major]
        return " ".join(filter(None, [*parts, self.os_name, self.os_version])) or "unknown kind"


class Tallies(models.Model):
    """How often each thing happened, to how many people, and how long joining took.

    People are those of whom one cell alone can tell (see RollupTrouble); of a histogram the bins
    (see rollups.histogram).
    """

    requested = models.BigIntegerField(default=0)
    succeeded = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(default=0)
    audio_failed = models.BigIntegerField(default=0)
    video_failed = models.BigIntegerField(default=0)
    people_dropped = models.BigIntegerField(default=0)
    people_audio = models.BigIntegerField(default=0)
    people_video = models.BigIntegerField(default=0)
    people_device = models.BigIntegerField(default=0)
    bins = ArrayField(models.IntegerField(), default=list)
    upto = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        abstract = True


class RollupCell(Tallies):
    """What happened to one kind of client in 300 s.

    There may be several rows of one cell: each batch of a drain adds its own, with `is_new`, and
    the compactor makes them one. Readers add them up.
    """

    bucket = models.DateTimeField()
    kind = models.ForeignKey(ClientKind, models.PROTECT, db_constraint=False, db_index=False)
    region = models.CharField(max_length=MAX_REGION, blank=True)
    is_new = models.BooleanField(default=True)

    class Meta:
        app_label = "meetings"
        indexes = [
            models.Index(fields=["bucket", "kind", "region"], name="meetings_cell_by_bucket"),
            models.Index(fields=["bucket"], condition=Q(is_new=True), name="meetings_cell_new"),
        ]

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M}, kind {self.kind_id}"


class RollupSum(Tallies):
    """Cells added up over kinds of clients, and over longer buckets.

    `family` says by what they still stand apart (see rollups.families); all other columns of the
    client are empty. New cells (`is_new`) are not in it.
    """

    level = models.IntegerField()  # seconds
    bucket = models.DateTimeField()
    family = models.CharField(max_length=8)
    platform = models.CharField(max_length=32, blank=True)
    sdk_name = models.CharField(max_length=200, blank=True)
    sdk_version = models.CharField(max_length=200, blank=True)
    browser_name = models.CharField(max_length=200, blank=True)
    browser_major = models.CharField(max_length=32, blank=True)
    os_name = models.CharField(max_length=200, blank=True)
    os_version = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=MAX_REGION, blank=True)

    class Meta:
        app_label = "meetings"
        indexes = [
            models.Index(fields=["family", "level", "bucket"], name="meetings_sum_by_bucket"),
        ]

    def __str__(self) -> str:
        return f"{self.family}, {self.level} s from {self.bucket:%Y-%m-%d %H:%M}"


class RollupTrouble(models.Model):
    """That something failed for an attendee with one kind of client: when first, and when last.

    Counts of events add up, counts of people do not: who drops out at noon and again at one is one.
    Most trouble is over within a bucket and in one client, though. Such is `is_simple`: it counts
    in its cell, and nowhere else. All other trouble is looked at one by one.
    """

    attendee = models.ForeignKey(
        "meetings.Attendee", models.CASCADE, db_constraint=False, related_name="+"
    )
    meeting = models.ForeignKey(
        "meetings.Meeting", models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    kind = models.ForeignKey(ClientKind, models.PROTECT, db_constraint=False, db_index=False)
    metric = models.CharField(max_length=8)  # dropped, audio, video, device
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    is_simple = models.BooleanField()

    class Meta:
        app_label = "meetings"
        verbose_name_plural = "rollup trouble"
        indexes = [
            models.Index(
                fields=["first_at"], condition=Q(is_simple=True), name="meetings_trouble_simple"
            ),
            models.Index(
                fields=["last_at"], condition=Q(is_simple=False), name="meetings_trouble_other"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of attendee {self.attendee_id}"


class RollupDirty(models.Model):
    """A bucket of 300 s to be counted anew from the facts: something counted there has changed."""

    bucket = models.DateTimeField()

    class Meta:
        app_label = "meetings"
        verbose_name_plural = "rollup dirty"
        indexes = [models.Index(fields=["bucket"], name="meetings_dirty_by_bucket")]

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M}"


class RollupStale(models.Model):
    """A bucket whose sums are not yet made, or no longer true."""

    level = models.IntegerField()
    bucket = models.DateTimeField()
    since = models.DateTimeField()

    class Meta:
        app_label = "meetings"
        verbose_name_plural = "rollup stale"
        constraints = [
            models.UniqueConstraint(fields=["level", "bucket"], name="meetings_stale_once")
        ]

    def __str__(self) -> str:
        return f"{self.level} s from {self.bucket:%Y-%m-%d %H:%M}"
