"""How long and how often things are measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    door_rounds: int = 5
    door_seconds: float = 5.0
    other_rounds: int = 3  # with 1 and with 64 clients
    warm_seconds: float = 1.0
    warm_posts: int = 5_000  # to begin with, in turns of:
    first_warm_seconds: float = 5.0
    probes: int = 2  # of each number of threads of the baseline
    probe_seconds: float = 2.5
    burst_seconds: float = 8.0
    search_seconds: float = 12.0
    sustained_rounds: int = 3
    sustained_seconds: float = 20.0
    baseline_seconds: float = 10.0
    settle_seconds: float = 2.0
    web_processes: int = 1  # of the portal, where the whole machine is given to it
    drains: int = 1
    baseline_processes: int = 2
    clients: int = 16
    freshness_deliveries: int = 100


QUICK = Plan(
    door_rounds=1,
    door_seconds=1.0,
    other_rounds=1,
    warm_seconds=0.3,
    warm_posts=100,
    first_warm_seconds=2.0,
    probes=1,
    probe_seconds=0.5,
    burst_seconds=2.0,
    search_seconds=2.0,
    sustained_rounds=1,
    sustained_seconds=3.0,
    baseline_seconds=2.0,
    settle_seconds=0.5,
    freshness_deliveries=20,
)
