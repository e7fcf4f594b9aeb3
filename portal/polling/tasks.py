"""The three tasks that django-q2's schedules run. They start everything else."""

import logging
import os
import socket

from django_q.models import OrmQ
from django_q.tasks import async_task

from portal import VERSION
from portal.jobs import Period, registered
from portal.polling.models import WORKER, Heartbeat

logger = logging.getLogger(__name__)

# So many tasks waiting means that the worker cannot keep up: more of the same would not help.
_CROWDED = 500


def tick() -> str:
    Heartbeat.objects.beat(WORKER, host=socket.gethostname(), pid=os.getpid(), version=VERSION)
    return _start_jobs(Period.TICK)


def hourly() -> str:
    return _start_jobs(Period.HOURLY)


def daily() -> str:
    return _start_jobs(Period.DAILY)


def _start_jobs(period: Period) -> str:
    """Enqueue each job as its own task: one that fails or hangs hurts only itself."""
    paths = registered(period)
    if paths and OrmQ.objects.count() > _CROWDED:
        logger.error("More than %d tasks are waiting; no %s jobs are added.", _CROWDED, period)
        return "crowded"
    for path in paths:
        async_task(path, task_name=path.rpartition(".")[2], group=period.value)
    return f"{len(paths)} jobs"
