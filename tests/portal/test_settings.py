import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import VERSION
from portal.env import Env
from portal.settings import _database_from_url

ROOT = Path(__file__).resolve().parents[2]
READ = re.compile(r"env\.(text|flag|number|fraction|words|path|choice)\(\s*\"([A-Z_]+)\"")


def names_in_settings() -> set[str]:
    return {name for _, name in READ.findall((ROOT / "portal" / "settings.py").read_text())}


def names_in_documentation() -> list[str]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    return re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)


def test_every_setting_is_documented_once() -> None:
    documented = names_in_documentation()

    assert set(documented) == names_in_settings()
    assert len(documented) == len(set(documented))


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        file.relative_to(ROOT)
        for folder in ("portal", "meetings")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.(environ|getenv)", file.read_text())
    ]

    # wsgi.py names the settings module, which is where the reading begins.
    assert sorted(map(str, readers)) == ["portal/settings.py", "portal/wsgi.py"]


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


@pytest.mark.parametrize(
    ("method", "value"),
    [("flag", "yes"), ("flag", "1"), ("number", "ten"), ("number", "-1"), ("fraction", "1.2")],
)
def test_a_value_that_cannot_be_read_stops_the_start(method: str, value: str) -> None:
    env = Env({"NAME": value})
    arguments = {"flag": (), "number": (3,), "fraction": (0.5,)}[method]

    with pytest.raises(ImproperlyConfigured, match="NAME must"):
        getattr(env, method)("NAME", *arguments)


@pytest.mark.parametrize("value", ["-1", "36501", "30 days", "0.5"])
def test_days_that_make_no_sense_stop_the_start(value: str) -> None:
    env = Env({"RETENTION_BODIES_DAYS": value})

    with pytest.raises(ImproperlyConfigured, match="RETENTION_BODIES_DAYS must be"):
        env.number("RETENTION_BODIES_DAYS", 30, maximum=36_500)


def test_lock_files_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()

        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|file:|--index|--find-links|/work|/root|/home", text)


@pytest.mark.parametrize("words", [["--var", "{}"], ["--var={}"]])
def test_every_command_can_be_told_where_things_lie(tmp_path: Path, words: list[str]) -> None:
    code = "from django.conf import settings; print(settings.VAR)"
    option = [word.format(tmp_path) for word in words]

    done = subprocess.run(  # noqa: S603 - our own command line
        [
            sys.executable,
            ROOT / "manage.py",
            "shell",
            *option,
            "--verbosity",
            "0",
            "--command",
            code,
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(tmp_path)


def test_what_the_database_url_demands_of_the_connection_is_in_force() -> None:
    found = _database_from_url("postgresql://me:p%40ss@db.example:6432/portal?sslmode=verify-full")

    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 6432, "portal")
    assert found["PASSWORD"] == "p@ss"
    assert found["OPTIONS"]["sslmode"] == "verify-full"


def test_a_database_host_that_vanishes_is_noticed_within_seconds() -> None:
    found = _database_from_url("postgresql://db.example/portal?keepalives_count=5")["OPTIONS"]

    silence = found["keepalives_idle"] + found["keepalives_interval"] * 3
    assert max(found["connect_timeout"], silence, found["tcp_user_timeout"] / 1000) < 15
    assert found["keepalives_count"] == "5"  # what the URL says goes first


SQS = {
    "INBOX": "sqs",
    "INBOX_SQS_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/inbox",
    "INBOX_S3_BUCKET": "bucket",
    "AWS_REGION": "eu-central-1",
}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"INBOX": "kafka"}, "INBOX must be database or sqs"),
        ({"INBOX_SQS_URL": ""}, "needs INBOX_SQS_URL as well"),
        ({"INBOX_S3_BUCKET": ""}, "needs INBOX_S3_BUCKET as well"),
        ({"INBOX": "database", "INBOX_S3_BUCKET": ""}, "needs INBOX_S3_BUCKET as well"),
        ({"INBOX_SQS_URL": "inbox"}, "is not the URL of an SQS queue"),
        ({"INBOX_SQS_URL": f"{SQS['INBOX_SQS_URL']}.fifo"}, "needs a standard queue"),
        ({"AWS_REGION": "us-east-1"}, "does not lie in AWS_REGION, which is us-east-1"),
        ({"INBOX_SQS_DEAD_LETTER_URL": SQS["INBOX_SQS_URL"]}, "must be another queue"),
        ({"INBOX_SQS_MAX_BYTES": "2000000"}, "must be at most 1048576"),
        ({}, ""),
    ],
)
def test_half_an_inbox_on_sqs_stops_the_start(wrong: dict[str, str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        env={**os.environ, **SQS, **wrong},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode == 0) == (not words)
    assert words in done.stderr
