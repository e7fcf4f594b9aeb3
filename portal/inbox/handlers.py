"""Which code turns a door's deliveries into facts. Apps register theirs when Django starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from portal.inbox.models import Delivery

WHOLE_BODY = -1


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """One item of a body that could not be understood.

    `reason` is a short stable slug, `detail` a sentence, and `raw` the smallest body of the same
    door that holds this item alone, so that handling `raw` again is a replay of the item.
    """

    ordinal: int
    reason: str
    detail: str
    raw: bytes


# Takes deliveries of one door inside the drain's transaction, writes their facts, and returns the
# refused items by delivery id. An exception makes the drain try each delivery alone.
Handler = Callable[[Sequence[Delivery]], Mapping[int, Sequence[RefusedItem]]]

_handlers: dict[str, Handler] = {}


def register(door: str, handler: Handler) -> None:
    _handlers[door] = handler


def handler_of(door: str) -> Handler | None:
    return _handlers.get(door)


def in_order() -> list[Handler]:
    """All handlers, each once, by their first doors: the same order in every process."""
    return list(dict.fromkeys(_handlers[door] for door in doors()))


def doors() -> list[str]:
    return sorted(_handlers)
