"""Each part of the benchmarks runs, for a moment only: no figure is judged here."""

import os
from pathlib import Path

import pytest

from benchmarks import processor_time
from benchmarks.__main__ import PARTS, measure
from benchmarks.plan import Plan
from benchmarks.results import Result

MOMENT = Plan(
    door_rounds=1,
    door_seconds=2.0,
    other_rounds=1,
    warm_seconds=0.1,
    warm_posts=1,
    first_warm_seconds=0.3,
    probes=1,
    probe_seconds=0.3,
    burst_seconds=0.5,
    search_seconds=0.5,
    sustained_rounds=1,
    sustained_seconds=0.5,
    baseline_seconds=2.0,
    settle_seconds=0.1,
    freshness_deliveries=8,
)
NAMED = {
    "doors": ["(1)", "(3)", "(4)"],
    "half-sent": ["p99 of good requests beside 200 half-sent ones"],
    "freshness": ["answer to visible event, p95"],
    "sustained": ["(2)", "(6)"],
}


@pytest.mark.proof
@pytest.mark.parametrize("part", PARTS)
def test_each_part_gives_its_results(part: str, tmp_path: Path) -> None:
    results = list(measure(tmp_path, MOMENT, [part]))

    for beginning in NAMED[part]:
        assert any(result.name.startswith(beginning) for result in results)


def test_a_result_knows_whether_its_bar_is_met() -> None:
    assert Result("ratio", 21.0, "times", 20.0, at_least=True).met is True
    assert Result("latency", 21.0, "ms", 20.0).met is False
    assert Result("figure", 21.0, "1/s").met is None


def test_processor_time_of_a_tree_holds_that_of_the_process_itself() -> None:
    before = processor_time.of_trees(os.getpid())
    sum(number * number for number in range(2_000_000))

    assert processor_time.of_trees(os.getpid()) > before
