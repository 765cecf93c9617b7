"""Joining small parts into large ones and dropping replies that do not count.

One process at a time, under a lock of its own. New parts stand in place before the old ones go, so
a kill leaves some replies twice and none lost; the next compaction drops the doubles. Every part is
read and checked first, those checked before too: a copy is dropped only for one that is sound.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import filelock
import polars as pl

from s1data.store.parts import NAME, Index, Parts
from s1data.store.rows import SCHEMA

FULL_BYTES: Final = 128_000_000
"""Bytes of texts in a full part: what a compaction holds in memory, some three times over."""


def compact(home: Path, parts: Parts) -> None:
    """Leaves full parts and at most one that is not."""
    with filelock.FileLock(home / "compact.lock", is_singleton=False):
        index = parts.verified(anew=True)
        count = Counter(index.frame.get_column("part").to_list())
        heights = {
            name: pl.scan_parquet(parts.folder / name, glob=False).select(pl.len()).collect().item()
            for name in index.names
        }
        doubled = {
            name for number, name in enumerate(index.names) if count[number] != heights[name]
        }
        small = {name for name in index.names if not name.endswith("-full.parquet")}
        chosen = small | doubled
        if len(small) < 2 and not doubled:
            return
        _rewrite(home, parts, index, chosen)
        parts.forget()


def _rewrite(home: Path, parts: Parts, index: Index, chosen: set[str]) -> None:
    draft = home / "compacting.tmp"
    gathered: list[pl.DataFrame] = []
    sources: list[str] = []
    size = 0
    for name, frame in parts.frames(list(SCHEMA), index):
        if name not in chosen:
            continue
        gathered.append(frame)
        sources.append(name)
        size += int(frame.estimated_size())
        if size >= FULL_BYTES:
            _replace(parts, draft, gathered, sources, full=True)
            gathered, sources, size = [], [], 0
    if sources:
        _replace(parts, draft, gathered, sources, full=False)


def _replace(
    parts: Parts, draft: Path, frames: list[pl.DataFrame], sources: list[str], *, full: bool
) -> None:
    whole = pl.concat(frames)
    stamp = NAME.fullmatch(sources[0])
    kept = ""
    if whole.height and stamp:
        kept = parts.add(whole, draft, stamp[1], full=full)
    for name in sources:
        if name != kept:
            (parts.folder / name).unlink(missing_ok=True)
