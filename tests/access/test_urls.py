"""Every URL there is, without being signed in."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

# What anybody may GET. Whoever adds a line here opens the portal to the world a little.
OPEN = {
    "/admin/login/",
    "/livez",
    "/readyz",
}
REFUSALS = {302, 401, 403, 404, 405}

_SAMPLES = {"int": "1", "uuid": "6b1f1f4e-6f0e-4c0c-9a52-0d8f7b1c2d3e", "date": "2026-01-31"}


def paths(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        path = prefix + sample(str(entry.pattern))
        if isinstance(entry, URLPattern):
            yield "/" + path
        else:
            yield from paths(entry, path)


def sample(pattern: str) -> str:
    """A path that the pattern matches, near enough."""
    pattern = re.sub(r"<(?:(\w+):)?\w+>", lambda m: _SAMPLES.get(m[1] or "", "x"), pattern)
    pattern = re.sub(r"\(\?P<\w+>\(?([\w|]+)\)?\)", lambda m: m[1].split("|")[0], pattern)
    return re.sub(r"\(\?P<\w+>[^()]*\)|[\^$\\?]|\\Z", "", pattern)


ALL = sorted(set(paths(get_resolver())))


def test_the_list_of_urls_is_not_empty() -> None:
    assert len(ALL) > 50
    assert "/admin/access/apikey/add/" in ALL


@pytest.mark.parametrize("path", ALL)
def test_nobody_sees_anything_without_signing_in(client: Client, path: str) -> None:
    response = client.get(path)

    if path in OPEN:
        assert response.status_code in {200, 503}
    else:
        assert response.status_code in REFUSALS, path
        if response.status_code == 302:
            assert "/admin/login/" in response["Location"] or path == "/admin/logout/"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "head"])
@pytest.mark.parametrize(
    "path", ["/", "/admin/", "/admin/access/user/add/", "/admin/access/apikey/", "/admin/search/"]
)
def test_no_method_gets_past(client: Client, path: str, method: str) -> None:
    response = getattr(client, method)(path)

    assert response.status_code in REFUSALS
