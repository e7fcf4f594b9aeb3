"""What the whole portal takes for good: doors, drains, folds and roll-ups, the machine to itself.

A rate counts as sustained if the oldest delivery has waited less than five seconds when the load
ends; and what is counted is all events over the time until the last of them is a fact with its
roll-up, so that a backlog is no gain.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from benchmarks import bare_loop
from benchmarks.bodies import EVENTS
from benchmarks.contenders import BaselineContender, PortalContender, tell
from benchmarks.doors import Round, one_round
from benchmarks.load import send
from benchmarks.plan import Plan
from benchmarks.results import Result, say

_TO_BASELINE = 10.0
_TO_BARE_LOOP = 0.3
_PROCESSOR_TO_BASELINE = 0.1
_MOST_LAG_SECONDS = 5.0
_MOST_STEPS = 5
_CLIENTS = 32  # enough that none is busy when the next POST is due


@dataclass(frozen=True, slots=True)
class Stretch:
    """A load at one pace, and what came of it."""

    events: int
    seconds: float  # until the last event was a fact
    lag_seconds: float  # of the oldest delivery when the load ended
    microseconds: float  # of processor time an event: web, drains and PostgreSQL

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def is_sustained(self) -> bool:
        return self.lag_seconds < _MOST_LAG_SECONDS


def run(
    portal: PortalContender,
    baseline: BaselineContender,
    bare: bare_loop.Bare,
    plan: Plan,
) -> Iterator[Result]:
    stretch(portal, plan.burst_seconds / 2, None, plan)  # caches and connections warm up
    pace = _pace(portal, plan)
    mine: list[Stretch] = []
    theirs: list[Round] = []
    bares: list[float] = []
    for _ in range(plan.sustained_rounds):
        mine.append(stretch(portal, plan.sustained_seconds, pace, plan))
        theirs.append(
            one_round(
                baseline,
                clients=plan.clients,
                seconds=plan.baseline_seconds,
                warm_seconds=plan.warm_seconds,
            )
        )
        bares.append(bare.events_per_second(plan.baseline_seconds))
        say(f"  bare loop: {bares[-1]:,.0f} events/s")
    yield from _results(mine, theirs, bares, plan)


def _pace(portal: PortalContender, plan: Plan) -> float:
    """Events/s that the portal keeps up with: looked for upwards from what a burst shows."""
    pace = stretch(portal, plan.burst_seconds, None, plan).events_per_second
    best = 0.0
    for _ in range(_MOST_STEPS):
        found = stretch(portal, plan.search_seconds, pace, plan)
        if not found.is_sustained:
            if best:
                break
            pace *= 0.8
            continue
        best = pace
        if found.events_per_second < 0.9 * pace:
            break  # it holds, but no more than that
        pace *= 1.15
    return best or pace


def stretch(
    portal: PortalContender, seconds: float, events_per_second: float | None, plan: Plan
) -> Stretch:
    order = replace(
        portal.order(clients=_CLIENTS, seconds=seconds),
        per_second=events_per_second and events_per_second / EVENTS,
    )
    facts = _facts(portal)
    spent = portal.processor_seconds()
    outcome = send(order)
    ended = time.monotonic()
    lag = portal.lag_seconds()
    portal.wait_until_drained(seconds=300)
    drained = seconds + time.monotonic() - ended
    time.sleep(plan.settle_seconds)  # what tidies up after the drain belongs to the cost
    spent = portal.processor_seconds() - spent
    if (new := _facts(portal) - facts) != outcome.events:
        raise RuntimeError(f"{outcome.events} events were acknowledged, {new} became facts.")
    found = Stretch(outcome.events, drained, lag, spent / max(1, outcome.events) * 1e6)
    pace = "as fast as it goes" if events_per_second is None else f"{events_per_second:,.0f}/s"
    say(
        f"  portal, {pace}: {found.events_per_second:,.0f} events/s until all were facts, "
        f"lag {lag:.1f} s, {found.microseconds:.1f} µs an event; "
        f"generator {outcome.generator_share:.0%} of a processor"
    )
    return found


def _facts(portal: PortalContender) -> int:
    count: int = tell(portal.portal.server, "SELECT count(*) FROM meetings_clientevent")[0][0]
    return count


def _results(
    mine: list[Stretch], theirs: list[Round], bares: list[float], plan: Plan
) -> Iterator[Result]:
    sustained = median(one.events_per_second for one in mine)
    baseline = median(one.events_per_second for one in theirs)
    bare = median(bares)
    spent = median(one.microseconds for one in mine)
    spent_by_baseline = median(one.microseconds for one in theirs)
    yield Result("sustained events with folds and roll-ups", sustained, "1/s")
    yield Result(
        "lag of the oldest delivery at the end",
        median(one.lag_seconds for one in mine), "s", _MOST_LAG_SECONDS,
    )  # fmt: skip
    words = f"{plan.baseline_processes} processes"
    yield Result(f"events stored by the baseline, {words}", baseline, "1/s")
    yield Result("events written by the bare loop", bare, "1/s")
    yield Result(
        "(2) sustained, to the baseline", sustained / baseline, "times", _TO_BASELINE, at_least=True
    )
    yield Result(
        "(2) sustained, to the bare loop", sustained / bare, "times", _TO_BARE_LOOP, at_least=True
    )
    yield Result("processor time of an event, door to roll-up", spent, "µs")
    yield Result("processor time of an event, baseline", spent_by_baseline, "µs")
    yield Result(
        "(6) processor time of an event, to the baseline",
        spent / spent_by_baseline, "times", _PROCESSOR_TO_BASELINE,
    )  # fmt: skip
