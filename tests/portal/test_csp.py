import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from portal.access.models import User
from portal.csp import HEADER, ContentSecurityPolicyMiddleware, build_policy

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", re.IGNORECASE)


def test_directives_become_one_line() -> None:
    policy = build_policy(
        {
            "default-src": ["'self'"],
            "img-src": ("'self'", "data:"),
            "object-src": "'none'",
            "upgrade-insecure-requests": True,
            "media-src": None,
            "font-src": False,
        }
    )

    assert policy == (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; upgrade-insecure-requests"
    )


def test_every_answer_carries_the_policy() -> None:
    answer = Client().get("/admin/login/")

    assert "default-src 'self'" in answer.headers[HEADER]
    assert "unsafe" not in answer.headers[HEADER]


def test_a_view_may_set_a_policy_of_its_own() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={HEADER: "default-src 'none'"})

    answer = ContentSecurityPolicyMiddleware(view)(RequestFactory().get("/"))

    assert answer.headers[HEADER] == "default-src 'none'"


@override_settings(SECURE_CSP={})
def test_without_directives_there_is_no_header() -> None:
    answer = ContentSecurityPolicyMiddleware(lambda request: HttpResponse())(
        RequestFactory().get("/")
    )

    assert HEADER not in answer.headers


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/search/?q=a",
        "/admin/preferences/",
        "/admin/tables/",
        "/admin/access/user/",
        "/admin/access/user/add/",
        "/admin/auth/group/",
        "/admin/password_change/",
    ],
)
def test_no_page_holds_anything_inline(client: Client, staff: User, path: str) -> None:
    client.force_login(staff)

    page = client.get(path).content.decode()

    assert not INLINE.search(page)


@pytest.mark.django_db
def test_the_sign_in_page_and_the_error_pages_hold_nothing_inline(client: Client) -> None:
    for path in ("/admin/login/", "/no-such-page/"):
        assert not INLINE.search(client.get(path).content.decode())
