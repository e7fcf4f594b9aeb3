"""API keys in the admin: made, narrowed and revoked. Never read again, never deleted."""

import json
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone

from portal import moments
from portal.access import audit
from portal.access.models import ApiKey, KeyKind, User
from portal.access.origins import normalise_origin
from portal.access.scopes import scopes_for
from portal.access.services import create_key, forget_cached_keys, revoke_key
from portal.admin import render_page
from portal.errors import OperationError
from portal.templatetags.pieces import state

_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class OriginsField(forms.CharField):
    """Origins, one a line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 50, "spellcheck": "false"})

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        lines = value if isinstance(value, list) else str(value or "").split()
        try:
            return sorted({normalise_origin(line) for line in lines})
        except OperationError as error:
            raise ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial or []) != self.to_python(data))
        except ValidationError:
            return True


def _origins_field() -> OriginsField:
    return OriginsField(
        required=False,
        help_text="One a line, as https://app.example.com. Empty: any web site may use the key. "
        "For ingest keys.",
    )


def _check_expiry(expires_at: datetime | None) -> datetime | None:
    if expires_at and expires_at <= timezone.now():
        raise ValidationError("Choose a moment in the future. To end a key now, revoke it.")
    return expires_at


class NewKeyForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[
            (KeyKind.INGEST, "Ingest key: for clients, public, can only send"),
            (KeyKind.SECRET, "Secret key: for programs that read or act"),
        ],
        initial=KeyKind.INGEST,
        widget=forms.RadioSelect,
    )
    name = forms.CharField(max_length=100, help_text="What uses it, so that people recognise it.")
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="For secret keys. Ingest keys can send, and nothing else.",
    )
    origins = _origins_field()
    quota_per_minute = forms.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Requests. Empty: no limit."
    )
    expires_at = forms.DateTimeField(
        required=False, widget=_MOMENT, help_text="Empty: until it is revoked."
    )

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (scope.name, f"{scope.name}: {scope.label}")
            for scope in scopes_for(KeyKind.SECRET)
            if actor.has_perm(scope.permission)
        ]
        cast(forms.MultipleChoiceField, self.fields["scopes"]).choices = choices

    def clean_expires_at(self) -> datetime | None:
        return _check_expiry(self.cleaned_data["expires_at"])

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("kind") == KeyKind.INGEST:
            self.cleaned_data["scopes"] = ["ingest"]
        elif not self.cleaned_data.get("scopes"):
            self.add_error("scopes", "Choose what the program may do with the key.")
        elif self.cleaned_data.get("origins"):
            self.add_error("origins", "Secret keys never belong into a web page: leave it empty.")
        return self.cleaned_data


class KeyForm(forms.ModelForm):
    origins = _origins_field()
    expires_at = forms.DateTimeField(required=False, widget=_MOMENT)

    class Meta:
        model = ApiKey
        fields = ["name", "origins", "quota_per_minute", "expires_at"]

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        return _check_expiry(expires_at) if "expires_at" in self.changed_data else expires_at


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("ended", "Expired or revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        usable = ApiKey.objects.usable().values("pk")
        if self.value() == "active":
            return queryset.filter(pk__in=usable)
        return queryset.exclude(pk__in=usable) if self.value() == "ended" else queryset


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    form = KeyForm
    list_display = [
        "name",
        "kind",
        "prefix_text",
        "scopes_text",
        "origins_text",
        "quota_per_minute",
        "last_used_at",
        "expires_at",
        "state_text",
    ]
    change_form_template = "access/key_change_form.html"
    list_filter = [StateFilter, "kind"]
    search_fields = ["name", "prefix"]
    fields = [
        "name",
        "kind",
        "prefix_text",
        "scopes_text",
        "origins",
        "quota_per_minute",
        "expires_at",
        "state_text",
        "last_used_at",
        "refusals",
        "created_at",
        "created_by",
        "revoked_at",
    ]
    readonly_fields = [
        "kind",
        "prefix_text",
        "scopes_text",
        "state_text",
        "last_used_at",
        "refusals",
        "created_at",
        "created_by",
        "revoked_at",
    ]
    actions = ["revoke"]

    @admin.display(description="Begins with", ordering="prefix")
    def prefix_text(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description="Scopes")
    def scopes_text(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="Origins")
    def origins_text(self, key: ApiKey) -> str:
        return ", ".join(key.origins) or ("any" if key.kind == KeyKind.INGEST else "")

    @admin.display(description="State")
    def state_text(self, key: ApiKey) -> str:
        return state("ok" if key.state == "active" else "unknown", key.state.capitalize())

    @admin.display(description="Refused because of their origin")
    def refusals(self, key: ApiKey) -> str:
        if key.last_refused_at is None:
            return "None"
        number = key.refused_origin_count
        count = "1 request" if number == 1 else f"{number:,} requests"
        ago = moments.relative(key.last_refused_at)
        return f"{count} refused, last from {key.last_refused_origin} {ago}"

    def get_urls(self) -> list[Any]:
        revoke = self.admin_site.admin_view(self.revoke_page)
        return [path("<int:pk>/revoke/", revoke, name="access_apikey_revoke"), *super().get_urls()]

    def revoke_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button on a key's page: asks once, as the list's action does."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        key = get_object_or_404(ApiKey, pk=pk)
        page = reverse("admin:access_apikey_change", args=[pk])
        return self.revoke(request, ApiKey.objects.filter(pk=key.pk)) or redirect(page)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_manage_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return self.has_manage_permission(request) and (obj is None or obj.revoked_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.manage_keys")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        actor = cast(User, request.user)
        form = NewKeyForm(request.POST or None, actor=actor)
        if request.method == "POST" and form.is_valid():
            base = request.build_absolute_uri("/").rstrip("/")
            key, text = create_key(**form.cleaned_data, actor=actor, request=request)
            return render_page(
                request,
                "access/key_created.html",
                title="The new key",
                parent=_parent(),
                key=key,
                text=text,
                base=base,
                command=_command(key, text, base),
            )
        return render_page(
            request, "access/key_add.html", title="Add an API key", parent=_parent(), form=form
        )

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_cached_keys()
        if form.changed_data:
            changes = {
                name: [str(form.initial.get(name)), str(form.cleaned_data[name])]
                for name in form.changed_data
            }
            audit.record("key.change", request=request, target=obj, changes=changes)

    @admin.action(description="Revoke selected keys", permissions=["manage"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(queryset.filter(revoked_at__isnull=True))
        if not keys:
            self.message_user(request, "All of these are revoked already.", messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            title = f"Revoke {len(keys)} key{'' if len(keys) == 1 else 's'}"
            return render_page(
                request, "access/key_revoke.html", title=title, parent=_parent(), keys=keys
            )
        for key in keys:
            revoke_key(key, actor=cast(User, request.user), request=request)
        self.message_user(request, f"Revoked: {len(keys)}.", messages.SUCCESS)
        return None


def _parent() -> dict[str, str]:
    return {"label": "API keys", "url": reverse("admin:access_apikey_changelist")}


def _command(key: ApiKey, text: str, base: str) -> str:
    """A line for a shell that shows the new key at work."""
    if key.kind == KeyKind.SECRET:
        return f"curl -i '{base}/api/v1/meetings/' -H 'Authorization: Bearer {text}'"
    at_ms = int(timezone.now().timestamp() * 1000)
    attributes = {"meetingId": "try-it", "attendeeId": "me", "timestampMs": at_ms}
    body = json.dumps([{"name": "meetingStartRequested", "attributes": attributes}])
    return (
        f"curl -i '{base}/ingest/{text}/meetingevents' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
