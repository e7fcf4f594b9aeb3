"""What one web process acknowledges and stores, beside the ordinary view and the original's logic.

No drain runs meanwhile: a door's answer stands on the archived body, and turning it into facts is
measured in `benchmarks.sustained`. Rounds are interleaved, so that what the machine does besides
befalls all alike.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.bodies import EVENTS
from benchmarks.contenders import (
    BaselineContender,
    Contender,
    OriginalContender,
    PortalContender,
    check_stored,
)
from benchmarks.load import Outcome, send
from benchmarks.plan import Plan
from benchmarks.results import Result, say

_THREADS = (1, 2, 4, 8)
_MOST_WARM_ROUNDS = 12
_ACKNOWLEDGED_TO_BASELINE = 20.0
_ACKNOWLEDGED_TO_ORIGINAL = 3.0


def run(
    portal: PortalContender,
    baseline: BaselineContender,
    originals: Sequence[OriginalContender],
    plan: Plan,
) -> Iterator[Result]:
    original, *further = originals
    everybody: list[Contender] = [portal, baseline, *originals]
    warmed: list[Contender] = [portal, *originals]
    for contender in warmed:
        _warm(contender, plan)

    _choose_threads(baseline, plan)
    measured = _interleaved(everybody, plan.clients, plan.door_rounds, plan)
    yield from _rates(measured, portal, baseline, [original, *further])

    timed: list[Contender] = [portal, original]
    for clients in (1, plan.clients, 64):
        found = measured
        if clients != plan.clients:
            found = _interleaved(timed, clients, plan.other_rounds, plan)
        yield from _latencies(found, clients, portal, original, is_judged=clients == plan.clients)
        if clients == 64:
            rate = _median(found[portal.name], "events_per_second")
            yield Result(f"events acknowledged, one web process, {clients} clients", rate, "1/s")


def _warm(contender: Contender, plan: Plan) -> None:
    """Node compiles what is hot after some thousand requests, however long those take."""
    handled = 0
    for _ in range(_MOST_WARM_ROUNDS):
        order = contender.order(clients=plan.clients, seconds=plan.first_warm_seconds)
        handled += send(order).acknowledged
        if handled >= plan.warm_posts:
            break
    say(f"  {contender.name} is warm: {handled:,} requests")


def _choose_threads(baseline: BaselineContender, plan: Plan) -> None:
    """As many as serve it best here: it must not lose for a wrong setting."""
    rates: dict[int, list[float]] = defaultdict(list)
    for _ in range(plan.probes):
        for threads in _THREADS:
            baseline.threads = threads
            baseline.start()
            order = baseline.order(
                clients=plan.clients, seconds=plan.probe_seconds, warm_seconds=plan.warm_seconds
            )
            rates[threads].append(send(order).events_per_second)
    baseline.threads = max(rates, key=lambda threads: median(rates[threads]))
    baseline.start()
    found = ", ".join(f"{threads}: {median(each):,.0f}/s" for threads, each in rates.items())
    say(f"  baseline by threads: {found}; {baseline.threads} from here on")


class Round:
    """One run of one contender, with what it cost the machine."""

    def __init__(self, outcome: Outcome, processor_seconds: float) -> None:
        if not outcome.posts_per_second:
            raise RuntimeError("Nothing was answered in the span measured. Measure for longer.")
        self.outcome = outcome
        self.events_per_second = outcome.events_per_second
        self.p50, self.p99 = outcome.p50, outcome.p99
        self.generator_us = outcome.generator_us
        self.generator_share = outcome.generator_share
        self.microseconds = processor_seconds / max(1, outcome.events) * 1e6


def one_round(contender: Contender, *, clients: int, seconds: float, warm_seconds: float) -> Round:
    contender.empty()
    spent = contender.processor_seconds()
    outcome = send(contender.order(clients=clients, seconds=seconds, warm_seconds=warm_seconds))
    spent = contender.processor_seconds() - spent
    if isinstance(contender, PortalContender | BaselineContender):
        check_stored(contender, outcome.acknowledged)
    measured = Round(outcome, spent)
    say(
        f"  {contender.name}, {clients} clients: {measured.events_per_second:,.0f} events/s, "
        f"p50 {outcome.p50:.1f}, p99 {outcome.p99:.1f} ms, {measured.microseconds:.1f} µs an "
        f"event; generator {outcome.generator_us:.0f} µs a POST, "
        f"{outcome.generator_share:.0%} of a processor"
    )
    return measured


def _interleaved(
    contenders: Sequence[Contender], clients: int, rounds: int, plan: Plan
) -> dict[str, list[Round]]:
    measured: dict[str, list[Round]] = defaultdict(list)
    for number in range(rounds):
        # Each begins in turn: nobody always runs after the same other.
        turn = number % len(contenders)
        for contender in (*contenders[turn:], *contenders[:turn]):
            measured[contender.name].append(
                one_round(
                    contender,
                    clients=clients,
                    seconds=plan.door_seconds,
                    warm_seconds=plan.warm_seconds,
                )
            )
    return measured


def _rates(
    measured: dict[str, list[Round]],
    portal: PortalContender,
    baseline: BaselineContender,
    originals: Sequence[OriginalContender],
) -> Iterator[Result]:
    rates = {name: _median(rounds, "events_per_second") for name, rounds in measured.items()}
    mine = rates[portal.name]
    yield Result("events acknowledged and stored, one web process", mine, "1/s")
    yield Result("events stored by the baseline, one process", rates[baseline.name], "1/s")
    for original in originals:
        yield Result(f"events handled by the {original.name}", rates[original.name], "1/s")
    yield Result(
        "(1) acknowledged and stored, to the baseline",
        mine / rates[baseline.name], "times", _ACKNOWLEDGED_TO_BASELINE, at_least=True,
    )  # fmt: skip
    yield Result(
        "(3) acknowledged and stored, to the original",
        mine / rates[originals[0].name], "times", _ACKNOWLEDGED_TO_ORIGINAL, at_least=True,
    )  # fmt: skip
    for original in originals[1:]:
        yield Result(
            f"acknowledged and stored, to the {original.name}", mine / rates[original.name], "times"
        )
    for name in (portal.name, baseline.name, originals[0].name):
        spent = _median(measured[name], "microseconds")
        yield Result(f"processor time to acknowledge an event, {name}", spent, "µs")
    for figure, unit in (("generator_us", "µs"), ("generator_share", "of one")):
        value = _median(measured[portal.name], figure)
        what = {"generator_us": "for a POST", "generator_share": "beside the portal"}[figure]
        yield Result(f"load generator's processor time {what}", value, unit)
    sizes = [one.outcome.event_bytes for one in measured[portal.name]]
    yield Result(f"size of an event, {EVENTS} in a POST", median(sizes), "bytes")


def _latencies(
    measured: dict[str, list[Round]],
    clients: int,
    portal: PortalContender,
    original: OriginalContender,
    *,
    is_judged: bool,
) -> Iterator[Result]:
    words = "1 client" if clients == 1 else f"{clients} clients"
    for figure in ("p50", "p99"):
        theirs = _median(measured[original.name], figure)
        mine = _median(measured[portal.name], figure)
        bar = theirs if is_judged and figure == "p99" else None
        mark = "(4) " if bar is not None else ""
        yield Result(f"{mark}door's answer, {words}, {figure}", mine, "ms", bar)
        yield Result(f"original's answer, {words}, {figure}", theirs, "ms")


def _median(rounds: Sequence[Round], figure: str) -> float:
    return float(median(getattr(one, figure) for one in rounds))
