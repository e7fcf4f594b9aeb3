"""How a benchmark reports: a line for people, and an entry in var/bench.json."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """`value` in `unit`; `bar` is what it must not exceed (or reach, if `at_least`)."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def line(self) -> str:
        words = {None: "", True: "met", False: "NOT MET"}[self.met]
        bar = "" if self.bar is None else f"bar {self.bar:g} {self.unit}"
        return f"{self.name:<62} {self.value:>12,.3f} {self.unit:<7} {bar:<18} {words}".rstrip()


def say(line: str) -> None:
    """Tell how a round went; the results come at the end of a part."""
    print(line, flush=True)  # noqa: T201 - a command line program


def write(results: Iterable[Result], file: Path) -> None:
    rows = [{**asdict(result), "met": result.met} for result in results]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows, indent=1) + "\n")


def percentile(values: Iterable[float], fraction: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(fraction * len(ordered) + 0.5) - 1))]
