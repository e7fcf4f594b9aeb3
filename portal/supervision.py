"""A tree of processes that live and die together.

A program in its own session is not reached by Ctrl-C: the supervisor tells it. When the supervisor
dies, the kernel tells it. A program that ends unasked is started again, later each time.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 30.0
_LOOK_SECONDS = 0.2


def stop_on_signals() -> threading.Event:
    """An event which SIGTERM and SIGINT set. Only for the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Ask the kernel for a signal when the parent process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), number)


@dataclass(frozen=True, slots=True)
class Program:
    """A management command to be kept running.

    One that starts further processes gets a process group of its own, to be killed as a whole.
    """

    name: str
    arguments: tuple[str, ...]
    keep_open: tuple[int, ...] = ()
    own_group: bool = True


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts: int = 0
    pause: float = 0.0
    next_start: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps programs running until told to stop. Use it from the main thread."""

    def __init__(self, programs: Sequence[Program], *, stop_seconds: float) -> None:
        self._children = {program.name: _Child(program) for program in programs}
        self._stop_seconds = stop_seconds

    def run(self, stop: threading.Event, each_look: Callable[[], None] = lambda: None) -> None:
        """Supervise until `stop` is set, then end every program; `each_look` is called often."""
        try:
            while not stop.is_set():
                for child in self._children.values():
                    self._look_after(child)
                each_look()
                stop.wait(_LOOK_SECONDS)
        finally:
            self._end_all()

    def restart(self, name: str) -> None:
        """Kill a program with all its children; it is started again at the next look."""
        _kill_group(self._children[name])

    def uptime(self, name: str) -> float:
        child = self._children[name]
        return time.monotonic() - child.started if child.process else 0.0

    def starts(self, name: str) -> int:
        """How often the program was started."""
        return self._children[name].starts

    def _look_after(self, child: _Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.next_start:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        _kill_group(child)
        steady = time.monotonic() - child.started > _STEADY_SECONDS
        child.pause = (
            0.5 if steady or not child.pause else min(child.pause * 2, _LONGEST_PAUSE_SECONDS)
        )
        child.next_start = time.monotonic() + child.pause
        child.process = None
        logger.error(
            "%s ended unasked (%s); starting it again in %.1f s.",
            child.program.name,
            f"killed by signal {-code}" if code < 0 else f"code {code}",
            child.pause,
        )

    def _start(self, child: _Child) -> None:
        parent = os.getpid()
        child.started = time.monotonic()
        child.starts += 1
        child.process = subprocess.Popen(  # noqa: S603 - our own management commands
            [sys.executable, str(MANAGE), *child.program.arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=child.program.own_group,
            pass_fds=child.program.keep_open,
            preexec_fn=lambda: die_with_parent(parent),
        )

    def _end_all(self) -> None:
        running = [child for child in self._children.values() if child.process is not None]
        for child in running:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()  # the leader alone: it ends its own children in order
        deadline = time.monotonic() + self._stop_seconds
        for child in running:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s does not stop; killing it.", child.program.name)
            _kill_group(child)


def _kill_group(child: _Child) -> None:
    """Kill what is left of a program and of its children, and collect it."""
    if child.process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if child.program.own_group:
            os.killpg(child.process.pid, signal.SIGKILL)
        else:
            child.process.kill()
    child.process.wait()
