"""`make bench`: portals of its own in a temporary folder, measured beside others, then removed."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import doors, freshness, half_sent, sustained
from benchmarks.bare_loop import Bare
from benchmarks.contenders import BaselineContender, OriginalContender, PortalContender
from benchmarks.plan import QUICK, Plan
from benchmarks.results import Result, say, write
from tests.world.portals import CHECKOUT

PARTS = ("doors", "half-sent", "freshness", "sustained")


def main() -> int:
    options = _options()
    plan = replace(
        QUICK if options.quick else Plan(),
        web_processes=options.web_processes,
        drains=options.drains,
    )
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        for result in measure(Path(folder), plan, options.only):
            say(result.line())
            results.append(result)
    say("")
    for result in results:
        if result.bar is not None:
            say(result.line())
    var = Path(os.environ.get("PORTAL_VAR") or CHECKOUT / "var")
    write(results, options.file or var / "bench.json")
    return 0 if all(result.met is not False for result in results) else 1


def measure(folder: Path, plan: Plan, parts: list[str]) -> Iterator[Result]:
    with ExitStack() as running:
        # Room in the web process for every client of ours; no limit is what is measured here.
        portal = PortalContender(folder, WEB_PROCESSES="1")
        running.callback(portal.stop)
        portal.prepare()
        bare = Bare(folder)
        running.callback(bare.stop)
        if "sustained" in parts:
            portal.portal.stop()  # at rest it can be copied
            bare.copy_of(portal.portal)
            portal.portal.server.ensure_running()
        baseline = BaselineContender(folder)
        running.callback(baseline.stop)

        portal.start_web()
        if "doors" in parts:
            baseline.start()
            say("Doors: one web process each, no drain.")
            with ExitStack() as beside:
                originals = [OriginalContender(folder, sdk=sdk) for sdk in (True, False)]
                for original in originals:
                    beside.callback(original.stop)
                yield from doors.run(portal, baseline, originals, plan)
            portal.empty()
            baseline.end_web()
        if "half-sent" in parts:
            say("Good requests beside half-sent ones.")
            yield from half_sent.run(portal, plan)
            portal.empty()
        portal.start_drains(1)
        if "freshness" in parts:
            say("Freshness at light load.")
            yield from freshness.run(portal, plan)
        if "sustained" in parts:
            portal.start_drains(plan.drains - 1)
            portal.change_web(plan.web_processes)
            baseline.start(plan.baseline_processes)
            say(
                f"Sustained: {plan.web_processes} web, {plan.drains} drain; "
                f"baseline with {plan.baseline_processes} processes; bare loop."
            )
            yield from sustained.run(portal, baseline, bare, plan)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds only: shows that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--web-processes", type=int, default=Plan().web_processes)
    parser.add_argument("--drains", type=int, default=Plan().drains)
    parser.add_argument("--file", type=Path, help="where the figures go; default: var/bench.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
