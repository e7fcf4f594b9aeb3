"""What a delivery led to. The app that handles a door tells it, for the delivery's page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.inbox.models import Delivery


@dataclass(frozen=True, slots=True)
class Result:
    """One item of a body that was understood."""

    label: str
    detail: str
    happened_at: datetime | None = None
    url: str = ""
    became: str = ""
    """"new", or in which other delivery it had come before."""


@dataclass(frozen=True, slots=True)
class Results:
    shown: Sequence[Result]
    total: int


Describe = Callable[[Delivery], Results]

_describe: dict[str, Describe] = {}


def register(door: str, describe: Describe) -> None:
    _describe[door] = describe


def of(delivery: Delivery) -> Results | None:
    """None where nobody can tell."""
    describe = _describe.get(delivery.door)
    return describe(delivery) if describe else None
