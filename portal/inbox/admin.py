"""Deliveries and the quarantine in the admin: to read, to replay, to discard; never to edit."""

from ipaddress import ip_address
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString

from portal.access import audit
from portal.access.models import User
from portal.admin import render_page
from portal.errors import OperationError
from portal.figures import figure
from portal.inbox import raw, results, wording
from portal.inbox.models import Delivery, Quarantine
from portal.inbox.services import discard, replay
from portal.inbox.tables import (
    delivery_steps,
    held_table,
    item_steps,
    replays_table,
    results_table,
)
from portal.listing import PortalChangeList, ReadOnlyAdmin
from portal.templatetags.pieces import state as state_mark

# One request answers within a minute: more than these are done in turns.
MOST_AT_ONCE = 1000
# Of the newest items, the reasons by which one can filter.
_MOST_READ = 5000
# No index finds a sender; so many deliveries are read in a few hundredths of a second.
_MOST_SEARCHED = 20_000


class EvidenceAdmin(ReadOnlyAdmin):
    """What came from outside is evidence: nobody edits it."""

    @admin.display(description="Door", ordering="door")
    def door_name(self, row: Delivery | Quarantine) -> str:
        return wording.door(row.door)

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, row: Delivery | Quarantine) -> str:
        return figure(row.size_bytes, "bytes")

    def found(self, request: HttpRequest, object_id: str) -> Any:
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return found


class DoorFilter(admin.SimpleListFilter):
    title = "door"
    parameter_name = "door"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, wording.door(name)) for name in wording.door_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        # A door there is not need not be looked for in millions of rows.
        is_known = self.value() in dict(self.lookup_choices)
        return queryset.filter(door=self.value()) if is_known else queryset.none()


class ReasonFilter(admin.SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = Quarantine.objects.order_by("-last_seen_at").values_list("reason", flat=True)
        slugs = {*newest[:_MOST_READ], *filter(None, [request.GET.get("reason")])}
        return wording.reasons(sorted(slugs)[:200])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class DeliveryList(PortalChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """What is held is asked for of this page's rows alone."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        _mark_held(self.result_list)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Only by number, whatever the URL says: nothing else has an index."""
        ordering = super().get_ordering(request, queryset)
        return ordering if set(ordering[:1]) <= {"id", "-id"} else ["-id"]


def _mark_held(deliveries: list[Delivery]) -> None:
    held = Quarantine.objects.held().filter(delivery__in=[one.pk for one in deliveries])
    ids = set(held.values_list("delivery_id", flat=True))
    for delivery in deliveries:
        delivery.has_held = delivery.pk in ids  # type: ignore[attr-defined]


@admin.register(Delivery)
class DeliveryAdmin(EvidenceAdmin):
    list_display = [
        "number",
        "door_name",
        "key",
        "received_at",
        "size",
        "copies",
        "state_mark",
        "address",
    ]
    list_filter = ["state", DoorFilter, "key"]
    search_fields = ["=id"]  # what get_search_results makes of a text
    search_help_text = f"Number; address or origin among the newest {_MOST_SEARCHED:,}"
    ordering = ["-id"]
    sortable_by = ["number"]  # others have no index, and numbers are in order of arrival
    actions = None
    empty_title = "No deliveries yet"
    empty_text = "Bodies that clients send to a door stand here. The Doors page has ready lines."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        deliveries: QuerySet[Delivery] = super().get_queryset(request)
        return deliveries.select_related("key").defer("body")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DeliveryList]:
        return DeliveryList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        if text.isascii() and text.isdigit() and len(text) < 19:
            return queryset.filter(pk=int(text)), False
        newest = Delivery.objects.order_by("-id").values_list("pk", flat=True).first() or 0
        sender = Q(address=text) if _is_address(text) else Q(origin__iexact=text)
        return queryset.filter(sender, pk__gt=newest - _MOST_SEARCHED), False

    @admin.display(description="Delivery", ordering="id")
    def number(self, delivery: Delivery) -> str:
        return f"#{delivery.pk}"

    @admin.display(description="State", ordering="state")
    def state_mark(self, delivery: Delivery) -> SafeString:
        return state_mark(*_state_of(delivery))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        delivery: Delivery = self.found(request, object_id)
        _mark_held([delivery])
        may_view_raw = request.user.has_perm("inbox.view_raw")
        led_to = results.of(delivery) if request.user.has_perm("meetings.view_meeting") else None
        return render_page(
            request,
            "inbox/delivery.html",
            title=f"Delivery #{delivery.pk}",
            delivery=delivery,
            door=wording.door(delivery.door),
            state=_state_of(delivery),
            steps=delivery_steps(delivery),
            results=led_to,
            results_table=results_table(led_to) if led_to else None,
            held_table=held_table(delivery.quarantined.all()),
            may_view_raw=may_view_raw,
            shown=self.opened(request, delivery) if may_view_raw else None,
        )

    def opened(self, request: HttpRequest, delivery: Delivery) -> raw.Shown | None:
        """Bodies hold personal data: each look at one goes on record."""
        if "raw" not in request.GET:
            return None
        audit.record("delivery.view_raw", request=request, target=delivery)
        return raw.show(delivery.raw())


@admin.register(Quarantine)
class QuarantineAdmin(EvidenceAdmin):
    list_display = [
        "reason_label",
        "door_name",
        "sender",
        "state_mark",
        "count",
        "size",
        "first_seen_at",
        "last_seen_at",
        "number",
    ]
    list_filter = ["state", DoorFilter, ReasonFilter]
    search_fields = ["=id", "detail", "reason"]
    search_help_text = "Number, or words of the reason"
    ordering = ["-last_seen_at"]
    actions = ["replay_selected", "discard_selected"]
    change_list_template = "inbox/quarantine_list.html"
    empty_title = "Nothing is held"
    empty_text = "What the portal cannot understand is kept here, until somebody decides about it."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quarantine]:
        return (
            super()
            .get_queryset(request)
            .defer("raw_zstd", "delivery__body")
            .select_related("delivery__key")
        )

    def get_urls(self) -> list[Any]:
        return [
            path("of-reason/", self.admin_site.admin_view(self.of_reason), name="held_of_reason"),
            path("<int:pk>/decide/", self.admin_site.admin_view(self.decide), name="held_decide"),
            *super().get_urls(),
        ]

    @admin.display(description="Reason", ordering="reason")
    def reason_label(self, item: Quarantine) -> str:
        return wording.reason(item.reason).label

    @admin.display(description="Key")
    def sender(self, item: Quarantine) -> str:
        return item.delivery.key.name if item.delivery and item.delivery.key else ""

    @admin.display(description="Item", ordering="id")
    def number(self, item: Quarantine) -> str:
        return f"#{item.pk}"

    @admin.display(description="State", ordering="state")
    def state_mark(self, item: Quarantine) -> SafeString:
        return state_mark(*wording.item_state(item.state))

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inbox.replay_quarantine")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inbox.discard_quarantine")

    def rights(self, request: HttpRequest) -> dict[str, bool]:
        return {
            "may_replay": self.has_replay_permission(request),
            "may_discard": self.has_discard_permission(request),
        }

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        groups = held_groups()
        extra = {"groups": groups, "held_total": sum(group["number"] for group in groups)}
        return super().changelist_view(
            request, {**(extra_context or {}), **extra, **self.rights(request)}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        item: Quarantine = self.found(request, object_id)
        may_view_raw = request.user.has_perm("inbox.view_raw")
        if may_view_raw:
            audit.record("quarantine.view_raw", request=request, target=item)
        return render_page(
            request,
            "inbox/item.html",
            title=wording.reason(item.reason).label,
            item=item,
            words=wording.reason(item.reason),
            door=wording.door(item.door),
            state=wording.item_state(item.state),
            steps=item_steps(item),
            replays=replays_table(item.replays.order_by("-pk").defer("body")[:20]),
            may_view_raw=may_view_raw,
            shown=raw.show(item.raw()) if may_view_raw else None,
            **self.rights(request),
        )

    @admin.action(description="Replay selected items", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Quarantine]) -> None:
        self.replay_now(request, queryset)

    @admin.action(description="Discard selected items", permissions=["discard"])
    def discard_selected(
        self, request: HttpRequest, queryset: QuerySet[Quarantine]
    ) -> HttpResponse | None:
        return self.discard_or_ask(request, queryset, action="discard_selected")

    def decide(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The buttons on an item's page."""
        item: Quarantine = self.found(request, str(pk))
        queryset = Quarantine.objects.filter(pk=item.pk)
        done = HttpResponseRedirect(reverse("admin:inbox_quarantine_change", args=[pk]))
        return self.decided(request, queryset) or done

    def of_reason(self, request: HttpRequest) -> HttpResponse:
        """The buttons beside a reason, for all items held for it."""
        queryset = Quarantine.objects.filter(
            reason=request.POST.get("reason", ""), door=request.POST.get("door", "")
        )
        done = HttpResponseRedirect(reverse("admin:inbox_quarantine_changelist"))
        return self.decided(request, queryset) or done

    def decided(self, request: HttpRequest, queryset: QuerySet[Quarantine]) -> HttpResponse | None:
        if request.method != "POST":
            return None
        decision = request.POST.get("decision")
        if decision == "replay" and self.has_replay_permission(request):
            self.replay_now(request, queryset)
            return None
        if decision == "discard" and self.has_discard_permission(request):
            return self.discard_or_ask(request, queryset)
        raise PermissionDenied

    def replay_now(self, request: HttpRequest, queryset: QuerySet[Quarantine]) -> None:
        held = queryset.held().order_by("pk")  # type: ignore[attr-defined]
        count = replay(held[:MOST_AT_ONCE], actor=cast(User, request.user), request=request)
        if not count:
            self.message_user(request, "None of these is held any more.", messages.WARNING)
            return
        text = f"{_items(count)} on the way. What is refused again comes back with the new reason."
        self.message_user(request, text + _left(held), messages.SUCCESS)

    def discard_or_ask(
        self, request: HttpRequest, queryset: QuerySet[Quarantine], action: str = ""
    ) -> HttpResponse | None:
        """Ask once, with the count; the reason goes on record."""
        held = queryset.held().order_by("pk")  # type: ignore[attr-defined]
        number = held.count()
        if not number:
            self.message_user(request, "None of these is held any more.", messages.WARNING)
            return None
        problem = ""
        if "confirmed" in request.POST:
            why = request.POST.get("why", "")
            try:
                actor = cast(User, request.user)
                count = discard(held[:MOST_AT_ONCE], reason=why, actor=actor, request=request)
            except OperationError as error:
                problem = str(error)
            else:
                text = f"{_items(count)} discarded. The bytes stay until retention takes them."
                self.message_user(request, text + _left(held), messages.SUCCESS)
                return None
        return render_page(
            request,
            "inbox/discard.html",
            title=f"Discard {_items(number)}",
            number=number,
            groups=_group(held),
            action=action,
            selected=request.POST.getlist("_selected_action"),
            select_across=request.POST.get("select_across", "0"),
            reason=request.POST.get("reason", ""),
            door=request.POST.get("door", ""),
            problem=problem,
        )


def held_groups() -> list[dict[str, Any]]:
    return _group(Quarantine.objects.held())


def _group(held: QuerySet[Quarantine]) -> list[dict[str, Any]]:
    """By reason and door, the largest group first."""
    rows = (
        held.order_by()
        .values("reason", "door")
        .annotate(number=Count("pk"), last=Max("last_seen_at"))
        .order_by("-number", "reason", "door")
    )
    return [
        {**row, "words": wording.reason(row["reason"]), "door_name": wording.door(row["door"])}
        for row in rows
    ]


def _state_of(delivery: Delivery) -> tuple[str, str]:
    """Handled is not all well while something of it is held."""
    if delivery.state == Delivery.State.HANDLED and getattr(delivery, "has_held", False):
        return ("warn", "Handled, some held")
    return wording.delivery_state(delivery.state)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _items(count: int) -> str:
    return f"{count:,} item{'' if count == 1 else 's'}"


def _left(held: QuerySet[Quarantine]) -> str:
    left = held.count()
    return f" {left:,} more are still held: do it again for those." if left else ""
