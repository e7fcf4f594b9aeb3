"""Processor time of trees of processes, from /proc: what a noisy machine blurs least."""

import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def of_trees(*roots: int) -> float:
    """Seconds used so far by these processes and all below them, those that have ended included."""
    parents: dict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            line = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        # The name in brackets may hold anything: what counts stands behind the last one.
        fields = line.rpartition(")")[2].split()
        pid = int(folder.name)
        parents[int(fields[1])].append(pid)
        # Own user and system time, and that of children who have ended.
        ticks[pid] = sum(map(int, fields[11:15]))
    total, waiting = 0, list(roots)
    while waiting:
        pid = waiting.pop()
        total += ticks.get(pid, 0)
        waiting += parents[pid]
    return total / _TICKS
