from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from portal.supervision import stop_on_signals


class Command(BaseCommand):
    help = "Run background jobs. One host is enough; several share the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--cluster", action="store_true", help="run the job cluster itself, unsupervised"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"]:
            import_string("portal.polling.cluster.inherit_death")()
            call_command("qcluster")
            return
        stop = stop_on_signals()
        import_string("portal.polling.schedules.sync_schedules")()
        import_string("portal.polling.cluster.run")(stop)
