"""People and roles in the admin. Accounts are deactivated, never deleted: the trail names them."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from portal.access import audit, people, second_factor
from portal.access.models import User
from portal.access.roles import DESCRIPTIONS
from portal.admin import render_page
from portal.listing import ReadOnlyAdmin


class RoleField(forms.ModelMultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Group) -> str:
        description = DESCRIPTIONS.get(obj.name, "")
        return f"{obj.name}: {description}" if description else obj.name


class NewPersonForm(forms.ModelForm):
    groups = RoleField(
        Group.objects.none(),
        label="Roles",
        required=False,
        help_text="Without a role, somebody can sign in and sees nothing.",
    )

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "groups"]
        help_texts = {"username": "Letters, digits and @ . + - _"}


class PersonForm(forms.ModelForm):
    """`actor` is set by the admin: the person who fills in the form."""

    actor: User
    groups = RoleField(Group.objects.none(), label="Roles", required=False)

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "is_active", "groups"]
        help_texts = {
            "username": "Letters, digits and @ . + - _",
            "is_active": "Take it away instead of deleting: the account can no longer sign in.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned = cast(dict[str, Any], super().clean())
        if self.instance.pk == self.actor.pk:
            for name in {"is_active", "is_superuser"} & set(self.changed_data):
                self.add_error(name, "Somebody else has to take this from you.")
        return cleaned


@admin.register(User)
class PersonAdmin(admin.ModelAdmin):
    form = PersonForm
    change_form_template = "access/person_change_form.html"
    list_display = ["username", "full_name", "email", "roles", "is_active", "last_login"]
    list_filter = ["is_active", "groups"]
    search_fields = ["username", "first_name", "last_name", "email"]
    ordering = ["username"]
    readonly_fields = ["last_login", "date_joined", "must_change_password"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description="Roles")
    def roles(self, person: User) -> str:
        names = ["Superuser"] if person.is_superuser else []
        return ", ".join(names + [group.name for group in person.groups.all()]) or "none"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return not lookup.startswith("password") and super().lookup_allowed(lookup, value, request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or people.may_manage(_actor(request), obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        names = list(PersonForm.Meta.fields)
        if _actor(request).is_superuser:
            names.insert(names.index("groups"), "is_superuser")
        return [*names, *self.readonly_fields]

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        if groups := form.base_fields.get("groups"):
            cast(RoleField, groups).queryset = people.grantable_roles(_actor(request))
        form.actor = _actor(request)  # type: ignore[attr-defined]  # the class is made per request
        return form

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewPersonForm(request.POST or None)
        cast(RoleField, form.fields["groups"]).queryset = people.grantable_roles(_actor(request))
        if request.method == "POST" and form.is_valid():
            password = people.create_person(
                form.save(commit=False),
                roles=form.cleaned_data["groups"],
                actor=_actor(request),
                request=request,
            )
            return _password_page(request, form.instance, password)
        return render_page(
            request, "access/person_add.html", title="Add a person", parent=_parent(), form=form
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"show_save_and_add_another": False, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = {role.name for role in form.instance.groups.all()}
        super().save_related(request, form, formsets, change)
        roles = Group.objects.filter(user=form.instance).values_list("name", flat=True)
        changes = {
            name: [str(form.initial.get(name, "")), str(form.cleaned_data[name])]
            for name in form.changed_data
            if name != "groups"
        }
        if before != set(roles):
            changes["roles"] = [", ".join(sorted(before)), ", ".join(sorted(roles))]
        if changes:
            audit.record("user.change", request=request, target=form.instance, changes=changes)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<path:object_id>/reset-password/",
                view(self.reset_password_view),
                name="access_user_reset_password",
            ),
            path(
                "<path:object_id>/remove-second-factor/",
                view(self.remove_second_factor_view),
                name="access_user_remove_second_factor",
            ),
            *super().get_urls(),
        ]

    def reset_password_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        person = self._manageable(request, object_id)
        if request.method == "POST":
            password = people.reset_password(person, actor=_actor(request), request=request)
            return _password_page(request, person, password)
        return render_page(
            request,
            "access/confirm.html",
            title=f"Reset the password of {person}",
            parent=_parent(),
            text="The present password stops working and all sessions of this person end. "
            "You get a random password to hand over; it has to be changed at the next sign-in.",
            button="Reset the password",
            back=_change_url(person),
        )

    def remove_second_factor_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        person = self._manageable(request, object_id)
        if request.method == "POST":
            second_factor.remove(person, actor=_actor(request), request=request)
            messages.success(request, f"The second factor of {person} is removed.")
            return HttpResponseRedirect(_change_url(person))
        return render_page(
            request,
            "access/confirm.html",
            title=f"Remove the second factor of {person}",
            parent=_parent(),
            text="For somebody who has lost the phone and the recovery codes. Be sure that it is "
            "this person who asks. Until a new one is set up, the password alone signs in.",
            button="Remove the second factor",
            back=_change_url(person),
        )

    def _manageable(self, request: HttpRequest, object_id: str) -> User:
        person = self.get_object(request, unquote(object_id))
        if person is None:
            raise Http404("There is no such person.")
        if not self.has_change_permission(request, person) or person == request.user:
            raise PermissionDenied
        return cast(User, person)


class RoleAdmin(ReadOnlyAdmin):
    """Roles come from portal/access/roles.py; here they can be looked at."""

    actions = None
    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description", "allows"]

    @admin.display(description="What it is for")
    def description(self, role: Group) -> str:
        return DESCRIPTIONS.get(role.name, "")

    @admin.display(description="Allows")
    def allows(self, role: Group) -> str:
        permissions: QuerySet[Permission] = role.permissions.select_related("content_type")
        return "\n".join(str(permission.name) for permission in permissions)


def _actor(request: HttpRequest) -> User:
    return cast(User, request.user)


def _parent() -> dict[str, str]:
    return {"label": "People", "url": reverse("admin:access_user_changelist")}


def _change_url(person: User) -> str:
    return reverse("admin:access_user_change", args=[person.pk])


def _password_page(request: HttpRequest, person: User, password: str) -> HttpResponse:
    return render_page(
        request,
        "access/password_created.html",
        title=f"Password for {person}",
        parent=_parent(),
        person=person,
        password=password,
        back=_change_url(person),
    )
