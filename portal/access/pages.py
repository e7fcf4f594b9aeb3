"""The pages of one's own account: password, second factor, signing out."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.views import LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy

from portal import navigation
from portal.access import audit, second_factor
from portal.access.forms import EnrolForm, OwnPasswordForm, SecondFactorForm, SignInForm
from portal.access.models import User
from portal.admin import register_page, render_page
from portal.navigation import NavItem


def register_pages() -> None:
    """Put the pages and the sign-in form into the frame, in place of Django's where it has them."""
    from django.contrib import admin

    admin.site.login_form = SignInForm
    register_page("logout/", logout_page, "logout")
    register_page("password_change/", OwnPasswordView.as_view(), "password_change")
    register_page("second-factor/", second_factor_page, "second_factor")
    register_page("second-factor/remove/", remove_page, "second_factor_remove")
    register_page("second-factor/recovery-codes/", renew_page, "second_factor_recovery_codes")
    navigation.register(
        navigation.PERSON, NavItem("Second factor", "admin:second_factor", order=20)
    )
    for label, url_name, permission, order in [
        ("People", "admin:access_user_changelist", "access.view_user", 10),
        ("Roles", "admin:auth_group_changelist", "auth.view_group", 15),
        ("API keys", "admin:access_apikey_changelist", "access.view_apikey", 20),
        ("Sign-in attempts", "admin:access_signinattempt_changelist", SIGN_INS, 80),
        ("Audit trail", "admin:access_auditevent_changelist", "access.view_auditevent", 90),
    ]:
        navigation.register("Settings", NavItem(label, url_name, permission, order=order))


SIGN_INS = "access.view_signinattempt"


class OwnPasswordView(PasswordChangeView):
    """Everybody's own password. Choosing a new one ends the other sessions."""

    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        audit.record("password.change", request=self.request, target=form.user)
        return response

    def render_to_response(self, context: dict[str, Any], **_: Any) -> TemplateResponse:
        return render_page(
            self.request,
            "registration/password_change_form.html",
            title="Change your password",
            form=context["form"],
        )


def logout_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        audit.record("sign_out.succeeded", request=request)
    view = LogoutView.as_view(next_page=reverse_lazy("admin:login"))
    return view(request)


def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator; or what there is, once it is set up."""
    user = cast(User, request.user)
    if second_factor.is_enrolled(user):
        left = second_factor.recovery_codes_left(user)
        return render_page(
            request, "access/second_factor.html", title="Second factor", recovery_codes_left=left
        )
    form = EnrolForm(request.POST or None, request=request, user=user)
    if request.method == "POST" and form.is_valid():
        return _codes_page(request, form.recovery_codes)
    device = second_factor.pending_device(request, user)
    return render_page(
        request,
        "access/second_factor_enrol.html",
        title="Set up your authenticator",
        form=form,
        qr=second_factor.qr_code(device),
        secret=second_factor.secret_text(device),
    )


def remove_page(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = SecondFactorForm(request.POST or None, request=request, user=user)
    if request.method == "POST" and form.is_valid():
        second_factor.remove(user, actor=user, request=request)
        messages.success(request, "The second factor is removed. Your password alone signs you in.")
        return redirect("admin:second_factor")
    return _confirm_page(request, form, title="Remove the second factor", button="Remove")


def renew_page(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = SecondFactorForm(request.POST or None, request=request, user=user)
    if request.method == "POST" and form.is_valid():
        return _codes_page(request, second_factor.renew_recovery_codes(request, user))
    return _confirm_page(request, form, title="New recovery codes", button="Make new codes")


def _codes_page(request: HttpRequest, codes: list[str]) -> TemplateResponse:
    return render_page(
        request, "access/recovery_codes.html", title="Your recovery codes", codes=codes
    )


def _confirm_page(
    request: HttpRequest, form: SecondFactorForm, *, title: str, button: str
) -> HttpResponse:
    if not second_factor.is_enrolled(form.user):
        return HttpResponseRedirect(reverse_lazy("admin:second_factor"))
    return render_page(
        request, "access/second_factor_confirm.html", title=title, form=form, button=button
    )
