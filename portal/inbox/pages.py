"""The doors page: where clients send to, with which keys, and how much comes."""

import json
import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.access.models import ApiKey, KeyKind
from portal.admin import render_page
from portal.inbox import wording
from portal.inbox.models import Delivery
from portal.inbox.paths import door_paths
from portal.pieces import Column, Row, Table
from portal.schema import DOORS, EXAMPLE_MS

_RATE_PERIOD = timedelta(hours=1)
_MOST_KEYS = 200


@dataclass(frozen=True, slots=True)
class DoorCard:
    name: str
    label: str
    summary: str
    description: str
    urls: list[str]
    curl: str


def doors_page(request: HttpRequest) -> HttpResponse:
    return render_page(
        request,
        "inbox/doors.html",
        title="Doors",
        doors=cards(request.build_absolute_uri("/").rstrip("/")),
        table=keys_table(),
        may_manage=request.user.has_perm("access.manage_keys"),
    )


def cards(base: str) -> list[DoorCard]:
    paths: dict[str, list[str]] = {}
    for door, path in door_paths():
        paths.setdefault(door, []).append(path)
    return [_card(door, found, base) for door, found in paths.items()]


def _card(door: str, paths: list[str], base: str) -> DoorCard:
    about = DOORS.get(door)
    keyed: list[str] = []
    anonymous: list[str] = []
    for path in paths:
        (keyed if "<str:key>" in path else anonymous).append(
            f"{base}/{path}".replace("<str:key>", "KEY")
        )
    urls = keyed + (anonymous if settings.INGEST_ANONYMOUS else [])
    now_ms = int(timezone.now().timestamp() * 1000)  # an old moment would be flagged as a bad clock
    body = json.dumps(about.example if about else {}).replace(str(EXAMPLE_MS), str(now_ms))
    return DoorCard(
        name=door,
        label=wording.door(door),
        summary=about.summary if about else door,
        description=about.description.replace("`", "") if about else "",
        urls=urls,
        curl=f"curl -X POST {urls[0]} -H 'Content-Type: application/json' -d {shlex.quote(body)}",
    )


def keys_table() -> Table:
    """Ingest keys that can be used, and what came with each in the last hour."""
    recent: dict[tuple[int | None, str], Any] = {
        (row["key"], row["door"]): row
        for row in Delivery.objects.filter(
            received_at__gte=timezone.now() - _RATE_PERIOD, replay_of__isnull=True
        )
        .values("key", "door")
        .annotate(number=Count("pk"), size=Sum("size_bytes"), last=Max("received_at"))
    }
    keys = list(ApiKey.objects.usable().filter(kind=KeyKind.INGEST)[:_MOST_KEYS])
    rows = []
    for key in keys:
        found = [(door, row) for (pk, door), row in recent.items() if pk == key.pk]
        rows += [_key_row(key, door, row) for door, row in found] or [_key_row(key)]
    rows += [_key_row(None, door, row) for (pk, door), row in recent.items() if pk is None]
    columns = [
        Column("Key"),
        Column("Begins with"),
        Column("Door"),
        Column("Last delivery", "time"),
        Column("In the last hour", "number"),
        Column("A minute", "number"),
        Column("Bytes in the last hour", "number", "bytes"),
    ]
    return Table("Ingest keys and what they send", columns, rows)


def _key_row(key: ApiKey | None, door: str = "", row: dict[str, Any] | None = None) -> Row:
    number = row["number"] if row else 0
    return Row(
        [
            key.name if key else "Without a key",
            f"{key.prefix}…" if key else "",
            wording.door(door) if door else "",
            row["last"] if row else (key.last_used_at if key else None),
            number,
            round(number / (_RATE_PERIOD / timedelta(minutes=1)), 1),
            row["size"] if row else 0,
        ]
    )
