"""Files as one table: which files a path means, what they hold together, what they hash to.

A path is a file, a folder (the files in it that can be read, not those of its folders) or a glob.
Files are read in the order of their names. They may differ in columns (a missing one is null
there) but not in the kind of a column. The content digest knows neither names nor places.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import polars as pl

from s1data import digest
from s1data.errors import PoolError, nearest
from s1data.sources.intake import Raw, Take

FORMATS: Final = {
    ".parquet": "parquet",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "delimited",
}
KNOWN: Final = ", ".join(FORMATS)


class Format(Protocol):
    """What the module of a file format offers. Errors of the file are PoolError or OSError."""

    def columns(self, path: Path) -> dict[str, pl.DataType]:
        """Columns of the file and their dtypes (Null where only nulls were seen)."""

    def check(self, where: str, found: dict[str, pl.DataType], takes: Sequence[Take]) -> None:
        """PoolError for a column of the file that cannot be taken as asked."""

    def read(self, path: Path, takes: Sequence[Take], limit: int | None, file: int) -> Raw:
        """At most the first ``limit`` lines; ``file`` is the file's number in evidence."""


def find(who: str, path: str, base: Path) -> list[Path]:
    """The files that a path means, in the order of their names; PoolError if there are none."""
    try:
        return _find(who, path, base)
    except OSError as error:
        msg = f"{who}: {path}: {error.strerror or error}"
        raise PoolError(msg) from error


def _find(who: str, path: str, base: Path) -> list[Path]:
    whole = base / path
    if whole.is_symlink():
        whole.stat()  # a dangling or circular link: the system's own words say which
    if whole.is_dir():
        found = _readable(whole.iterdir())
        if not found:
            msg = (
                f"{who}: folder {path} has no file to read ({KNOWN}); files in its folders are "
                f"found by a glob, for example {Path(path, '**', '*.parquet')}"
            )
            raise PoolError(msg)
    elif whole.exists():
        if not whole.is_file():
            msg = f"{who}: {path} is neither a file nor a folder"
            raise PoolError(msg)
        found = [whole]
    elif glob.has_magic(path):
        found = _globbed(who, path, base)
    else:
        raise PoolError(_missing(who, path, base))
    for file in found:
        _format(who, file)
    return found


def _readable(entries: Iterable[Path]) -> list[Path]:
    return sorted(
        entry
        for entry in entries
        if entry.suffix.lower() in FORMATS and not entry.name.startswith(".") and entry.is_file()
    )


def _globbed(who: str, path: str, base: Path) -> list[Path]:
    names = sorted(glob.glob(path, root_dir=base, recursive=True))  # noqa: PTH207 - skips dot files
    found = [base / name for name in names if (base / name).is_file()]
    if found:
        return found
    parts = Path(path).parts
    fixed = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    if not (base / fixed).exists():
        raise PoolError(_missing(who, str(fixed), base))
    folder = base / fixed
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    listed = ", ".join(there[:5]) + (", …" if len(there) > 5 else "") or "nothing"
    msg = f"{who}: no file matches {path}; {fixed} holds {listed}"
    raise PoolError(msg)


def _missing(who: str, path: str, base: Path) -> str:
    here = base
    for part in Path(path).parts:
        if not (here / part).exists():
            inside = here.is_dir()
            near = nearest(part, (p.name for p in here.iterdir())) if inside else ""
            shown = os.path.relpath(here, base) if here != base else str(base)
            what = f"there is no {part!r} in {shown}" if inside else f"{shown} is no folder"
            return f"{who}: {path} does not exist: {what}{near}"
        here = here / part
    return f"{who}: {path} does not exist"


def _format(who: str, path: Path) -> Format:
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        got = path.suffix or "no ending"
        msg = f"{who}: {path.name}: wanted a file ending in {KNOWN}, got {got}"
        raise PoolError(msg)
    return cast("Format", import_module(f"s1data.sources.{name}"))


class Files:
    """A reader over one or more files."""

    def __init__(self, who: str, paths: Sequence[Path], *, many: bool) -> None:
        self.who = who
        self.paths = tuple(paths)
        self.many = many
        self._columns: dict[Path, dict[str, pl.DataType]] = {}
        self._hashes: dict[Path, tuple[str, tuple[int, int]]] = {}

    def _where(self, path: Path) -> str:
        return f"{self.who}: {path.name}"

    def _found(self, path: Path) -> dict[str, pl.DataType]:
        if path not in self._columns:
            try:
                self._columns[path] = _format(self.who, path).columns(path)
            except OSError as error:
                raise self._unreadable(path, error) from error
            except PoolError as error:
                msg = f"{self._where(path)}: {error}"
                raise PoolError(msg) from error
        return self._columns[path]

    def _unreadable(self, path: Path, error: OSError) -> PoolError:
        return PoolError(f"{self._where(path)} cannot be read: {error.strerror or error}")

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for path in self.paths for name in self._found(path)))

    def dtype(self, name: str) -> pl.DataType:
        common: pl.DataType = pl.Null()
        giver: Path | None = None
        for path in self.paths:
            here = self._found(path).get(name, pl.Null())
            joined = _common(common, here)
            if joined is None:
                assert giver is not None  # noqa: S101 - a first dtype is always joined to Null
                msg = (
                    f"{self.who}: column {name!r} is {common} in {giver.name} "
                    f"but {here} in {path.name}; make them one kind, or leave the column out"
                )
                raise PoolError(msg)
            if joined != common:
                common, giver = joined, path
        return common

    def check(self, takes: Sequence[Take]) -> None:
        for path in self.paths:
            _format(self.who, path).check(self._where(path), self._found(path), takes)

    def read(self, takes: Sequence[Take], limit: int | None) -> Raw:
        frames: list[pl.DataFrame] = []
        refused: list[pl.DataFrame] = []
        lines = 0
        for number, path in enumerate(self.paths, start=1):
            left = None if limit is None else limit - lines
            if left == 0 and frames:
                break
            raw = self._read(path, takes, left, number)
            shift = pl.col("position") + pl.lit(lines, pl.UInt32)
            frames.append(raw.frame.with_columns(shift))
            refused.append(raw.refused.with_columns(shift))
            lines += raw.lines
        heights = tuple(frame.height for frame in frames)
        return Raw(pl.concat(frames), pl.concat(refused), lines, heights)

    def _read(self, path: Path, takes: Sequence[Take], limit: int | None, number: int) -> Raw:
        there = self._found(path)
        mine = [take for take in takes if take.origin in there]
        try:
            raw = _format(self.who, path).read(path, mine, limit, number)
            self._must_be_unchanged(path)
        except OSError as error:
            raise self._unreadable(path, error) from error
        except PoolError as error:
            msg = f"{self._where(path)}: {error}"
            raise PoolError(msg) from error
        others = [
            pl.lit(None, take.dtype).alias(take.column)
            for take in takes
            if take.origin not in there
        ]
        frame = raw.frame.with_columns(others).select("position", *(t.column for t in takes))
        return Raw(frame, raw.refused, raw.lines)

    def _must_be_unchanged(self, path: Path) -> None:
        if path in self._hashes and self._hashes[path][1] != _state(path):
            msg = "the file changed while it was being read; start again when it is complete"
            raise PoolError(msg)

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            try:
                state = _state(path)
                self._hashes[path] = (digest.of_file(path), state)
            except OSError as error:
                raise self._unreadable(path, error) from error
        return self._hashes[path][0]

    def identity(self, taken: Callable[[], Sequence[Take]]) -> object:  # noqa: ARG002 - bytes say all
        return [[FORMATS[path.suffix.lower()], self._hash(path)] for path in self.paths]

    def provenance(self) -> dict[str, Any]:
        return {
            "kind": "files",
            "files": [
                {"name": path.name, "sha256": self._hash(path), "bytes": self._hashes[path][1][0]}
                for path in self.paths
            ],
        }


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _common(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    if one == other or isinstance(other, pl.Null):
        return one
    if isinstance(one, pl.Null):
        return other
    if one.is_numeric() and other.is_numeric():
        frames = [pl.DataFrame(schema={"x": dtype}) for dtype in (one, other)]
        return pl.concat(frames, how="vertical_relaxed").schema["x"]
    return None
