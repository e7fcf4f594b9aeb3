"""Django's PostgreSQL backend, which starts the embedded server when it is first needed."""

from functools import cache
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from django.utils.asyncio import async_unsafe

from portal.database.embedded import EmbeddedServer
from portal.errors import OperationError


@cache
def embedded_server() -> EmbeddedServer:
    """The one server of this process."""
    return EmbeddedServer(settings.VAR / "postgres")


class DatabaseWrapper(base.DatabaseWrapper):
    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server = embedded_server()
        if not server.is_used:
            _start(server)
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            if server.is_alive():
                raise
            _start(server)  # somebody has killed it
            return super().get_new_connection(conn_params)


def _start(server: EmbeddedServer) -> None:
    """Start it, or fail as a connection does: callers are prepared for that."""
    try:
        server.ensure_running()
    except OperationError as error:
        raise psycopg.OperationalError(str(error)) from error
