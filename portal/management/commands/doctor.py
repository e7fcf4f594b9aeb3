import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.diagnosis import Finding, Verdict, examine


class Command(BaseCommand):
    help = "Check everything, and say how to mend what is wrong. Exit code 1 if something is."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(examine()) if options["json"] else list(map(self._tell, examine()))
        healthy = all(finding.verdict != Verdict.FAILURE for finding in findings)
        if options["json"]:
            report = {"healthy": healthy, "findings": [one._asdict() for one in findings]}
            self.stdout.write(json.dumps(report, indent=2))
        if not healthy:
            sys.exit(1)

    def _tell(self, finding: Finding) -> Finding:
        style = {
            Verdict.OK: self.style.SUCCESS,
            Verdict.WARNING: self.style.WARNING,
            Verdict.FAILURE: self.style.ERROR,
        }[finding.verdict]
        self.stdout.write(f"{style(f'{finding.verdict:8}')} {finding.name}: {finding.detail}")
        if finding.remedy and finding.verdict != Verdict.OK:
            self.stdout.write(f"{'':8} → {finding.remedy}")
        return finding
