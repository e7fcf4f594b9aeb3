import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.access.models import ApiKey
from portal.access.services import find_key
from tests.access.factories import make_key

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("apikey", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_create_prints_the_key_and_nothing_else() -> None:
    out = run("create", "--kind", "ingest", "--name", "Web app", "--scopes", "ingest")

    assert out.count("\n") == 1
    key = find_key(out.strip(), "ingest")
    assert key is not None
    assert key.name == "Web app"


def test_create_takes_scopes_with_commas_or_blanks() -> None:
    words = ["--scopes", "meetings:read,failures:read", "events:export"]

    out = run("create", "--kind", "secret", "--name", "Report", *words)

    key = find_key(out.strip(), "secret")
    assert key is not None
    assert key.scopes == ["events:export", "failures:read", "meetings:read"]


def test_create_takes_origins_quota_and_expiry() -> None:
    words = ["--origins", "https://app.example.com", "--quota", "60", "--expires", "2999-01-31"]

    run("create", "--kind", "ingest", "--name", "Web app", *words)

    key = ApiKey.objects.get()
    assert key.origins == ["https://app.example.com"]
    assert key.quota_per_minute == 60
    assert key.expires_at is not None
    assert key.expires_at.isoformat().startswith("2999-01-31T23:59:59")


@pytest.mark.parametrize(
    "words",
    [
        ["--kind", "secret", "--name", "x"],
        ["--kind", "secret", "--name", "x", "--scopes", "everything"],
        ["--kind", "ingest", "--name", "x", "--expires", "tomorrow"],
        ["--kind", "ingest", "--name", "x", "--expires", "2026-13-45"],
        ["--kind", "ingest", "--name", "x", "--expires", "2020-01-01"],
        ["--kind", "ingest", "--name", "x", "--origins", "nonsense"],
    ],
)
def test_mistakes_are_told_and_make_no_key(words: list[str]) -> None:
    with pytest.raises(CommandError):
        run("create", *words)

    assert not ApiKey.objects.exists()


def test_list_shows_keys_without_their_secret() -> None:
    key, text = make_key(name="Web app")

    assert "Web app" in run("list")
    assert text not in run("list", "--json")
    row = json.loads(run("list", "--json"))[0]
    assert (row["prefix"], row["state"], row["kind"]) == (key.prefix, "active", "ingest")


def test_an_empty_list_says_what_to_do() -> None:
    assert "apikey create" in run("list")
    assert json.loads(run("list", "--json")) == []


def test_revoke_takes_the_prefix() -> None:
    key, text = make_key()

    run("revoke", key.prefix)

    assert find_key(text, "ingest") is None
    with pytest.raises(CommandError, match="already"):
        run("revoke", key.prefix)


def test_revoke_refuses_to_guess() -> None:
    make_key()
    make_key()

    with pytest.raises(CommandError, match="Several"):
        run("revoke", "gri_")
    with pytest.raises(CommandError, match="No key"):
        run("revoke", "gri_nothing")
