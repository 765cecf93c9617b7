"""A process that compares answers one after the other: JSON lines in, JSON lines out.

Started by `workers` as ``python -m s1data.graders.worker``. It may be killed at any time and holds
nothing that matters. Memory is bounded, so that a tower of powers fails here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

MEMORY: Final = 4 << 30
"""Bytes of address space."""
UNREAD: Final = "not_read"
"""The outcome where a library could not make sense of an answer."""
BEGUN: Final = "null\n"
"""Written before the first outcome, once what takes seconds to import is there."""


def _bounded() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))


def _ready_for(task: dict[str, Any]) -> None:
    library = "reasoning_gym" if task["grader"] == "gym" else "math_verify"
    with suppress(ImportError):  # the task says so too, as its outcome
        import_module(library)


def answer_to(task: dict[str, Any]) -> bool | str:
    """The outcome of one task: a verdict, or why there is none."""
    from s1data.graders import scorers, symbolic

    try:
        if task["grader"] == "gym":
            return scorers.score(task["reference"], task["answer"], task["question"], task["more"])
        return symbolic.compare(task["reference"], task["answer"])
    except Exception:  # noqa: BLE001 - a library that raises anything on any text
        return UNREAD


def main() -> None:
    """Serves tasks until the other end closes."""
    _bounded()
    sys.setrecursionlimit(3_000)
    replies = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no reply
    begun = False
    for line in sys.stdin:
        task = json.loads(line)
        if not begun:
            _ready_for(task)
            replies.write(BEGUN)
            replies.flush()
            begun = True
        outcome = answer_to(task)
        replies.write(json.dumps(outcome) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
