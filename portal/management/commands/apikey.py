"""Make, list and revoke API keys on the command line."""

import json
from argparse import ArgumentParser
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from portal.access.models import ApiKey, KeyKind
from portal.access.services import create_key, revoke_key
from portal.errors import OperationError


class Command(BaseCommand):
    requires_system_checks = []
    help = "Make, list and revoke API keys. `create` prints the new key, and only it, on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="verb", required=True)
        create = commands.add_parser("create", help="make a key and print it")
        create.add_argument("--kind", choices=KeyKind.values, required=True)
        create.add_argument("--name", required=True, help="what uses it")
        create.add_argument(
            "--scopes", nargs="+", default=[], help="separated by blanks or commas; ingest: ingest"
        )
        create.add_argument("--origins", nargs="+", default=[], help="https://app.example.com …")
        create.add_argument("--quota", type=int, help="requests a minute; without it no limit")
        create.add_argument("--expires", help="2027-01-31 (end of that day) or an ISO 8601 moment")
        listing = commands.add_parser("list", help="show all keys, without the keys themselves")
        listing.add_argument("--json", action="store_true")
        revoke = commands.add_parser("revoke", help="end a key for good")
        revoke.add_argument("prefix", help="what the key begins with, as `list` shows it")

    def handle(self, *_: Any, **options: Any) -> None:
        verbs = {"create": self._create, "list": self._list, "revoke": self._revoke}
        try:
            verbs[options["verb"]](options)
        except OperationError as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        scopes = _words(options["scopes"])
        if options["kind"] == KeyKind.INGEST and not scopes:
            scopes = ["ingest"]
        _, text = create_key(
            kind=options["kind"],
            name=options["name"],
            scopes=scopes,
            origins=_words(options["origins"]),
            quota_per_minute=options["quota"],
            expires_at=_moment(options["expires"]),
        )
        self.stdout.write(text)

    def _list(self, options: dict[str, Any]) -> None:
        rows = [_row(key) for key in ApiKey.objects.select_related("created_by")]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        if not rows:
            self.stdout.write("There are no keys. Make one with `apikey create`.")
        for row in rows:
            self.stdout.write(
                f"{row['prefix']}  {row['kind']:7} {row['state']:8} "
                f"last used {row['last_used_at'] or 'never':32} {row['name']}"
            )

    def _revoke(self, options: dict[str, Any]) -> None:
        prefix = options["prefix"].rstrip("…")
        keys = list(ApiKey.objects.filter(prefix__startswith=prefix[:12])[:2])
        if len(keys) != 1:
            problem = "Several keys begin" if keys else "No key begins"
            raise CommandError(f"{problem} with {prefix}. Look it up with `apikey list`.")
        revoke_key(keys[0], actor=None)
        self.stderr.write(f"Revoked {keys[0]}.")


def _words(values: list[str]) -> list[str]:
    return [word for value in values for word in value.split(",") if word]


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        day, moment = parse_date(text), parse_datetime(text)
    except ValueError:
        day = moment = None
    if day:
        moment = datetime.combine(day, time.max)
    if moment is None:
        raise CommandError(f"--expires {text!r} is not a date. Write it like 2027-01-31.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _row(key: ApiKey) -> dict[str, Any]:
    def iso(moment: datetime | None) -> str | None:
        return moment.isoformat() if moment else None

    return {
        "prefix": key.prefix,
        "name": key.name,
        "kind": key.kind,
        "scopes": key.scopes,
        "origins": key.origins,
        "quota_per_minute": key.quota_per_minute,
        "state": key.state,
        "last_used_at": iso(key.last_used_at),
        "expires_at": iso(key.expires_at),
        "revoked_at": iso(key.revoked_at),
        "created_at": iso(key.created_at),
        "created_by": key.created_by.get_username() if key.created_by else None,
    }
