import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from portal.access import second_factor
from portal.access.models import AuditEvent, SignInAttempt, User
from tests.access.factories import (
    PASSWORD,
    code_of,
    make_authenticator,
    make_user,
    signed_in,
)

pytestmark = pytest.mark.django_db

PAGE = "/admin/second-factor/"
LOGIN = "/admin/login/"


def sign_in(client: Client, person: User, code: str = "") -> bool:
    fields = {"username": person.username, "password": PASSWORD, "code": code}
    return client.post(LOGIN, fields).status_code == 302


def enrol(client: Client, person: User) -> list[str]:
    """Set up the authenticator through the pages; the recovery codes shown."""
    client.get(PAGE)
    device = TOTPDevice.objects.get(user=person, confirmed=False)
    response = client.post(PAGE, {"password": PASSWORD, "code": code_of(device)})
    return re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", response.content.decode())


def test_setting_up_shows_a_picture_and_the_secret_and_gives_ten_recovery_codes() -> None:
    person = make_user(password=PASSWORD)
    client = signed_in(person)

    page = client.get(PAGE).content.decode()
    codes = enrol(client, person)

    device = TOTPDevice.objects.get(user=person)
    assert second_factor.secret_text(device) in page
    assert "<path d=" in page
    assert " style=" not in page
    assert len(set(codes)) == 10
    assert device.confirmed
    assert AuditEvent.objects.filter(action="second_factor.enrol", actor_id=person.pk).exists()
    assert client.get(PAGE).status_code == 200, "the session that set it up goes on"


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"code": "000000"}, {"code": ""}])
def test_a_wrong_password_or_code_sets_nothing_up(wrong: dict[str, str]) -> None:
    person = make_user(password=PASSWORD)
    client = signed_in(person)
    client.get(PAGE)
    code = code_of(TOTPDevice.objects.get())

    response = client.post(PAGE, {"password": PASSWORD, "code": code, **wrong})

    assert response.status_code == 200
    assert not second_factor.is_enrolled(person)


def test_a_secret_seen_in_one_session_is_not_set_up_in_another() -> None:
    person = make_user(password=PASSWORD)
    signed_in(person).get(PAGE)
    seen = TOTPDevice.objects.get().key

    signed_in(person).get(PAGE)

    assert TOTPDevice.objects.get().key != seen


def test_signing_in_needs_the_code_once_it_is_set_up(client: Client) -> None:
    person = make_user(password=PASSWORD)
    device = make_authenticator(person)

    assert not sign_in(client, person)
    assert not sign_in(client, person, "000000")
    assert sign_in(client, person, code_of(device))
    assert not sign_in(Client(), person, f"{0:06d}")


def test_a_code_works_once(client: Client) -> None:
    person = make_user(password=PASSWORD)
    code = code_of(make_authenticator(person))

    assert sign_in(client, person, code)
    assert not sign_in(Client(), person, code)


def test_a_recovery_code_signs_in_once_however_it_is_typed(client: Client) -> None:
    person = make_user(password=PASSWORD)
    codes = enrol(signed_in(person), person)

    assert sign_in(client, person, codes[0].upper().replace("-", " "))
    assert not sign_in(Client(), person, codes[0])
    assert second_factor.recovery_codes_left(person) == 9


def test_recovery_codes_are_stored_as_digests() -> None:
    person = make_user(password=PASSWORD)
    codes = enrol(signed_in(person), person)

    stored = set(StaticToken.objects.values_list("token", flat=True))

    assert len(stored) == 10
    assert not stored & {code.replace("-", "") for code in codes}


def test_the_right_password_with_a_wrong_code_looks_like_a_wrong_password(client: Client) -> None:
    person = make_user(password=PASSWORD)
    make_authenticator(person)
    fields = {"username": person.username, "code": "000000"}

    wrong_code = client.post(LOGIN, fields | {"password": PASSWORD}).context["form"].errors
    wrong_password = client.post(LOGIN, fields | {"password": "wrong"}).context["form"].errors

    assert wrong_code == wrong_password


def test_wrong_codes_count_as_failed_sign_ins(client: Client) -> None:
    person = make_user(password=PASSWORD)
    device = make_authenticator(person)
    for _ in range(5):
        sign_in(client, person, "000000")

    assert SignInAttempt.objects.count() == 5
    assert not sign_in(client, person, code_of(device))
    reasons = AuditEvent.objects.filter(action="sign_in.failed").values_list("detail", flat=True)
    assert {detail["reason"] for detail in reasons} == {"code"}


def test_guessing_codes_is_slowed_down_by_the_device_too() -> None:
    person = make_user()
    device = make_authenticator(person)
    code = code_of(device)

    assert second_factor.verify(person, "000000") is None
    assert second_factor.verify(person, code) is None, "not yet: a second has to pass"


def test_setting_up_and_removing_ends_the_other_sessions() -> None:
    person = make_user(password=PASSWORD)
    here, elsewhere = signed_in(person), signed_in(person)
    codes = enrol(here, person)
    assert elsewhere.get(PAGE).status_code == 302
    elsewhere = Client()
    assert sign_in(elsewhere, person, codes[0])

    response = here.post(f"{PAGE}remove/", {"password": PASSWORD, "code": codes[1]})

    assert response.status_code == 302
    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
    assert here.get(PAGE).status_code == 200
    assert elsewhere.get(PAGE).status_code == 302
    assert AuditEvent.objects.filter(action="second_factor.remove").exists()


@pytest.mark.parametrize("page", ["remove", "recovery-codes"])
def test_changing_it_needs_password_and_code(page: str) -> None:
    person = make_user(password=PASSWORD)
    client = signed_in(person)
    codes = enrol(client, person)

    client.post(f"{PAGE}{page}/", {"password": "wrong", "code": codes[0]})
    client.post(f"{PAGE}{page}/", {"password": PASSWORD, "code": "wrong"})

    assert second_factor.is_enrolled(person)
    assert second_factor.recovery_codes_left(person) == 10


def test_new_recovery_codes_replace_the_old(client: Client) -> None:
    person = make_user(password=PASSWORD)
    here = signed_in(person)
    codes = enrol(here, person)

    here.post(f"{PAGE}recovery-codes/", {"password": PASSWORD, "code": codes[0]})

    assert second_factor.recovery_codes_left(person) == 10
    assert not sign_in(client, person, codes[1])


def test_where_it_is_obligatory_nothing_else_can_be_reached(settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    person = make_user(is_superuser=True, password=PASSWORD)
    client = Client()
    assert sign_in(client, person)

    for path in ["/", "/admin/", "/admin/access/user/", "/admin/search/", f"{PAGE}remove/"]:
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, PAGE), path

    assert enrol(client, person)
    assert client.get("/admin/access/user/").status_code == 200


def test_where_it_becomes_obligatory_a_session_without_it_ends(settings: Settings) -> None:
    person = make_user(is_superuser=True)
    client = signed_in(person)
    make_authenticator(person)
    settings.REQUIRE_SECOND_FACTOR = True

    response = client.get("/admin/access/user/")

    assert response["Location"].startswith(LOGIN)
    assert "_auth_user_id" not in client.session


def test_somebody_locked_out_is_let_in_again_on_the_command_line() -> None:
    person = make_user(username="ada")
    make_authenticator(person)
    elsewhere = signed_in(person)

    call_command("second_factor", "remove", "ada", stderr=StringIO())

    assert not second_factor.is_enrolled(person)
    assert elsewhere.get(PAGE).status_code == 302
    for name in ["ada", "nobody"]:
        with pytest.raises(CommandError):
            call_command("second_factor", "remove", name)


def test_satisfied_tells_what_the_middleware_asks(settings: Settings) -> None:
    person = make_user()
    assert second_factor.satisfied_by(person)

    settings.REQUIRE_SECOND_FACTOR = True
    assert not second_factor.satisfied_by(person)


def test_the_picture_holds_the_address_that_apps_understand() -> None:
    device = make_authenticator(make_user(username="ada"))

    qr = second_factor.qr_code(device)

    assert device.config_url.startswith("otpauth://totp/Greenroom%3Aada?")
    assert qr.size > 30
    assert re.fullmatch(r"(M\d+ \d+h1v1h-1z)+", qr.path)


def test_a_wrong_password_while_setting_up_is_no_failed_sign_in() -> None:
    person = make_user(password=PASSWORD)
    client = signed_in(person)
    client.get(PAGE)

    client.post(PAGE, {"password": "wrong", "code": "000000"})

    actions = list(AuditEvent.objects.values_list("action", flat=True))
    assert actions == ["second_factor.refused"]
