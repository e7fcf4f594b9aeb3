"""/api/schema/ and /api/docs/."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from portal.access.models import User


def test_the_schema_is_complete_and_valid() -> None:
    out = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out, stderr=StringIO())

    schema = out.getvalue()
    assert "/api/v1/events/:" in schema
    assert "/ingest/{key}/client-events:" in schema
    assert "secretKey" in schema


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/", "/api/docs/?script="])
def test_only_staff_see_the_schema(path: str, staff: User) -> None:
    stranger, client = Client(), Client()
    client.force_login(staff)

    assert stranger.get(path).status_code == 302
    assert client.get(path).status_code == 200


@pytest.mark.django_db
def test_the_page_of_the_schema_has_nothing_inline(staff: User) -> None:
    client = Client()
    client.force_login(staff)

    page = client.get("/api/docs/").content.decode()

    assert "<style" not in page
    assert "<script>" not in page
    assert "default-src 'self'" in client.get("/api/docs/")["Content-Security-Policy"]
