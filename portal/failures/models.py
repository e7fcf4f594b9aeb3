"""Failures (groups of occurrences that share a cause), who they hit, and how they are triaged."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from portal.failures.hours import EACH, NUMBER, Pieces
from portal.failures.kinds import Kind, kind_of
from portal.timerange import TimeRange


class State(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


class FailureQuerySet(models.QuerySet["Failure"]):
    def open(self) -> Self:
        return self.filter(state=State.OPEN)

    def muted(self, at: datetime | None = None) -> Self:
        """Silenced for a while. They come back by themselves when the time is over."""
        return self.exclude(state=State.RESOLVED).filter(muted_until__gt=at or timezone.now())

    def audible(self, at: datetime | None = None) -> Self:
        """Not muted at that moment."""
        return self.filter(Q(muted_until=None) | Q(muted_until__lte=at or timezone.now()))

    def needs_someone(self, at: datetime | None = None) -> Self:
        """Open, not muted: nobody has said yet that they look after it."""
        return self.open().audible(at)

    def still_happening(self) -> Self:
        """Resolved in a version, and seen since in older ones, which does not open them again."""
        return self.filter(state=State.RESOLVED, last_seen_at__gt=F("resolved_at"))

    def with_since_resolved(self) -> Self:
        """Annotate ``since_resolved``: occurrences after the failure was resolved."""
        since = (
            Occurrence.objects.filter(
                failure=OuterRef("pk"), happened_at__gt=OuterRef("resolved_at")
            )
            .order_by()
            .values("failure")
            .annotate(number=Count("pk"))
            .values("number")
        )
        return self.annotate(since_resolved=Coalesce(Subquery(since), 0))

    def by_reach(self, period: TimeRange) -> Self:
        """Those first that hit most people in the period; what happened most often among equals.

        Of a failure that lies within the period whole, its totals say it; in more than a day,
        equals are told apart by how often they happened in total: counting all would take long.
        For a period in the past, see AffectedPerson.
        """
        start, end = period.start, period.end
        is_long = period.span > _DAY
        pieces = [] if is_long else Pieces.of(period).parameters
        parameters = [start, end, start, end, start, end, *pieces]
        statement = _LONG_REACH if is_long else _REACH
        reach = RawSQL(statement, parameters, ArrayField(models.BigIntegerField()))  # noqa: S611 - as below
        return self.annotate(reach=reach).order_by("-reach", "-last_seen_at", "-id")

    def matching(self, text: str) -> Self:
        """All the words somewhere in title, reason or kind."""
        rows = self
        for word in text.split()[:8]:
            rows = rows.filter(
                Q(title__icontains=word) | Q(reason__icontains=word) | Q(kind__icontains=word)
            )
        return rows

    def with_trend(self, period: TimeRange, most: int = 24) -> Self:
        """Annotate ``trend``: occurrences in each of at most so many buckets of the period."""
        starts, pieces = period.buckets(most), Pieces.of(period, period.step(most))
        parameters = [starts, *pieces.parameters, len(starts)]
        return self.annotate(
            trend=RawSQL(  # noqa: S611 - a constant statement; the moments are parameters
                _TREND, parameters, ArrayField(_COUNT)
            )
        )


_COUNT = models.IntegerField()
_DAY = timedelta(days=1)
# People nobody knows by name count as one, so that they still weigh something.
_REACH_BY = """
    CASE
        WHEN failures_failure.last_seen_at < %s OR failures_failure.first_seen_at >= %s
        THEN ARRAY[0, 0]::bigint[]
        WHEN failures_failure.first_seen_at >= %s AND failures_failure.last_seen_at < %s
        THEN ARRAY[greatest(failures_failure.people, 1), failures_failure.occurrences]
        ELSE (
            SELECT ARRAY[greatest(hit.people, 1), counted.number]
            FROM (
                SELECT count(*) AS people FROM failures_affectedperson
                WHERE failure_id = failures_failure.id
                    AND last_seen_at >= %s AND first_seen_at < %s
            ) AS hit, (SELECT (NUMBER)::bigint AS number) AS counted
        )
    END
"""
_REACH = _REACH_BY.replace("NUMBER", NUMBER)
_LONG_REACH = _REACH_BY.replace("NUMBER", "failures_failure.occurrences")
_TREND = f"""
    ARRAY(
        SELECT coalesce(counted.number, 0)
        FROM (
            SELECT width_bucket(piece.at, %s::timestamptz[]) AS bucket,
                   sum(piece.number)::integer AS number
            FROM ({EACH}) AS piece
            GROUP BY 1
        ) AS counted
        RIGHT JOIN generate_series(1, %s) AS buckets (bucket) USING (bucket)
        ORDER BY bucket
    )
"""  # noqa: S608 - of constants


class Failure(models.Model):
    """Everything that went wrong for the same reason, as one thing to look after.

    Figures are a fold over the occurrences ever reported: any order gives the same.
    ``title``, ``reason`` and ``last_version`` are those of the latest occurrence.
    """

    kind = models.CharField(max_length=64)
    fingerprint = models.UUIDField(editable=False)
    title = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    muted_until = models.DateTimeField(null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="owned_failures",
    )
    # Kept when the failure comes back: later sightings are measured against it still.
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_in_version = models.CharField(max_length=64, blank=True)
    regressed_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    last_key = models.UUIDField(editable=False)
    last_version = models.CharField(max_length=64, blank=True)
    occurrences = models.PositiveBigIntegerField(default=0)
    people = models.PositiveBigIntegerField(default=0)
    # Rises with each change of state, mute or owner; what a person saw is named by it.
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FailureQuerySet.as_manager()

    trend: list[int]  # set by with_trend()
    since_resolved: int  # set by with_since_resolved()

    class Meta:
        ordering = ["-last_seen_at", "-id"]
        permissions = [("triage_failure", "Can triage failures")]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], name="failures_failure_fingerprint_unique"
            ),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="failures_failure_state_valid"
            ),
            models.CheckConstraint(
                condition=~Q(state=State.RESOLVED) | Q(resolved_at__isnull=False),
                name="failures_failure_resolved_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(first_seen_at__lte=F("last_seen_at")),
                name="failures_failure_seen_in_order",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "-last_seen_at", "-id"], name="failures_failure_state_last"
            ),
            models.Index(fields=["-last_seen_at", "-id"], name="failures_failure_last"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("admin:failure", args=[self.pk])

    @property
    def in_period(self) -> int:
        """Occurrences in the period that with_trend() was given."""
        return sum(self.trend)

    @property
    def about(self) -> Kind:
        return kind_of(self.kind)

    def is_muted(self, at: datetime | None = None) -> bool:
        if self.state == State.RESOLVED or self.muted_until is None:
            return False
        return self.muted_until > (at or timezone.now())

    @property
    def is_regressed(self) -> bool:
        return self.state == State.OPEN and self.regressed_at is not None

    @property
    def still_happens(self) -> bool:
        """Resolved in a version, and seen since in older ones."""
        if self.state != State.RESOLVED or self.resolved_at is None:
            return False
        return self.last_seen_at > self.resolved_at

    @property
    def opens_again(self) -> str:
        """When a resolved failure comes back by itself."""
        return f"opens again {opening(self.resolved_in_version)}"

    @property
    def standing(self) -> str:
        """The state as people see it: a muted failure is "muted", whatever lies beneath."""
        return "muted" if self.is_muted() else self.state


def opening(version: str) -> str:
    """What opens a failure again that was resolved in this version, or in none named."""
    if version:
        return f"if it happens in version {version} or later"
    return "if it happens again"


class Occurrence(models.Model):
    """One time that the failure happened to somebody."""

    failure = models.ForeignKey(
        Failure, models.CASCADE, related_name="occurrence_set", db_index=False
    )
    key = models.UUIDField(editable=False)
    happened_at = models.DateTimeField()
    reported_at = models.DateTimeField(auto_now_add=True)
    person = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict)
    url = models.CharField(max_length=1000, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["-happened_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="failures_occurrence_key_unique"),
        ]
        indexes = [
            models.Index(
                fields=["failure", "-happened_at", "-id"], name="failures_occurrence_newest"
            ),
            models.Index(
                fields=["version", "failure"],
                condition=~Q(version=""),
                name="failures_occurrence_version",
            ),
            BrinIndex(fields=["happened_at"], name="failures_occurrence_happened"),
        ]

    def __str__(self) -> str:
        return f"{self.happened_at:%Y-%m-%d %H:%M:%S} {self.person}".rstrip()


class AffectedPersonQuerySet(models.QuerySet["AffectedPerson"]):
    def during(self, period: TimeRange) -> Self:
        return self.filter(last_seen_at__gte=period.start, first_seen_at__lt=period.end)


class AffectedPerson(models.Model):
    """Somebody whom the failure hit at least once. Rows here make the number of people exact.

    ``during(period)`` is exact for a period that reaches to now, as all but a person's own do.
    Of one in the past it also has those who were hit before it and after it, and perhaps not in
    it: at least as many as there were. Nor does it leave out those whose occurrences retention
    has taken.
    """

    failure = models.ForeignKey(
        Failure, models.CASCADE, related_name="affected_people", db_index=False
    )
    person = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = AffectedPersonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["failure", "person"], name="failures_affectedperson_once"
            ),
            models.CheckConstraint(
                condition=Q(first_seen_at__lte=F("last_seen_at")),
                name="failures_affectedperson_seen_in_order",
            ),
        ]
        indexes = [
            models.Index(
                fields=["failure", "last_seen_at"],
                include=["first_seen_at"],
                name="failures_affectedperson_seen",
            ),
        ]

    def __str__(self) -> str:
        return self.person


class OccurrenceHour(models.Model):
    """How often the failure happened in an hour (UTC), so that long times are soon counted.

    Retention takes hours and occurrences before the same midnight.
    """

    failure = models.ForeignKey(Failure, models.CASCADE, related_name="hours", db_index=False)
    hour = models.DateTimeField()
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [
            # With the number, so that counting reads this index alone.
            models.UniqueConstraint(
                fields=["failure", "hour"], include=["number"], name="failures_occurrencehour_once"
            ),
        ]
        indexes = [BrinIndex(fields=["hour"], name="failures_occurrencehour_hour")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.number}"


class Action(models.TextChoices):
    ACKNOWLEDGE = "acknowledge", "acknowledged"
    RESOLVE = "resolve", "resolved"
    REOPEN = "reopen", "reopened"
    MUTE = "mute", "muted"
    UNMUTE = "unmute", "unmuted"
    ASSIGN = "assign", "assigned"
    UNDO = "undo", "took back the last step"
    NOTE = "note", "noted"
    REGRESSION = "regression", "came back"


class TriageNote(models.Model):
    """One line of a failure's history. Rows are only ever added."""

    failure = models.ForeignKey(Failure, models.CASCADE, related_name="notes", db_index=False)
    at = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Stays readable when the person is gone, and names keys and the portal itself.
    author_name = models.CharField(max_length=200)
    action = models.CharField(max_length=16, choices=Action.choices)
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16, blank=True)
    text = models.TextField(blank=True)
    # What the step changed, as it was before: undo puts it back.
    before = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=Action.values), name="failures_triagenote_action_valid"
            ),
        ]
        indexes = [
            models.Index(fields=["failure", "-at", "-id"], name="failures_triagenote_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.author_name} {self.get_action_display()}"
