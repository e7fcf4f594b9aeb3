import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.retention import Amount, DataClass, registered
from portal.retention.amounts import day_in_words, days_in_words
from portal.retention.purging import make_days, purge


class Command(BaseCommand):
    help = "Delete what is due by the settings RETENTION_*, as the worker does in turns each hour."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what is due, delete nothing"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *_: Any, **options: Any) -> None:
        is_dry: bool = options["dry_run"]
        made = 0 if is_dry else make_days()
        gone = _due() if is_dry else self._purge()
        rows = [_row(one, gone.get(one.name, Amount()), is_dry=is_dry) for one in registered()]
        if options["json"]:
            report = {"dry_run": is_dry, "days_made": made, "classes": rows}
            self.stdout.write(json.dumps(report, indent=2))
            return
        width = max((len(one.label) for one in registered()), default=0)
        for one, row in zip(registered(), rows, strict=True):
            what = _sentence(one, gone.get(one.name, Amount()), is_dry=is_dry)
            self.stdout.write(f"{one.label:{width}}  {what}".replace("\u00a0", " "))
            for text in row["stays"]:
                self.stdout.write(
                    self.style.WARNING(f"{'':{width}}  {text}".replace("\u00a0", " "))
                )
        if made:
            self.stdout.write(f"{made} days made ahead.")

    def _purge(self) -> dict[str, Amount]:
        done = purge(tell=self._tell if self.stderr.isatty() else None)
        if self.stderr.isatty():
            self.stderr.write("\r\x1b[K", ending="")
        return {one.one.name: one.gone for one in done}

    def _tell(self, one: DataClass, gone: Amount) -> None:
        """One line that changes in place."""
        self.stderr.write(f"\r\x1b[K{one.label}: {gone} deleted", ending="")


def _due() -> dict[str, Amount]:
    return {
        one.name: one.due(before) for one in registered() if (before := one.cutoff()) is not None
    }


def _row(one: DataClass, amount: Amount, *, is_dry: bool) -> dict[str, Any]:
    before = one.cutoff()
    return {
        "name": one.name,
        "label": one.label,
        "setting": one.setting or None,
        "kept_days": one.days or None,
        "before": before.date().isoformat() if before else None,
        "due" if is_dry else "deleted": {
            "days": [day.isoformat() for day in amount.days],
            "rows": amount.rows,
            "size_bytes": amount.size_bytes,
        },
        "stays": [text.replace("\u00a0", " ") for text in one.obstacles(before)] if before else [],
    }


def _sentence(one: DataClass, amount: Amount, *, is_dry: bool) -> str:
    before = one.cutoff()
    if before is None:
        return "kept for ever"
    kept = f"kept for {one.days} days (from {day_in_words(before.date())})"
    if not amount:
        return f"{kept}: nothing is due"
    days = f" ({days_in_words(amount.days)})" if amount.days else ""
    return f"{kept}: {amount}{days} {'would go' if is_dry else 'deleted'}"
