"""The real amazon-chime-sdk-js, bundled with a small application and served to a browser."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

APP = Path(__file__).parent / "sdk_app"
LOCK = json.loads((APP / "package-lock.json").read_text())
SDK_VERSION: str = LOCK["packages"]["node_modules/amazon-chime-sdk-js"]["version"]


def build(folder: Path, downloads: Path) -> Path:
    """Install what package-lock.json says into the folder, bundle it, and say where it lies.

    npm keeps what it has downloaded, so that the next install needs no network.
    """
    app = folder / "app"
    shutil.copytree(APP, app)
    options = ["--cache", str(downloads), "--prefer-offline", "--ignore-scripts"]
    _run(["npm", "ci", *options, "--no-audit", "--no-fund"], app)
    bundler = str(app / "node_modules" / "esbuild" / "bin" / "esbuild")
    command = [bundler, "app.js", "--bundle", "--format=iife", "--outfile=dist/bundle.js"]
    _run(["node", *command, "--log-level=error", "--define:global=window"], app)
    shutil.copy(app / "index.html", app / "dist")
    return app / "dist"


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
