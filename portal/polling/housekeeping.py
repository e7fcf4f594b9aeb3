"""The daily cleaning of tables that would only grow."""

from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from django_q.models import Task

KEEP_TASKS = timedelta(days=30)


def clear_sessions() -> None:
    """Sessions that have expired."""
    SessionStore.clear_expired()


def delete_old_tasks() -> int:
    """Results of background tasks; django-q2 itself never deletes those that failed."""
    old = Task.objects.filter(stopped__lt=timezone.now() - KEEP_TASKS)
    return int(old.delete()[0])
