"""What must work for the portal to be ready. Apps register their checks in AppConfig.ready()."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of a check. `ok` is None where it cannot be told.

    What is not `essential` is told to people, but the process is ready all the same.
    """

    name: str
    ok: bool | None
    detail: str = ""
    remedy: str = ""
    as_of: datetime = field(default_factory=timezone.now)
    essential: bool = True


Check = Callable[[], Health]

_checks: dict[str, Check] = {}


def register(check: Check) -> None:
    """Add a check. It may use the database, and should take a few milliseconds."""
    _checks[f"{check.__module__}.{check.__qualname__}"] = check


def results() -> list[Health]:
    """Ask all checks. Without a database the others are unknown."""
    database = check_database()
    if not database.ok:
        return [database]
    return [database, check_migrations(), *(_ask(check) for check in _checks.values())]


def problems() -> list[Health]:
    return [health for health in results() if not health.ok]


def _ask(check: Check) -> Health:
    try:
        return check()
    except DatabaseError as error:
        logger.warning("The check %s failed: %s", check.__name__, error)
        return Health(
            name=check.__name__.removeprefix("check_").replace("_", " "),
            ok=None,
            detail="The database could not answer.",
            remedy="Run `manage.py doctor`, and look into the log of the web process.",
        )


def check_database() -> Health:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        logger.warning("The database does not answer: %s", error)
        return Health(
            name="database",
            ok=False,
            detail="The database does not answer.",
            remedy="Start PostgreSQL, or correct DATABASE_URL. `manage.py doctor` says more.",
        )
    return Health(name="database", ok=True, detail="The database answers.")


def check_migrations() -> Health:
    try:
        missing = _missing_migrations()
    except _NotMigratedError as error:
        missing = error.count
    if missing:
        return Health(
            name="migrations",
            ok=False,
            detail=f"{missing} migrations are not applied.",
            remedy="Run `manage.py migrate`.",
        )
    return Health(name="migrations", ok=True, detail="All migrations are applied.")


class _NotMigratedError(Exception):
    """Keeps the cache from remembering an answer that will change."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@cache
def _missing_migrations() -> int:
    """Zero, remembered: what is applied stays so while this code runs."""
    executor = MigrationExecutor(connection)
    count = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if count:
        raise _NotMigratedError(count)
    return count
