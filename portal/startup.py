"""What must be done before the portal's processes can run, each step harmless when repeated."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.utils.module_loading import import_string

from portal import VERSION
from portal.database.embedded import EmbeddedServer
from portal.retention.purging import make_days

FIRST_KEY_QUOTA = 60_000


def start_embedded_database() -> EmbeddedServer | None:
    """The embedded server, running; None where DATABASE_URL names another one."""
    if settings.DATABASE_URL:
        return None
    server: EmbeddedServer = import_string("portal.database.backend.base.embedded_server")()
    server.ensure_running()
    return server


def prepare_database() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    import_string("portal.polling.schedules.sync_schedules")()
    # Before the doors open: what comes first would else have to be moved into its day.
    make_days()


def collect_static_files() -> bool:
    """Collect and compress static files, unless they are the same as last time."""
    stamp = settings.VAR / "static.stamp"
    state = hashlib.sha256(json.dumps(list(_static_files())).encode()).hexdigest()
    if settings.STATIC_ROOT.exists() and stamp.exists() and stamp.read_text() == state:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(state)
    return True


def _static_files() -> Iterator[tuple[str, int, int]]:
    yield VERSION, 0, 0
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = os.stat(storage.path(name))
            yield name, found.st_size, found.st_mtime_ns


def make_first_administrator() -> str | None:
    """The password of the user `admin` if there was nobody yet."""
    password: str | None = import_string("portal.access.services.create_first_administrator")()
    return password


def make_first_ingest_key() -> str | None:
    """A key for clients to send events with, if there was no key at all.

    It soon stands in public pages, so it has a quota: more than the portal can take for long,
    and still an end to what one key can fill the disk with.
    """
    if apps.get_model("access", "ApiKey").objects.exists():
        return None
    create_key = import_string("portal.access.services.create_key")
    _, text = create_key(
        kind="ingest",
        name="First key",
        scopes=["ingest"],
        quota_per_minute=FIRST_KEY_QUOTA,
    )
    return str(text)


def write_ready_file(file: Path, url: str) -> None:
    """Write it in one go: who waits for it must never read half of it."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    draft.replace(file)
