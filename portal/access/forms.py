"""The forms of people: signing in, and what they change about their own account."""

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from portal.access import audit, second_factor, sign_in
from portal.access.models import User

# One sentence for everything that can be wrong: the answer must not tell which part was right.
REFUSED = (
    "The user name, the password or the code is not right. If you have set up an authenticator, "
    "its current code is needed as well."
)
WRONG_CODE = "This code is not right. Wait for the next one, and check the clock of your device."

_CODE_ATTRIBUTES = {
    "autocomplete": "one-time-code",
    "autocapitalize": "none",
    "spellcheck": "false",
}


class SignInForm(AdminAuthenticationForm):
    """User name, password and, from people who have set one up, the second factor."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": REFUSED,
        "inactive": REFUSED,
    }
    request: HttpRequest
    required_css_class = "required"

    code = forms.CharField(
        label="Code from your authenticator",
        required=False,
        max_length=40,
        help_text="Leave it empty if you have not set one up. A recovery code works as well.",
        widget=forms.TextInput(attrs=_CODE_ATTRIBUTES),
    )

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return self.cleaned_data
        if wait := sign_in.begin_attempt(name, self.request):
            raise ValidationError(sign_in.too_many(wait), code="wait")
        try:
            super().clean()
        except ValidationError:
            sign_in.record_failure(name, self.request, reason="password")
            raise
        user = self.get_user()
        self._check_code(user, name)
        sign_in.forget_failures(name, self.request)
        audit.record("sign_in.succeeded", actor=user, request=self.request, target=user)
        return self.cleaned_data

    def _check_code(self, user: User, name: str) -> None:
        if not second_factor.is_enrolled(user):
            return
        code = self.cleaned_data.get("code", "")
        device = second_factor.verify(user, code) if code else None
        if device is None:
            sign_in.record_failure(name, self.request, reason="code")
            raise ValidationError(REFUSED, code="invalid_login")
        user.otp_device = device  # type: ignore[attr-defined]  # django-otp stores it at sign-in


class OwnPasswordForm(PasswordChangeForm):
    """Choosing a new password, with the old one guarded like a sign-in."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request
        self.fields["old_password"].label = "Your password now"
        self.fields["new_password1"].label = "New password"
        self.fields[
            "new_password1"
        ].help_text = "At least 12 characters, not one that others use, and nothing of your name."
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if refusal := sign_in.confirm_password(self.request, self.user, password):
            raise ValidationError(refusal)
        return password


SECOND_FACTOR_REFUSED = "second_factor.refused"


class ConfirmForm(forms.Form):
    """Password and code, asked again before the second factor changes."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Code from your authenticator",
        max_length=40,
        widget=forms.TextInput(attrs=_CODE_ATTRIBUTES),
    )

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        action = SECOND_FACTOR_REFUSED
        if refusal := sign_in.confirm_password(self.request, self.user, password, action=action):
            raise ValidationError(refusal)
        return password


class EnrolForm(ConfirmForm):
    """Confirms a new authenticator. `recovery_codes` is filled when the form is valid."""

    recovery_codes: list[str]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            codes = second_factor.enrol(self.request, self.user, self.cleaned_data["code"])
            if codes is None:
                self.add_error("code", WRONG_CODE)
            else:
                self.recovery_codes = codes
        return self.cleaned_data


class SecondFactorForm(ConfirmForm):
    """Proves password and second factor before either is changed. Recovery codes count."""

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self._code_is_right():
            self.add_error("code", WRONG_CODE)
        return self.cleaned_data

    def _code_is_right(self) -> bool:
        name = self.user.get_username()
        if sign_in.begin_attempt(name, self.request):
            return False
        if second_factor.verify(self.user, self.cleaned_data["code"]) is None:
            sign_in.record_failure(name, self.request, reason="code", action=SECOND_FACTOR_REFUSED)
            return False
        sign_in.forget_failures(name, self.request)
        return True
