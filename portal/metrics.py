"""Figures for Prometheus, read from the database when somebody asks.

So every web process gives the same answer, and nothing is counted in memory. Apps register a
function that yields their figures. Never label by meeting, person or key: the number of label
values must stay small.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import DatabaseError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from portal import health

logger = logging.getLogger(__name__)

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric with its values, one for each set of labels.

    Names are `greenroom_<what>_<unit>`; those of counters (which only ever grow) end in `_total`.
    """

    name: str
    help: str
    values: Iterable[tuple[Labels, float]]
    is_counter: bool = False


_readers: list[Callable[[], Iterable[Figure]]] = []


def register(read: Callable[[], Iterable[Figure]]) -> None:
    if read not in _readers:
        _readers.append(read)


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry)


class _Figures(Collector):
    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        checks = health.results()
        yield _family(_check_figure(checks))
        if not checks[0].ok:
            return  # no database, no figures: absent is better than zero
        for read in _readers:
            try:
                figures = list(read())
            except DatabaseError as error:
                logger.warning("Figures of %s are missing: %s", read.__module__, error)
                continue
            yield from map(_family, figures)


def _check_figure(checks: Iterable[health.Health]) -> Figure:
    return Figure(
        name="greenroom_check_ok",
        help="1 where a readiness check passes, 0 where it fails or cannot be told.",
        values=[({"check": check.name}, 1.0 if check.ok else 0.0) for check in checks],
    )


def _family(figure: Figure) -> CounterMetricFamily | GaugeMetricFamily:
    values = list(figure.values)
    names = list(values[0][0]) if values else []
    kind = CounterMetricFamily if figure.is_counter else GaugeMetricFamily
    family = kind(figure.name, figure.help, labels=names)
    for labels, value in values:
        family.add_metric([labels[name] for name in names], value)
    return family
