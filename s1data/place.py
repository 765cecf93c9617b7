"""The directory of a run: whose it is, and that one process at a time works in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from s1data.errors import RunError
from s1data.recipe import Pipeline
from s1data.run import Run
from s1data.serving import REHEARSAL, SPENDING

_BEFORE_A_RECIPE: Final = {"stages", REHEARSAL, SPENDING, f"{SPENDING}.lock"}
"""What a run that was killed at once, or a pilot, leaves in a directory."""


@contextmanager
def only_one(home: Path, pipeline: Pipeline) -> Iterator[None]:
    """Holds the run directory for this process alone; makes it where there is none."""
    from filelock import FileLock, Timeout

    _refuse_foreign(home, pipeline)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{home}: cannot be made a run directory: {error.strerror}") from None
    lock, owner = FileLock(home / ".lock", timeout=0), home / ".owner"
    try:
        with lock:
            owner.write_text(f"process {os.getpid()}", encoding="utf-8")
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except Timeout:
        who = owner.read_text(encoding="utf-8") if owner.is_file() else "another process"
        raise RunError(
            f"{home}: {who} is running there now; wait for it, or give another --out"
        ) from None


def refuse_live(home: Path) -> None:
    """A rehearsal would take the place of what was paid for."""
    found = Run(home)
    if found.finished and found.manifest["models"] and not found.manifest["rehearsal"]:
        raise RunError(f"{home}: holds a run that asked real models; rehearse in another --out")


def _refuse_foreign(home: Path, pipeline: Pipeline) -> None:
    if not home.exists():
        return
    if not home.is_dir():
        raise RunError(f"{home}: wanted a folder to run in, got a file; give another --out")
    mine = home / "pipeline.yaml"
    others = [p.name for p in home.iterdir() if not p.name.startswith(".")]
    if set(others) - _BEFORE_A_RECIPE and not mine.is_file():
        raise RunError(
            f"{home}: wanted an empty folder or a run directory, got a folder with "
            f"{', '.join(sorted(others)[:3])} in it; give another --out"
        )
    if mine.is_file():
        name = Pipeline.load(mine).name
        if name != pipeline.name:
            raise RunError(
                f"{home}: holds a run of {name}, not of {pipeline.name}; give another --out"
            )
