"""`make bench-large`: one portal that grows to ten million events, and an empty one beside it."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.contenders import PortalContender, prepare, tell
from benchmarks.plan import QUICK, Plan
from benchmarks.results import Result, say, write
from benchmarks.sustained import stretch
from tests.world.portals import CHECKOUT, Portal

_BARS_MS = {"page": 100.0, "list": 150.0, "attendee": 50.0}
_WORDS = {"page": "page", "list": "list", "attendee": "page"}
_KEPT_OF_EMPTY = 0.9
_BYTES_AN_EVENT = 2_500  # with indexes, bodies and write-ahead log, generously
_FILL_SECONDS = 3_600


def main() -> int:
    options = _options()
    plan = QUICK if options.quick else Plan()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-", dir=options.folder) as folder:
        _want_room(Path(folder), options.days * options.events_a_day)
        for result in measure(Path(folder), plan, options.days, options.events_a_day):
            say(result.line())
            results.append(result)
    var = Path(os.environ.get("PORTAL_VAR") or CHECKOUT / "var")
    write(results, options.file or var / "bench-large.json")
    say("")
    for result in results:
        if result.met is False:
            say(result.line())
    return 0 if all(result.met is not False for result in results) else 1


def measure(folder: Path, plan: Plan, days: int, events_a_day: int) -> Iterator[Result]:
    with ExitStack() as running:
        prepared = Portal(folder / "prepared")
        running.callback(prepared.stop)
        prepare(prepared)
        prepared.stop()
        large = PortalContender(folder)
        running.callback(large.stop)
        large.begin_with(prepared)
        now = datetime.now(UTC)
        filled = 0
        for size in sorted({1, days}):
            say(f"Filling days {filled + 1} to {size} …")
            begun = time.monotonic()
            _inside(large, "fill", str(filled), str(size), str(events_a_day), now.isoformat())
            filled = size
            facts = tell(large.portal.server, "SELECT count(*) FROM meetings_clientevent")[0][0]
            words = f"{facts / 1e6:g} M events"
            say(f"{words} after {time.monotonic() - begun:.0f} s.")
            yield from _pages(large, words, is_judged=size == days)
            yield from _ingest(large, prepared, folder, plan, words, is_judged=size == days)


def _pages(large: PortalContender, words: str, *, is_judged: bool) -> Iterator[Result]:
    figures: dict[str, float] = {}
    for row in json.loads(_inside(large, "pages")):
        bar = _BARS_MS[row["sort"]] if is_judged else None
        name = f"{words}, {_WORDS[row['sort']]}: {row['name']}"
        yield Result(name, row["ms"], "ms", bar)
        if row["name"].startswith("dashboard"):
            for caller, ms in row["figures"].items():
                figure = f"{words}, figure: {row['name'].removeprefix('dashboard, ')}, {caller}"
                figures[figure] = ms
    for name, ms in figures.items():
        yield Result(name, ms, "ms")


def _ingest(
    large: PortalContender,
    prepared: Portal,
    folder: Path,
    plan: Plan,
    words: str,
    *,
    is_judged: bool,
) -> Iterator[Result]:
    """Interleaved with an empty portal, new in each round, so that both meet the same machine."""
    mine, empties = [], []
    _start(large, plan)
    for number in range(plan.sustained_rounds):
        mine.append(_burst(large, plan))
        empty = PortalContender(folder / f"empty-{words[:2].strip()}-{number}")
        try:
            empty.begin_with(prepared)
            _start(empty, plan)
            empties.append(_burst(empty, plan))
        finally:
            empty.stop()
            shutil.rmtree(empty.portal.var)
    large.end_programs()
    yield Result("0 events, ingest until all are facts", median(empties), "1/s")
    yield Result(f"{words}, ingest until all are facts", median(mine), "1/s")
    bar = _KEPT_OF_EMPTY if is_judged else None
    name = f"{words}, ingest, to that of an empty portal"
    yield Result(name, median(mine) / median(empties), "times", bar, at_least=True)


def _start(portal: PortalContender, plan: Plan) -> None:
    portal.start_web()
    portal.start_drains(plan.drains)
    _burst(portal, replace(plan, burst_seconds=plan.burst_seconds / 2))


def _burst(portal: PortalContender, plan: Plan) -> float:
    return stretch(portal, plan.burst_seconds, None, plan).events_per_second


def _inside(portal: PortalContender, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.large.inside", *arguments],
        cwd=CHECKOUT,
        env=portal.portal.env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_FILL_SECONDS,
        check=True,
    )
    return done.stdout


def _want_room(folder: Path, events: int) -> None:
    needed, free = events * _BYTES_AN_EVENT, shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"{folder} has {free / 1e9:.0f} GB free, {needed / 1e9:.0f} GB are needed. "
            'Choose another place with ARGS="--folder DIR".'
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-large", description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--events-a-day", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="short rounds of ingest")
    parser.add_argument("--folder", help="where the database lies meanwhile")
    parser.add_argument("--file", type=Path, help="default: var/bench-large.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
