import hashlib
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.access.models import ApiKey, AuditEvent, User
from portal.access.services import (
    create_first_administrator,
    create_key,
    delete_stale_rows,
    find_key,
    forget_cached_keys,
    note_use,
    revoke_key,
)
from portal.errors import ConflictError, OperationError
from tests.access.factories import make_key, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("kind", "mark"), [("ingest", "gri_"), ("secret", "grs_")])
def test_only_a_digest_of_the_key_is_kept(kind: str, mark: str) -> None:
    key, text = make_key(kind=kind)

    assert text.startswith(mark)
    assert len(text) == 47
    stored = ApiKey.objects.values().get()
    assert stored["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert stored["prefix"] == text[:12]
    assert text not in str(stored)
    assert find_key(text, kind) == key


def test_a_key_is_not_found_as_another_kind_or_with_another_letter() -> None:
    _, text = make_key(kind="secret")

    assert find_key(text, "ingest") is None
    assert find_key(text[:-1] + ("A" if text[-1] != "A" else "B"), "secret") is None
    assert find_key("", "secret") is None
    assert find_key("grs_" + "\0" * 43, "secret") is None
    assert find_key(text + "\n", "secret") is None


def test_a_revoked_key_is_refused_at_once_in_this_process() -> None:
    key, text = make_key()
    assert find_key(text, "ingest")

    revoke_key(key, actor=None)

    assert find_key(text, "ingest") is None
    with pytest.raises(ConflictError):
        revoke_key(key, actor=None)


def test_a_key_stays_cached_but_not_beyond_its_expiry(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, text = make_key(expires_at=timezone.now() + timedelta(hours=1))
    found = find_key(text, "ingest")
    with django_assert_num_queries(0):
        assert find_key(text, "ingest") is found
    assert found is not None

    found.expires_at = timezone.now() - timedelta(seconds=1)

    assert find_key(text, "ingest") is None
    forget_cached_keys()
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert find_key(text, "ingest") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "other"},
        {"name": " "},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["meetings:read"]},
        {"kind": "secret", "scopes": ["ingest"]},
        {"origins": ["nonsense"]},
        {"kind": "secret", "origins": ["https://app.example.com"]},
        {"quota_per_minute": 0},
        {"expires_at": timezone.now() - timedelta(days=1)},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OperationError):
        make_key(**wrong)

    assert not ApiKey.objects.exists()


def test_the_database_keeps_ingest_keys_from_reading() -> None:
    key, _ = make_key()

    with pytest.raises(IntegrityError, match="ingest_only_ingests"), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(scopes=["meetings:read"])


def test_nobody_gives_a_key_more_than_they_may_do_themselves() -> None:
    viewer = make_user("Viewer")

    with pytest.raises(OperationError, match="ingest"):
        create_key(kind="ingest", name="mine", scopes=["ingest"], actor=viewer)


def test_use_is_noted_at_most_once_a_minute(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key, _ = make_key()

    with django_assert_num_queries(1):
        note_use(key)
        note_use(key)

    key.refresh_from_db()
    assert key.last_used_at is not None


def test_making_and_revoking_is_audited_without_the_key() -> None:
    actor = make_user(is_superuser=True)
    key, text = make_key(actor=actor)
    revoke_key(key, actor=actor)

    events = AuditEvent.objects.filter(target_type="access.apikey").order_by("pk")
    assert [event.action for event in events] == ["key.create", "key.revoke"]
    assert {event.actor_id for event in events} == {actor.pk}
    assert text[4:] not in str(list(events.values()))


def test_the_first_administrator_is_made_once_and_only_when_nobody_is_there() -> None:
    password = create_first_administrator()

    assert password is not None
    assert User.objects.get().check_password(password)
    assert User.objects.get().is_superuser
    assert create_first_administrator() is None


def test_housekeeping_removes_what_no_longer_counts() -> None:
    key, _ = make_key()
    key.quota_windows.create(minute=1, used=5)

    assert delete_stale_rows() == 1
