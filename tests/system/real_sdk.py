"""The real amazon-chime-sdk-js, bundled with a small application and served to a browser."""

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SDK = "amazon-chime-sdk-js@3.32.0"
BUNDLER = "esbuild@0.28.2"
APP = Path(__file__).parent / "sdk_app"


def build(cache: Path) -> Path:
    """The folder of the application with its bundle. Installed once for each version."""
    sources = b"".join(file.read_bytes() for file in sorted(APP.iterdir()))
    digest = hashlib.sha256(f"{SDK} {BUNDLER}".encode() + sources).hexdigest()[:16]
    folder = cache / digest
    if not (folder / "dist" / "bundle.js").exists():
        draft = cache / f"{digest}.new"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "dist").mkdir(parents=True)
        shutil.copytree(APP, draft / "dist", dirs_exist_ok=True)
        _install_and_bundle(draft)
        shutil.rmtree(draft / "node_modules")
        draft.rename(folder)
    return folder / "dist"


def _install_and_bundle(draft: Path) -> None:
    (draft / "package.json").write_text('{"private": true}')
    options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
    _run(["npm", "install", *options, SDK, BUNDLER], draft)
    bundler = str(draft / "node_modules" / "esbuild" / "bin" / "esbuild")
    command = [bundler, "dist/app.js", "--bundle", "--format=iife", "--outfile=dist/bundle.js"]
    _run(["node", *command, "--log-level=error", "--define:global=window"], draft)


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise RuntimeError(f"{command[0]} is missing. Install it: apt-get install nodejs npm")
    done = subprocess.run(  # noqa: S603 - fixed commands
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The application's own origin, which is not the portal's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
