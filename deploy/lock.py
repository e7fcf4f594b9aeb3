"""`make lock`: write requirements.lock and requirements-dev.lock, with hashes, from pyproject.toml.

The development lock holds only what the other has not, so that both can be installed together.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "pyproject.toml"
RUN_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"


def main() -> None:
    everything = compile_lock("--extra", "dev")
    # The versions that suit development are those that run, so that tests test what runs.
    RUN_LOCK.write_text(everything)
    runtime = compile_lock("--constraint", str(RUN_LOCK))
    RUN_LOCK.write_text(runtime)
    known = set(blocks(runtime))
    rest = {name: text for name, text in blocks(everything).items() if name not in known}
    DEV_LOCK.write_text("".join(rest.values()))


def compile_lock(*options: str) -> str:
    command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", PROJECT, *options]
    command += ["--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout


def blocks(lock: str) -> dict[str, str]:
    """Requirement with its hashes, by name."""
    found = re.findall(r"^(?:([a-z0-9._-]+)\S*==.*\n(?:    .*\n)*)", lock, re.MULTILINE)
    texts = re.findall(r"^[a-z0-9._-]+\S*==.*\n(?:    .*\n)*", lock, re.MULTILINE)
    return dict(zip(found, texts, strict=True))


if __name__ == "__main__":
    main()
