"""`make setup`: .venv with hash-checked dependencies, and Debian packages where we may.

Uses the standard library alone, because it runs before anything is installed. Quick when nothing
has changed: a stamp in .venv remembers what was installed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed"
LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-dev.lock"]
# program -> Debian package
RUN_PROGRAMS: dict[str, str] = {}
TEST_PROGRAMS = {"chromium": "chromium", "node": "nodejs", "npm": "npm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - anybody may start this with any Python
        sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …")
    make_environment()
    install_programs(RUN_PROGRAMS, required=False)
    if arguments.test:
        install_programs(TEST_PROGRAMS, required=True)


def make_environment() -> None:
    state = hashlib.sha256(sys.version.encode())
    for lock in LOCKS:
        state.update(lock.read_bytes())
    digest = state.hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest and (VENV / "bin" / "python").exists():
        return
    if not (VENV / "bin" / "pip").exists():
        say("Making .venv")
        try:
            venv.create(VENV, with_pip=True, clear=VENV.exists())
        except subprocess.CalledProcessError:
            # Debian keeps pip's wheel, which the module venv needs, in a package of its own.
            install_packages([f"python3.{sys.version_info.minor}-venv"])
            venv.create(VENV, with_pip=True, clear=True)
    say("Installing dependencies (hash-checked)")
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    for lock in LOCKS:
        command += ["--requirement", str(lock)]
    run(command)
    STAMP.write_text(digest)


def install_programs(programs: dict[str, str], *, required: bool) -> None:
    missing = [package for name, package in programs.items() if shutil.which(name) is None]
    if not missing:
        return
    if may_install():
        install_packages(missing)
        return
    message = f"Not installed: {', '.join(missing)}. As root: apt-get install {' '.join(missing)}"
    if required:
        sys.exit(message)
    say(message)


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str]) -> None:
    if not may_install():
        sys.exit(f"These Debian packages are needed: {' '.join(packages)}. Install them as root.")
    say(f"Installing Debian packages: {' '.join(packages)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "--quiet=2"], quiet)
    run(["apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *packages], quiet)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, check=False, env=environment)  # noqa: S603 - our own commands
    if done.returncode != 0:
        sys.exit(f"Failed: {' '.join(command)}")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is what the script is for


if __name__ == "__main__":
    main()
