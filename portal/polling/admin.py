"""django-q2's tables, for looking at.

Its own admin lets staff write Schedule rows, and a schedule runs any function by its path.
"""

from typing import Any

import django_q.admin  # registers first what is replaced here
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success

from portal.listing import ReadOnlyAdmin
from portal.polling.models import Heartbeat


class _ShownToSuperusers(ReadOnlyAdmin):
    """Rows whose arguments or results may hold what not everybody should read."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ["name", "func", "schedule_type", "next_run"]
    fields = ["name", "func", "schedule_type", "minutes", "next_run"]


class TaskAdmin(_ShownToSuperusers):
    list_display = ["name", "func", "started", "stopped"]
    search_fields = ["name", "func"]
    list_filter = ["func"]
    fields = ["name", "func", "group", "started", "stopped", "attempt_count"]


class FailureAdmin(TaskAdmin):
    """The only rows that may be deleted, by superusers: a task that is run again goes away."""

    actions = ["resubmit", "delete_selected"]
    list_display = [*TaskAdmin.list_display, "reason"]
    fields = [*TaskAdmin.fields, "result"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request, obj)

    @admin.display(description="Reason")
    def reason(self, task: Failure) -> str:
        return str(task.result or "")[:200]

    @admin.action(description="Run the selected tasks again", permissions=["delete"])
    def resubmit(self, request: HttpRequest, queryset: Any) -> None:
        django_q.admin.resubmit_task(self, request, queryset)
        queryset.delete()


class QueueAdmin(_ShownToSuperusers):
    list_display = ["key", "task_id", "name", "func", "lock"]
    fields = ["key", "lock"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "at", "host", "pid", "version"]


for _model, _admin in (
    (Schedule, ScheduleAdmin),
    (Success, TaskAdmin),
    (Failure, FailureAdmin),
    (OrmQ, QueueAdmin),
):
    admin.site.unregister(_model)
    admin.site.register(_model, _admin)
