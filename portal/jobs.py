"""What is to be done regularly. Apps register their jobs by dotted path in AppConfig.ready().

Each job runs as a task of its own in the worker, so it must be short (under 50 s), may run twice,
and takes no arguments.
"""

from enum import StrEnum


class Period(StrEnum):
    TICK = "tick"  # each minute
    HOURLY = "hourly"
    DAILY = "daily"


_jobs: dict[Period, list[str]] = {period: [] for period in Period}


def register(period: Period, path: str) -> None:
    """Have the function at `path` called once in each period."""
    if path not in _jobs[period]:
        _jobs[period].append(path)


def registered(period: Period) -> list[str]:
    return list(_jobs[period])
