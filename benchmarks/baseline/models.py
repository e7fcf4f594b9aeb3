from typing import ClassVar, Self

from django.db import models


class ClientEvent(models.Model):
    """One event: what is asked for as columns of text, all of it as JSON."""

    # Of meeting, attendee, name and time: an event that comes twice is one row.
    key = models.UUIDField(unique=True)
    name = models.CharField(max_length=128)
    meeting_id = models.CharField(max_length=200)
    attendee_id = models.CharField(max_length=200)
    external_user_id = models.CharField(max_length=200, blank=True)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    sdk_name = models.CharField(max_length=200, blank=True)
    sdk_version = models.CharField(max_length=200, blank=True)
    browser_name = models.CharField(max_length=200, blank=True)
    browser_major_version = models.CharField(max_length=200, blank=True)
    os_name = models.CharField(max_length=200, blank=True)
    os_version = models.CharField(max_length=200, blank=True)
    meeting_status = models.CharField(max_length=128, blank=True)
    meeting_start_duration_ms = models.IntegerField(null=True)
    attributes = models.JSONField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        app_label = "baseline"
        indexes = [
            models.Index(fields=["name", "happened_at"], name="baseline_by_name"),
            models.Index(fields=["meeting_id", "happened_at"], name="baseline_by_meeting"),
            models.Index(fields=["attendee_id", "happened_at"], name="baseline_by_attendee"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.attendee_id}"
