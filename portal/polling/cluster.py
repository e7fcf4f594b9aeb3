"""The supervisor round django-q2's `qcluster`.

django-q2 can lose all its workers and still say that it works (docs/adr/0004-background-work.md).
What counts here is the heartbeat that a task writes: when it stops, the cluster is killed with
all its processes and started again. SIGTERM goes to its leader alone; sent to the whole group it
would hang.
"""

import logging
import os
import signal
import threading
import time

from django.db import DatabaseError, InterfaceError, connection
from django_q.tasks import async_task

from portal.polling.models import WORKER, Heartbeat
from portal.supervision import Program, Supervisor, die_with_parent

logger = logging.getLogger(__name__)

STALE_SECONDS = 180.0
_LOOK_SECONDS = 5.0
_STOP_SECONDS = 9.0
_CLUSTER = Program("job cluster", ("worker", "--cluster"))


def run(stop: threading.Event) -> None:
    """Keep a cluster running until told to stop."""
    supervisor = Supervisor([_CLUSTER], stop_seconds=_STOP_SECONDS)
    supervisor.run(stop, _Watch(supervisor).look)
    connection.close()


def inherit_death() -> None:
    """Have every process that this one forks die with it, and theirs with them."""
    os.register_at_fork(after_in_child=lambda: die_with_parent(os.getppid(), signal.SIGKILL))


class _Watch:
    """Looks at the heartbeat now and then."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._next_look = 0.0
        self._asked_starts = -1

    def look(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_SECONDS
        try:
            self._ask_for_sign_of_life()
            self._restart_if_stale()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            logger.warning("The worker cannot be watched without the database: %s", error)

    def _ask_for_sign_of_life(self) -> None:
        """The schedule's first tick may be a minute away."""
        starts = self._supervisor.starts(_CLUSTER.name)
        if starts != self._asked_starts:
            async_task("portal.polling.tasks.tick", task_name="first-tick", group="tick")
            self._asked_starts = starts

    def _restart_if_stale(self) -> None:
        if self._supervisor.uptime(_CLUSTER.name) < STALE_SECONDS:
            return
        age = Heartbeat.objects.age(WORKER)
        if age is None or age.total_seconds() > STALE_SECONDS:
            logger.error(
                "No background task has run for %s; restarting the job cluster.",
                "ever" if age is None else f"{age.total_seconds():.0f} s",
            )
            self._supervisor.restart(_CLUSTER.name)
