"""`make bench`: a portal of its own in a temporary folder, measured, then removed."""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import freshness, throughput
from benchmarks.results import Result, write
from tests.world.portals import CHECKOUT, Portal


def main() -> int:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        portal = Portal(Path(folder), WEB_PROCESSES="1")
        portal.prepare()
        try:
            portal.start_web()
            portal.start_drain()
            ingest = portal.ingest_key()
            secret = portal.manage(
                "apikey", "create", "--kind", "secret", "--scopes", "meetings:read",
                "--name", "bench",
            )  # fmt: skip
            for result in [*freshness.run(portal, ingest, secret), *throughput.run(portal, ingest)]:
                print(result.line(), flush=True)  # noqa: T201 - a command line program
                results.append(result)
        finally:
            portal.stop()
    write(results, Path(os.environ.get("PORTAL_VAR") or CHECKOUT / "var") / "bench.json")
    return 0 if all(result.met is not False for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
