from datetime import timedelta

from django.db import models
from django.utils import timezone

WORKER = "worker"


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def age(self, name: str) -> timedelta | None:
        """How long ago this was last heard of; None if never."""
        at = self.filter(name=name).values_list("at", flat=True).first()
        return timezone.now() - at if at else None

    def beat(self, name: str, *, host: str, pid: int, version: str) -> None:
        values = {"at": timezone.now(), "host": host, "pid": pid, "version": version}
        self.update_or_create(name=name, defaults=values)


class Heartbeat(models.Model):
    """When a background process last did its work, told by that work itself."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=64)

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        default_permissions = ["view"]

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"
