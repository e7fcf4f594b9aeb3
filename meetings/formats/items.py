"""From what one item of a body claims to an event, or to the reason why it is none."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from meetings.formats.attributes import normalise
from meetings.formats.history import HistoryReader, unread_text
from meetings.formats.json_input import Document, contains_deep
from meetings.formats.reading import JSON, Event, Reading, Rejected, UnreadableError
from meetings.formats.timestamps import claimed_ms
from meetings.vocabulary import event_name, printable

MAX_ID = 200
# A hostile body may hold a hundred thousand items that are nothing; they go to quarantine as one.
MAX_SINGLE_REJECTIONS = 20
# Of one body. A long meeting of many has some ten thousand; more would hold up everybody's events.
MAX_ITEMS = 20_000
# So many that they are too short to be events.
MAX_COUNTED = 500_000

ItemT = TypeVar("ItemT")


class RefusedItemError(Exception):
    """This item is no event."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Refused(Generic[ItemT]):
    ordinal: int
    reason: str
    detail: str
    item: ItemT


def build_event(
    ordinal: int,
    claimed: Mapping[str, JSON],
    histories: HistoryReader,
    *,
    name: JSON,
    timestamp: JSON,
    drop: Sequence[str] = (),
) -> Event:
    """The event of which `claimed` holds the ids, the history and the attributes."""
    meeting_id = _required_id(claimed.get("meetingId"), "meeting", "meetingId")
    attendee_id = _required_id(claimed.get("attendeeId"), "attendee", "attendeeId")
    our_name = event_name(name) if isinstance(name, str) else ""
    if not our_name:
        raise RefusedItemError("no-name", "The item has no name, so it is unclear what happened.")
    client_ms = claimed_ms(timestamp)
    if client_ms is None:
        raise RefusedItemError("no-timestamp", "The item has no readable time of its own.")
    history = claimed.get("meetingHistory")
    entries = histories.read(history)
    attributes = normalise(our_name, claimed, drop=drop)
    if text := unread_text(history, entries):
        attributes["meetingHistoryText"] = text
    return Event(
        ordinal=ordinal,
        name=our_name,
        meeting_id=meeting_id,
        attendee_id=attendee_id,
        client_ms=client_ms,
        attributes=attributes,
        history=entries,
    )


def identifier(value: JSON) -> str:
    """An id as text, empty if there is none. Numbers are ids too."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 2**63 else value
    return printable(str(value)) if isinstance(value, str | int | float) else ""


def _required_id(value: JSON, slug: str, key: str) -> str:
    text = identifier(value)
    if not text:
        raise RefusedItemError(f"no-{slug}", f"The item has no {key}, so it belongs nowhere.")
    if len(text) > MAX_ID:
        raise RefusedItemError(
            "id-too-long", f"The item's {key} has {len(text)} characters, more than {MAX_ID}."
        )
    return text


def collect(
    items: Iterable[ItemT],
    read_item: Callable[[int, ItemT], Event],
    body_of: Callable[[Sequence[Refused[ItemT]]], bytes],
) -> Reading:
    """The events of the items, and a rejection for each item that read_item refuses."""
    events: list[Event] = []
    refused: list[Refused[ItemT]] = []
    numbered = enumerate(items)
    for ordinal, item in islice(numbered, MAX_ITEMS):
        try:
            events.append(read_item(ordinal, item))
        except RefusedItemError as refusal:
            refused.append(Refused(ordinal, refusal.reason, refusal.detail, item))
    return Reading(events, [*_rejections(refused, body_of), *_unread(numbered, body_of)])


def refuse_too_many(count: int) -> None:
    if count > MAX_COUNTED:
        raise UnreadableError(
            "too-many-items", f"The body has {count:,} items, more than {MAX_COUNTED:,}."
        )


def refuse_too_deep(document: Document, item: JSON) -> None:
    if document.has_deep and contains_deep(item):
        raise RefusedItemError("too-deep", "The item is nested too deep.")


def _rejections(
    refused: Sequence[Refused[ItemT]], body_of: Callable[[Sequence[Refused[ItemT]]], bytes]
) -> list[Rejected]:
    """One rejection for each refused item; those beyond the first few share one."""
    single, rest = refused[:MAX_SINGLE_REJECTIONS], refused[MAX_SINGLE_REJECTIONS:]
    rejected = [
        Rejected(item.ordinal, item.reason, item.detail, body_of([item])) for item in single
    ]
    if rest:
        detail = f"{len(rest)} more items were refused, the first because: {rest[0].detail}"
        rejected.append(Rejected(rest[0].ordinal, "too-many-refused", detail, body_of(rest)))
    return rejected


def _unread(
    numbered: Iterator[tuple[int, ItemT]], body_of: Callable[[Sequence[Refused[ItemT]]], bytes]
) -> Iterator[Rejected]:
    """What is left, in as many bodies as it takes: a replay reads each of them whole."""
    detail = f"The body has more than {MAX_ITEMS:,} items. These were not read: replay them."
    while some := list(islice(numbered, MAX_ITEMS)):
        left = [Refused(ordinal, "too-many-items", detail, item) for ordinal, item in some]
        yield Rejected(left[0].ordinal, "too-many-items", detail, body_of(left))
