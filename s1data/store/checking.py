"""Every byte of a store read anew: what is sound, what is not, and what was set aside before."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from s1data.store import writers
from s1data.store.reading import ReplyReader


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    parts: int
    replies: int
    bytes: int
    """Of all parts and journals."""
    journals: int
    torn_journals: list[str]
    """Journals whose last line a kill cut short, or that are being written: never acknowledged."""
    damaged: list[str]
    """One line for each part, and each journal with bad lines, that is not as it was written."""
    set_aside: list[str]
    """Files in ``damaged``, those of earlier checks too."""


def report(store: ReplyReader) -> Report:
    """Checks all parts and journals; a damaged part is moved aside."""
    store.parts.verified(anew=True)
    replies = store.narrow().height
    logs = writers.journals(store.home / "writers")
    paths = [*(store.parts.folder / name for name in store.parts.names()), *logs]
    lines = [
        f"{name}: {count} lines are not as they were written; the process that writes it is alive: "
        "only those replies are asked again"
        for name, count in store.unreadable.items()
    ]
    return Report(
        parts=len(paths) - len(logs),
        replies=replies,
        bytes=sum(map(_size, paths)),
        journals=len(logs),
        torn_journals=[f"{log.parent.name}/{log.name}" for log in logs if _torn(log)],
        damaged=[*store.damaged, *lines],
        set_aside=sorted(path.name for path in (store.home / "damaged").glob("*")),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # rolled or compacted meanwhile
        return 0


def _torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False
