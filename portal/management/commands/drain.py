from typing import Any

from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from portal.supervision import stop_on_signals


class Command(BaseCommand):
    help = "Turn waiting deliveries into facts. Any number of drains may run, on any host."

    def handle(self, *args: Any, **options: Any) -> None:
        import_string("portal.inbox.drain.run")(stop_on_signals())
