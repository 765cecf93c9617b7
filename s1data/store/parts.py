"""The parts of a store: immutable Parquet files named by time and content, found again by key.

Narrow columns of all parts are held in memory with a sorted hash of their keys, so that a look-up
reads nothing; texts are read as slices of rows. Rows lie in the order in which replies came, which
is the order in which they are wanted again. A file whose content is not what its name says is
damaged: it is moved aside and named, and the other parts serve on.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from s1data import digest
from s1data.durable import sync_folder
from s1data.errors import StoreError
from s1data.store.files import put_in_place
from s1data.store.rows import NARROW, SCHEMA, fold

NAME: Final = re.compile(r"part-([0-9a-f]{16})-([0-9a-f]{16})(-full)?\.parquet")
GROUP_BYTES: Final = 1_000_000
"""Bytes of a row group: what reading one reply unpacks."""

GAP: Final = 64
"""Rows that are read along rather than starting another read."""

_UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


@dataclass(frozen=True, slots=True)
class Index:
    """All rows of some parts that count: ``frame`` has `NARROW`, part (a number) and at (a row)."""

    names: tuple[str, ...]
    frame: pl.DataFrame
    hashes: np.ndarray[tuple[int], np.dtype[np.uint64]]
    order: np.ndarray[tuple[int], np.dtype[np.intp]]
    rows: int
    """Rows of the files, those that do not count included."""


class Parts:
    """The folder of parts as it is now; thread-safe."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder = folder
        self._aside = aside
        self._lock = threading.RLock()
        self._narrow: dict[str, pl.DataFrame] = {}
        self._sound: set[str] = set()
        self._moved_aside: set[str] = set()
        self._index: Index | None = None
        self.damaged: list[str] = []
        """One line for each part that this object found damaged."""

    def names(self) -> list[str]:
        """Names of the parts, oldest first."""
        names = self._listed()
        # A listing that a compaction runs into may miss both the old files and the new one.
        while (again := self._listed()) != names:
            names = again
        return names

    def _listed(self) -> list[str]:
        try:
            return sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []

    def index(self) -> Index:
        """The index of what is there now."""
        with self._lock:
            names = self._listed()
            if self._index is None or tuple(names) != self._index.names:
                self._index = self._indexed_anew()
            return self._index

    def verified(self, *, anew: bool = False) -> Index:
        """The index of the parts that are sound, every one checked before it is made.

        Whoever leaves out the copies that do not count goes by this: were the part of the copy that
        does found damaged later, both would be gone. Parts that come meanwhile are not in it.
        """
        with self._lock:
            if anew:
                self._narrow = {}
                self._sound.clear()
            self._index = self._indexed_anew()
            return self._index

    def _indexed_anew(self) -> Index:
        for _ in range(100):
            names = self.names()
            index = self._indexed(self._sound_among(names))
            # One that was compacted before it was read stands in another, which came after the
            # listing: without it its replies would be asked again.
            gone = set(names) - set(index.names) - self._moved_aside
            if not gone:
                return index
        raise StoreError(f"{self.folder}: parts vanish as they are read; does something delete?")

    def _sound_among(self, names: Sequence[str]) -> list[str]:
        """Those that are there and sound, read side by side: most of a look-up is hashing."""
        new = [name for name in names if name not in self._sound]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
            found = dict(zip(new, threads.map(self._content, new), strict=True))
        return [name for name in names if name in self._sound or self._judge(name, found[name])]

    def _indexed(self, names: Sequence[str]) -> Index:
        # They were checked: polars 2.1 can abort the process as it decodes a damaged page.
        frames: dict[str, pl.DataFrame] = {}
        for name in names:
            known = self._narrow.get(name)
            narrow = self._read_narrow(name) if known is None else known
            if narrow is not None:
                frames[name] = narrow
        self._narrow = frames
        places = [
            frame.with_columns(pl.lit(number, pl.UInt32).alias("part")).with_row_index("at")
            for number, frame in enumerate(frames.values())
        ]
        empty = pl.DataFrame(schema=narrow_schema() | {"part": pl.UInt32, "at": pl.UInt32})
        whole = pl.concat([empty, *(place.select(empty.columns) for place in places)])
        frame = fold(whole).rechunk()
        hashes = frame.get_column("key").hash().to_numpy()
        order = np.argsort(hashes)
        return Index(tuple(frames), frame, hashes[order], order, whole.height)

    def _read_narrow(self, name: str) -> pl.DataFrame | None:
        try:
            return pl.read_parquet(self.folder / name, columns=list(NARROW)).select(NARROW)
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            raise StoreError(f"{self.folder / name}: could not be read: {error}") from error

    def find(self, keys: pl.Series) -> tuple[Index, pl.DataFrame]:
        """Rows of the index for the keys that are there, in the order of ``keys`` (unique)."""
        index = self.index()
        if not len(index.hashes) or not len(keys):
            return index, index.frame.clear()
        wanted = keys.hash().to_numpy()
        at = np.minimum(np.searchsorted(index.hashes, wanted), len(index.hashes) - 1)
        hit = np.flatnonzero(index.hashes[at] == wanted)
        if not len(hit):
            return index, index.frame.clear()
        rows = index.frame[index.order[at[hit]]]
        # Two keys of one hash (1 in 10^7 for a million keys) cost a request, never a wrong reply.
        return index, rows.filter(rows.get_column("key") == keys.gather(hit))

    def read(self, keys: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the rows for the keys that are there; ``keys`` are unique."""
        for _ in range(100):
            index, found = self.find(keys)
            read = self._read_found(index, found, columns)
            if read is not None:
                return read
            self.forget()
        raise StoreError(f"{self.folder}: parts vanish as they are read; does something delete?")

    def forget(self) -> None:
        """Looks at the folder anew next time."""
        with self._lock:
            self._index = None

    def _read_found(
        self, index: Index, found: pl.DataFrame, columns: Sequence[str]
    ) -> pl.DataFrame | None:
        read = [pl.DataFrame(schema={name: SCHEMA[name] for name in columns})]
        for (number,), rows in found.group_by("part", maintain_order=True):
            name = index.names[int(str(number))]
            try:
                if not self.sound(name):
                    return None
                read += _slices(self.folder / name, rows.get_column("at"), columns)
            except FileNotFoundError:  # compacted meanwhile
                return None
        return pl.concat(read)

    def frames(
        self, columns: Sequence[str], index: Index, where: pl.Expr | None = None
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Each part's rows that count, part by part, by an index that is `verified`.

        ``where`` is over `NARROW`.
        """
        wanted = index.frame if where is None else index.frame.filter(where)
        empty = pl.DataFrame(schema={name: SCHEMA[name] for name in columns})
        for number, name in enumerate(index.names):
            rows = wanted.filter(pl.col("part") == number)
            if rows.is_empty():
                yield name, empty
                continue
            try:
                whole = pl.read_parquet(self.folder / name, columns=list(columns))
                yield name, whole[rows.get_column("at").sort()].select(columns)
            except FileNotFoundError:  # compacted meanwhile: they stand in another
                yield name, self.read(rows.get_column("key"), columns)

    def sound(self, name: str) -> bool:
        """Whether a part's content is what its name says, moving it aside if not.

        Looked at once per process; FileNotFoundError when it is gone.
        """
        if name in self._sound:
            return True
        content = self._content(name)
        if content is None:
            raise FileNotFoundError(self.folder / name)
        return self._judge(name, content)

    def _content(self, name: str) -> str | None:
        try:
            return digest.of_file(self.folder / name)[:16]
        except FileNotFoundError:  # compacted, or moved aside by another process
            return None

    def _judge(self, name: str, content: str | None) -> bool:
        match = NAME.fullmatch(name)
        if match and content == match[2]:
            self._sound.add(name)
            self._moved_aside.discard(name)
            return True
        if content is None:
            return False
        self._moved_aside.add(name)
        path = self.folder / name
        self._aside.mkdir(parents=True, exist_ok=True)
        try:
            size = path.stat().st_size
            path.replace(self._aside / name)
        except FileNotFoundError:  # another process was faster
            return False
        self.forget()
        self.damaged.append(
            f"{name}: damaged ({size} bytes that are not those written); moved to "
            f"{self._aside}: only the replies in it are asked again"
        )
        return False

    def add(self, frame: pl.DataFrame, draft: Path, stamp: str = "", *, full: bool = False) -> str:
        """Writes a part and returns its name; OSError where it cannot be written."""
        name, data = encoded(frame, stamp, full=full)
        self.folder.mkdir(parents=True, exist_ok=True)
        put_in_place(data, draft, self.folder / name)
        self._sound.add(name)
        return name

    def take(self, drafts: Mapping[str, Path]) -> None:
        """Puts whole files, by the names they get, in place; all or, when killed amid it, some."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, draft in drafts.items():
            draft.replace(self.folder / name)
        sync_folder(self.folder)
        self._sound.update(drafts)


def encoded(frame: pl.DataFrame, stamp: str = "", *, full: bool = False) -> tuple[str, bytes]:
    """A part's name and bytes."""
    group = int(GROUP_BYTES * frame.height // max(1, frame.estimated_size()))
    buffer = io.BytesIO()
    frame.select(list(SCHEMA)).write_parquet(
        buffer, compression="zstd", compression_level=1, row_group_size=max(8, group)
    )
    data = buffer.getvalue()
    content = hashlib.sha256(data).hexdigest()[:16]
    name = f"part-{stamp or format(time.time_ns(), '016x')}-{content}"
    return name + ("-full.parquet" if full else ".parquet"), data


def narrow_schema() -> pl.Schema:
    """Types of `NARROW`."""
    return pl.Schema({name: SCHEMA[name] for name in NARROW})


def _slices(path: Path, at: pl.Series, columns: Sequence[str]) -> list[pl.DataFrame]:
    rows = np.sort(at.to_numpy()).astype(np.int64)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > GAP) + 1)
    scan = pl.scan_parquet(path, glob=False).select(columns)
    read = []
    for run in runs:
        start = int(run[0])
        piece = scan.slice(start, int(run[-1]) - start + 1).collect()
        read.append(piece if len(run) == piece.height else piece[run - start])
    return read
