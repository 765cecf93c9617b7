"""Worker processes for comparisons that may hang: each is killed past a time limit per pair.

The parent hands every idle worker one task and waits for whichever answers first. A worker that
is past the limit, or dies, is replaced; its task ends as ``time_limit`` or ``crashed`` and nobody
else waits for it. Where the system tells (Linux), the limit is of the worker's own CPU seconds, so
that a busy machine changes no verdict; the clock stops it at `PATIENCE` times that. Workers are
plain child processes that speak JSON lines, not forks: the parent has threads, and a user's script
need not guard its main module.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from s1data.graders.protocol import Grade, decided, undecided

LIMIT: Final = 10.0
"""Seconds for one pair; the slowest of 14,000 real ones that ended took under 3."""
PATIENCE: Final = 12.0
"""How many times the limit a worker may take by the clock while others keep it waiting."""
STARTING: Final = 120.0
"""Seconds in which a worker imports sympy; its first pair has its own limit after that."""

Task = dict[str, Any]
Outcome = bool | str


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    fresh: bool = True
    task: int | None = None
    deadline: float = 0.0
    given: float = 0.0
    used: float | None = None
    """Clock, and CPU seconds of the process, when it was given its task."""
    received: bytearray = field(default_factory=bytearray)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Workers:
    """A pool of worker processes; use as a context. ``killed`` counts those past the limit."""

    def __init__(self, count: int | None = None, limit: float = LIMIT) -> None:
        self._count = count or _cores()
        self._limit = limit
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self.killed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all workers; the pool may be used again and starts new ones."""
        for worker in list(self._workers):
            self._forget(worker)

    def outcomes(
        self, tasks: Sequence[Task], progress: Callable[[int, int], None] | None = None
    ) -> list[Outcome]:
        """The outcome of every task, in order: a verdict or the reason why there is none."""
        out: list[Outcome | None] = [None] * len(tasks)
        waiting = iter(range(len(tasks)))
        left = len(tasks)
        for _ in range(len(self._workers), min(self._count, left)):
            self._start()
        for worker in self._workers:
            self._give(worker, next(waiting, None), tasks)
        while left:
            for worker, outcome in self._answers():
                if worker.task is not None:
                    out[worker.task] = outcome
                    left -= 1
                    if progress is not None and (len(tasks) - left) % 256 == 0:
                        progress(len(tasks) - left, len(tasks))
                if outcome in ("time_limit", "crashed"):
                    self._forget(worker)
                    if left:
                        worker = self._start()  # noqa: PLW2901 - the one in its place
                self._give(worker, next(waiting, None), tasks)
        return [outcome if outcome is not None else "crashed" for outcome in out]

    def _answers(self) -> Iterator[tuple[_Worker, Outcome]]:
        busy = [w for w in self._workers if w.task is not None]
        wait = max(0.0, min((w.deadline for w in busy), default=0.0) - time.monotonic())
        ready = {key.data for key, _ in self._selector.select(wait)}
        now = time.monotonic()
        for worker in busy:
            if worker in ready:
                chunk = os.read(_fileno(worker.process.stdout), 65_536)
                worker.received += chunk
                if not chunk:
                    yield worker, "crashed"
                elif worker.received.endswith(b"\n"):
                    outcome = json.loads(worker.received.splitlines()[-1])
                    worker.received.clear()
                    if worker.fresh:
                        worker.fresh = False
                        self._count_from_now(worker)
                    if outcome is not None:  # else it says that it begins with its first
                        yield worker, outcome
            elif now >= worker.deadline and not self._kept_waiting(worker, now):
                self.killed += 1
                yield worker, "time_limit"

    def _kept_waiting(self, worker: _Worker, now: float) -> bool:
        """Whether a worker past its time has not had that time; then it gets the rest."""
        used = _cpu_seconds(worker.process.pid)
        if worker.fresh or used is None or worker.used is None:
            return False
        left = self._limit - (used - worker.used)
        if left <= 0 or now - worker.given >= self._limit * PATIENCE:
            return False
        worker.deadline = now + max(left, 0.1)
        return True

    def _give(self, worker: _Worker, task: int | None, tasks: Sequence[Task]) -> None:
        if worker not in self._workers:
            return
        worker.task = task
        if task is None or worker.process.stdin is None:
            return
        self._count_from_now(worker)
        try:
            worker.process.stdin.write(json.dumps(tasks[task]).encode() + b"\n")
            worker.process.stdin.flush()
        except BrokenPipeError:
            return  # reading from it says so too, and what it means is decided there

    def _count_from_now(self, worker: _Worker) -> None:
        worker.given = time.monotonic()
        worker.used = _cpu_seconds(worker.process.pid)
        worker.deadline = worker.given + (STARTING if worker.fresh else self._limit)

    def _start(self) -> _Worker:
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        process = subprocess.Popen(
            [sys.executable, "-m", "s1data.graders.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"},
        )
        worker = _Worker(process)
        self._workers.append(worker)
        self._selector.register(_fileno(process.stdout), selectors.EVENT_READ, worker)
        return worker

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(_fileno(worker.process.stdout))
        worker.stop()


def _fileno(pipe: Any) -> int:  # noqa: ANN401 - a pipe of Popen, never None here
    return int(pipe.fileno())


def _cpu_seconds(process: int) -> float | None:
    """CPU seconds of a running process; None where the system does not say."""
    try:
        line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    user, system = line.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@contextmanager
def one() -> Iterator[Workers]:
    """A single worker for a single question."""
    with Workers(1) as pool:
        yield pool


def graded(outcome: Outcome, method: str, answer: str) -> Grade:
    """The grade that an outcome means."""
    if isinstance(outcome, str):
        return undecided(outcome, answer)
    return decided(outcome, method, answer)


def grade_alone(wanted: Task | str, method: str, answer: str) -> Grade:
    """The grade of one task, by a process started for it; of a reason, undecided."""
    if isinstance(wanted, str):
        return undecided(wanted, answer)
    with one() as pool:
        return graded(pool.outcomes([wanted])[0], method, answer)
