import gc
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from portal import web
from portal.supervision import Program, Supervisor, stop_on_signals


class Command(BaseCommand):
    help = "Serve the admin, the API and the doors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any")
        parser.add_argument("--var", help="folder for everything kept on disk")
        parser.add_argument("--processes", type=int, default=settings.WEB_PROCESSES)
        parser.add_argument("--listener", type=int, help="number of an inherited, bound socket")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = stop_on_signals()
        listener = _listener(options)
        with listener:
            if options["processes"] == 1:
                from portal.wsgi import application

                make_lane = import_string("portal.inbox.lane.Lane")
                gc.collect()
                gc.freeze()  # what is here by now stays: not to be looked through again
                web.serve(
                    application,
                    listener,
                    threads=settings.WEB_THREADS,
                    stop=stop,
                    make_lane=make_lane,
                )
                return
            number = listener.fileno()
            arguments = ("web", "--processes", "1", "--listener", str(number))
            programs = [
                Program(f"web process {position + 1}", arguments, (number,), own_group=False)
                for position in range(options["processes"])
            ]
            Supervisor(programs, stop_seconds=10.0).run(stop)


def _listener(options: dict[str, Any]) -> socket.socket:
    if options["listener"] is not None:
        return socket.socket(fileno=options["listener"])
    try:
        return web.bind(options["host"], options["port"])
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {options['host']}:{options['port']}: {error.strerror}. "
            "Choose another one with --host and --port."
        ) from error
