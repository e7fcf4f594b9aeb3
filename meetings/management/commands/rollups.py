"""`manage.py rollups rebuild`: count anew what the dashboard shows."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from meetings.rollups.rebuilding import rebuild
from portal.timerange import read_moment


class Command(BaseCommand):
    help = (
        "Count the roll-ups of client events anew from the facts. Drains and pages may go on: "
        "figures stay right all the time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["rebuild"])
        parser.add_argument(
            "--from", dest="start", help="the first moment, such as 2026-01-31T14:30"
        )
        parser.add_argument("--to", dest="end", help="up to this moment")
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, **options: Any) -> None:
        start, end = _moment(options["start"]), _moment(options["end"])
        if start and end and start >= end:
            raise CommandError("--from must be before --to.")
        shows = self.stdout.isatty() and not options["json"]
        count = rebuild(start, end, told=self._tell if shows else None)
        if options["json"]:
            self.stdout.write(json.dumps({"buckets": count}))
        else:
            self.stdout.write(f"Counted {count:,} buckets of 5 minutes anew.")

    def _tell(self, done: datetime, last: datetime) -> None:
        self.stdout.write(f"\r{done:%Y-%m-%d %H:%M} of {last:%Y-%m-%d %H:%M}", ending="")
        self.stdout.write("\r", ending="")
        self.stdout.flush()


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return read_moment(text)
    except ValueError as error:
        raise CommandError(str(error)) from error
