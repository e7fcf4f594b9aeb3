"""How every list in the admin behaves: counting, filters as chips, the time range in the URL."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.figures import NOTHING
from portal.keyset import Bounds, edge_of, up_to
from portal.patience import within
from portal.timerange import PARAMETERS

MOST_COUNTED = 10_000
_PATIENCE_MS = 30
_STRETCH = 2000


@dataclass(frozen=True, slots=True)
class Number:
    """How many rows there are; `capped`: there may be more."""

    number: int
    capped: bool


def counted(rows: QuerySet[Any]) -> int:
    """How many rows there are, up to one more than MOST_COUNTED."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


def counted_soon(rows: QuerySet[Any], column: str, bounds: Bounds) -> Number:
    """As `counted` or, where that takes too long, the number in the newest stretch of rows."""
    number = within(_PATIENCE_MS, lambda: counted(rows))
    edge = None
    if number is None:
        edge = edge_of(rows.model, column, None, bounds, _STRETCH)
        number = counted(up_to(rows, column, edge))
    return Number(min(number, MOST_COUNTED), number > MOST_COUNTED or edge is not None)


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # no brackets at run time
    """Counts up to 10,000 rows and then says "10,000+": a whole count of a large table is slow."""

    @cached_property
    def _counted(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return counted(self.object_list.values("pk"))  # without what a page shows beside
        return len(self.object_list)

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST_COUNTED)

    @property
    def capped(self) -> bool:
        return self._counted > MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the URL without it."""

    label: str
    value: str
    remove_url: str


class PortalChangeList(ChangeList):
    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """The header's time range may ride along in the URL; it is no filter of the table."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in PARAMETERS}

    @cached_property
    def chips(self) -> list[Chip]:
        """The filters in force, each removable."""
        chips = []
        if self.query:
            chips.append(Chip("Search", self.query, self.get_query_string(remove=[SEARCH_VAR])))
        told: set[str] = set()
        for spec in self.filter_specs:
            names = [name for name in spec.expected_parameters() if name in self.filter_params]
            told.update(names)
            chosen = [choice for choice in spec.choices(self) if choice["selected"]]
            if names and chosen:
                value = ", ".join(str(choice["display"]) for choice in chosen)
                chips.append(Chip(str(spec.title), value, self.get_query_string(remove=names)))
        for name, values in self.get_filters_params().items():
            if name not in told:
                label = name.replace("__exact", "").replace("__", " ")
                chips.append(Chip(label, _words(values), self.get_query_string(remove=[name])))
        return chips

    @property
    def clear_all_url(self) -> str:
        """Without any filter or search, in the same order."""
        kept = {ORDER_VAR, IS_POPUP_VAR, TO_FIELD_VAR, *PARAMETERS}
        return str(self.get_query_string(remove=[n for n in self.filter_params if n not in kept]))

    @property
    def empty_title(self) -> str:
        """A ModelAdmin may say it in its own words: `empty_title`, `empty_text`."""
        return getattr(self.model_admin, "empty_title", f"No {self.counted_noun} yet")

    @property
    def counted_noun(self) -> str:
        """What several rows are called, where the list's own title names them together."""
        return getattr(self.model_admin, "counted_noun", str(self.opts.verbose_name_plural))

    @property
    def empty_text(self) -> str:
        return getattr(self.model_admin, "empty_text", "")


def _words(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)


class PortalModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no brackets at run time
    """What ModelAdmins of this portal start from. PortalSite adds it to those of others."""

    list_per_page = 50
    list_max_show_all = 0  # never a whole table on one page
    paginator = CappedPaginator
    show_full_result_count = False
    empty_value_display = NOTHING

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList


class ReadOnlyAdmin(PortalModelAdmin):
    """Rows to look at: nobody adds, changes or deletes any, superusers included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
