"""`python -m benchmarks.baseline.serve PORT PROCESSES THREADS`: makes the table, serves the view.

By waitress, which answered for the portal before: with 9 ms of work in each request the server
makes no difference that could be measured (granian: the same). The number of threads does; the
benchmark tries several and takes the best.
"""

import os
import socket
import sys

import django
import waitress
from django.core.wsgi import get_wsgi_application


def main(port: int, processes: int, threads: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.baseline.settings"
    django.setup()
    _make_table()
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    application = get_wsgi_application()
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    waitress.serve(application, sockets=[listener], threads=threads, ident=None)


def _make_table() -> None:
    from django.db import connection

    from benchmarks.baseline.models import ClientEvent

    if ClientEvent._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(ClientEvent)
    connection.close()  # processes are forked from here


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
