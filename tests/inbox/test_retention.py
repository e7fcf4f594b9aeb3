from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import partitions
from portal.inbox.models import Delivery, Quarantine, compress
from portal.inbox.retention import DELIVERIES, QUARANTINE
from portal.retention.classes import midnight

pytestmark = pytest.mark.django_db

BEFORE = midnight(timezone.now() - timedelta(days=90))
LONG_AGO = BEFORE - timedelta(days=3)


def make_item(number: int, **values: Any) -> Quarantine:
    known = {
        "door": "d",
        "reason": "not-json",
        "raw_zstd": compress(b"{}"),
        "size_bytes": 1,
        "digest": b"%d" % number,
        "first_seen_at": LONG_AGO,
        "last_seen_at": LONG_AGO,
    }
    return Quarantine.objects.create(**{**known, **values})


def purge() -> None:
    for _ in QUARANTINE.purge(BEFORE):
        pass


def test_only_items_that_were_settled_long_ago_go() -> None:
    held = make_item(1)
    replaying = make_item(2, state="replaying")
    lately = make_item(3, state="discarded", settled_at=BEFORE)
    make_item(4, state="discarded", settled_at=LONG_AGO)
    make_item(5, state="replayed", settled_at=LONG_AGO)
    announced = QUARANTINE.due(BEFORE)

    purge()

    assert set(Quarantine.objects.all()) == {held, replaying, lately}
    assert announced.rows == 2
    assert QUARANTINE.oldest() == lately.settled_at


def test_a_replayed_item_stays_as_long_as_the_body_of_its_replay() -> None:
    day = LONG_AGO.date()
    partitions.make_days(DELIVERIES, [day])
    item = make_item(1, state="replayed", settled_at=LONG_AGO)
    Delivery.objects.create(
        door="d", body=b"", size_bytes=0, digest=b"", stored_on=day, state="handled", replay_of=item
    )

    purge()
    stayed = Quarantine.objects.exists()
    partitions.drop_days(DELIVERIES, before=day + timedelta(days=1))
    purge()

    assert stayed
    assert not Quarantine.objects.exists()


def test_the_page_of_an_item_outlives_the_body_that_brought_it(client: Any, staff: Any) -> None:
    day = LONG_AGO.date()
    partitions.make_days(DELIVERIES, [day])
    delivery = Delivery.objects.create(
        door="d", body=b"", size_bytes=0, digest=b"", stored_on=day, state="quarantined"
    )
    item = make_item(1, delivery=delivery)
    partitions.drop_days(DELIVERIES, before=day + timedelta(days=1))
    client.force_login(staff)

    pages = [
        client.get(f"/admin/inbox/quarantine/{item.pk}/change/"),
        client.get("/admin/inbox/quarantine/"),
    ]

    assert [page.status_code for page in pages] == [200, 200]
    assert "the delivery has been removed" in pages[0].content.decode()
