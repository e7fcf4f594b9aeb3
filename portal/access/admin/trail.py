"""The audit trail and the failed sign-ins: to read, for those who may; to change, for nobody."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from portal.access.models import AuditEvent, SignInAttempt, User
from portal.figures import NOTHING
from portal.listing import ReadOnlyAdmin

_PERIODS = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}


class WhenFilter(admin.SimpleListFilter):
    title = "time"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in _PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in _PERIODS:
            return queryset
        return queryset.filter(at__gte=timezone.now() - _PERIODS[str(self.value())][1])


class ActorFilter(admin.SimpleListFilter):
    title = "person"
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = User.objects.order_by("username").values_list("pk", "username")[:200]
        return [(str(pk), name) for pk, name in people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(actor_id=value) if value and value.isdecimal() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    actions = None
    counted_noun = "audit events"
    list_display = ["at", "who", "action", "target_label", "address"]
    list_filter = [WhenFilter, ActorFilter, "action"]
    search_fields = ["actor_name", "action", "target_label", "address", "=request_id"]
    fields = [
        "at",
        "who",
        "address",
        "action",
        "target_type",
        "target_id",
        "target_label",
        "detail_text",
        "request_id",
    ]

    @admin.display(description="Who", ordering="actor_name")
    def who(self, event: AuditEvent) -> str:
        """What comes without a request is somebody at the machine, or the portal's own upkeep."""
        had_request = event.address or event.request_id
        return event.actor_name or (NOTHING if had_request else "command line")

    @admin.display(description="Detail")
    def detail_text(self, event: AuditEvent) -> str:
        return json.dumps(event.detail, indent=2, ensure_ascii=False)


@admin.register(SignInAttempt)
class SignInAttemptAdmin(ReadOnlyAdmin):
    actions = None
    empty_title = "No failed sign-in attempts"
    empty_text = (
        "Only failures are kept, and only while they count: a sign-in that succeeds takes its own "
        "away. Who has signed in stands in the audit trail."
    )
    list_display = ["at", "user_name", "source"]
    list_filter = [WhenFilter]
    search_fields = ["user_name", "source"]
