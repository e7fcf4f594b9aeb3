"""What `manage.py doctor` looks at: each finding says what is, and what to do about it."""

import platform
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.checks import Tags, run_checks
from django.db import connection
from django.utils.module_loading import import_string

from portal import aws, health
from portal.figures import size

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRESQL = 14
_DISK_WARNING_SHARE = 0.10
_DISK_FAILURE_SHARE = 0.02
_CLOCK_SECONDS = 2.0


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Everything, one finding after the other."""
    yield python_version()
    yield disk_space()
    yield secret_key()
    yield https()
    yield from deployment_checks()
    yield from aws_identity()
    yield from import_string("portal.inbox.sqs.access.examine")()
    database = health.check_database()
    yield _of(database)
    if database.ok:
        yield database_version()
        yield durability()
        yield clock()
        for check in health.results()[1:]:
            yield _of(check)


def python_version() -> Finding:
    text = f"Python {platform.python_version()}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", Verdict.OK, text)
    return Finding("python", Verdict.FAILURE, text, "Install Python 3.11 or newer.")


def disk_space() -> Finding:
    folder = settings.VAR
    usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
    share = usage.free / usage.total
    detail = f"{size(usage.free)} free under {folder}"
    if share > _DISK_WARNING_SHARE:
        return Finding("disk", Verdict.OK, detail)
    verdict = Verdict.WARNING if share > _DISK_FAILURE_SHARE else Verdict.FAILURE
    return Finding("disk", verdict, detail, "Free some space, or move PORTAL_VAR to a larger disk.")


def secret_key() -> Finding:
    if len(settings.SECRET_KEY) >= 50:
        return Finding("secret key", Verdict.OK, "SECRET_KEY is long enough.")
    return Finding(
        "secret key",
        Verdict.FAILURE,
        "SECRET_KEY is short: whoever guesses it can run code in the worker.",
        "Set SECRET_KEY to 50 random characters or more, or leave it empty to have one made.",
    )


def https() -> Finding:
    if settings.PORTAL_HTTPS:
        return Finding("https", Verdict.OK, "Cookies and redirects ask for https.")
    if set(settings.ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}:
        return Finding("https", Verdict.OK, "Only this machine is served, without https.")
    return Finding(
        "https",
        Verdict.WARNING,
        f"The portal serves {', '.join(settings.ALLOWED_HOSTS)} without https.",
        "Put a proxy with a certificate in front; set PORTAL_HTTPS=True and TRUSTED_PROXIES=1.",
    )


def deployment_checks() -> Iterator[Finding]:
    """Django's own checks of the settings."""
    messages = run_checks(
        tags=[Tags.security] if settings.PORTAL_HTTPS else None,
        include_deployment_checks=settings.PORTAL_HTTPS,
    )
    for message in messages:
        verdict = Verdict.FAILURE if message.is_serious() else Verdict.WARNING
        yield Finding("settings", verdict, f"{message.id}: {message.msg}", str(message.hint or ""))
    if not messages:
        yield Finding("settings", Verdict.OK, "Django's checks find nothing.")


def aws_identity() -> Iterator[Finding]:
    """Who we are for AWS, only where something of AWS is switched on."""
    if not (settings.CLOUDWATCH_LOG_GROUP or settings.INBOX_SQS_URL):
        return
    try:
        identity = aws.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        yield Finding(
            "aws",
            Verdict.FAILURE,
            f"AWS does not know us: {error}",
            "Give the process a role or credentials, and check AWS_REGION.",
        )
    else:
        yield Finding("aws", Verdict.OK, f"{identity['Arn']} in {settings.AWS_REGION}")


def database_version() -> Finding:
    number = _ask("SHOW server_version_num")
    detail = f"PostgreSQL {_ask('SHOW server_version')}"
    if int(number) >= OLDEST_POSTGRESQL * 10_000:
        return Finding("database version", Verdict.OK, detail)
    return Finding(
        "database version",
        Verdict.FAILURE,
        detail,
        f"Upgrade PostgreSQL to version {OLDEST_POSTGRESQL} or newer.",
    )


def durability() -> Finding:
    """What the portal acknowledges must survive a power failure."""
    off = [name for name in ("fsync", "synchronous_commit") if _ask(f"SHOW {name}") == "off"]
    if not off:
        return Finding("durability", Verdict.OK, "fsync and synchronous_commit are on.")
    return Finding(
        "durability",
        Verdict.FAILURE,
        f"{' and '.join(off)} off: events that were acknowledged can be lost.",
        "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off) + "; then reload PostgreSQL.",
    )


def clock() -> Finding:
    before = datetime.now(UTC)
    text = _ask("SELECT extract(epoch FROM clock_timestamp())")
    after = datetime.now(UTC)
    here = before + (after - before) / 2
    difference = abs(float(text) - here.timestamp())
    detail = f"This machine and the database differ by {difference:.1f} s."
    if difference <= _CLOCK_SECONDS:
        return Finding("clock", Verdict.OK, detail)
    return Finding("clock", Verdict.FAILURE, detail, "Run NTP (chrony) on both machines.")


def _ask(question: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def _of(check: health.Health) -> Finding:
    broken = Verdict.FAILURE if check.essential else Verdict.WARNING
    verdict = {True: Verdict.OK, False: broken, None: Verdict.WARNING}[check.ok]
    return Finding(check.name, verdict, check.detail, "" if check.ok else check.remedy)
