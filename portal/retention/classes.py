"""The classes of data, as apps register them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from portal.partitions import DayTable
from portal.retention.amounts import Amount
from portal.retention.days import Days


class Store(Protocol):
    """One table of a class, and how its rows go. `before` is a midnight in UTC."""

    def oldest(self) -> datetime | None:
        """Of what goes by itself; None where there is nothing, or it goes along with others."""

    def there_is(self) -> Amount: ...

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        """What a purge would take. Counting may stop beyond `most` rows."""

    def obstacles(self, before: datetime) -> Iterator[str]:
        """Sentences about what is due, but must stay or cannot go now."""

    def purge(self, before: datetime) -> Iterator[Amount]:
        """Delete in short transactions, and tell each. May be left off after any of them."""


@dataclass(frozen=True, slots=True)
class DataClass:
    """Data that is kept equally long.

    `setting` names the number of days in the settings; without it the class is kept for ever.
    `about` says in plain words what it is, and what is lost when it goes.
    """

    name: str
    label: str
    about: str
    stores: Sequence[Store]
    setting: str = ""
    order: int = 100

    @property
    def days(self) -> int:
        """How long it is kept; 0 is for ever."""
        return int(getattr(settings, self.setting)) if self.setting else 0

    def cutoff(self, now: datetime | None = None) -> datetime | None:
        """What is older goes: a midnight, so that whole days go, each once it is old enough."""
        if not self.days:
            return None
        return midnight(now or timezone.now()) - timedelta(days=self.days)

    @property
    def day_tables(self) -> list[DayTable]:
        return [store.table for store in self.stores if isinstance(store, Days)]

    def there_is(self) -> Amount:
        return sum((store.there_is() for store in self.stores), Amount())

    def due(self, before: datetime, *, most: int | None = None) -> Amount:
        return sum((store.due(before, most=most) for store in self.stores), Amount())

    def oldest(self) -> datetime | None:
        found = [oldest for store in self.stores if (oldest := store.oldest())]
        return min(found, default=None)

    def obstacles(self, before: datetime) -> list[str]:
        return [text for store in self.stores for text in store.obstacles(before)]

    def purge(self, before: datetime) -> Iterator[Amount]:
        for store in self.stores:
            yield from store.purge(before)


def midnight(moment: datetime) -> datetime:
    """When the day of that moment began, in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_classes: dict[str, DataClass] = {}


def register(one: DataClass) -> None:
    """Add a class. The same name again replaces the first."""
    _classes[one.name] = one


def registered() -> list[DataClass]:
    return sorted(_classes.values(), key=lambda one: (one.order, one.name))
