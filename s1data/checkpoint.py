"""What a finished stage leaves on disk, found again by content.

``stages/NN-label/`` holds Parquet files and, written last, ``record.json``: its presence means
complete. The record carries the stage's key *and* the payload it was hashed from, so that a run
that does not match can say which field or column differs. Files are checked by sha256 before use.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from s1data import digest
from s1data.durable import sync_folder
from s1data.errors import RunError

FORMAT: Final = 1
ROW_GROUP: Final = 65_536
_FOLDER: Final = re.compile(r"(\d\d)-([a-z0-9][a-z0-9_-]*)|\.old-[0-9a-f]+")


def write_parquet(frame: pl.DataFrame, path: Path, **metadata: str) -> None:
    """Canonical Parquet (fixed row groups and compression), in place only when whole."""
    part = path.with_name(path.name + ".part")
    try:
        frame.rechunk().write_parquet(
            part,
            compression="zstd",
            compression_level=3,
            row_group_size=ROW_GROUP,
            metadata={"s1data.format": str(FORMAT), **metadata},
        )
        settle(part, path)
    except (OSError, pl.exceptions.PolarsError) as error:
        part.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise RunError(
            f"{path}: could not be written: {why}; what is finished is kept: "
            "mend the cause (is the disk full?) and run the same command again"
        ) from error


def write_json(value: object, path: Path) -> None:
    """Readable JSON, in place only when whole."""
    part = path.with_name(path.name + ".part")
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    part.write_text(text, encoding="utf-8")
    settle(part, path)


def settle(part: Path, path: Path) -> None:
    """Moves a written file into place so that a kill leaves the old one or the new one."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


@dataclass(frozen=True)
class Checkpoint:
    """A complete stage on disk."""

    folder: Path
    record: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        return str(self.record["key"])

    @property
    def label(self) -> str:
        return str(self.record["label"])

    def has(self, name: str) -> bool:
        """Whether the stage left a frame by this name."""
        return f"{name}.parquet" in self.record["files"]

    def path(self, name: str) -> Path:
        """The Parquet file of a frame the stage left."""
        return self.folder / f"{name}.parquet"

    def read(
        self, name: str, columns: Sequence[str] | None = None, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        """A frame the stage left, or some columns and rows of it; RunError if it is damaged."""
        lazy = pl.scan_parquet(self.path(name), glob=False)
        lazy = lazy if where is None else lazy.filter(where)
        try:
            return (lazy if columns is None else lazy.select(columns)).collect()
        except (OSError, pl.exceptions.PolarsError):
            raise RunError(
                f"{self.path(name)}: is gone or damaged; run the recipe again, which makes it anew"
            ) from None

    def damaged(self) -> str | None:
        """The name of a file that is gone or not what was written, if any."""
        for name, sha256 in self.record["files"].items():
            path = self.folder / name
            if not path.is_file() or digest.of_file(path) != sha256:
                return str(name)
        return None


def open_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in a folder; None if it is not complete or of another format."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    sound = isinstance(record, dict) and record.get("format") == FORMAT
    whole = sound and {"key", "files", "label"} <= set(record)
    return Checkpoint(folder, record) if whole else None


class Shelf:
    """The checkpoints under one run's ``stages/``, plus those of runs it may borrow from."""

    def __init__(self, home: Path, borrow_from: Path | None = None, *, make: bool = True) -> None:
        self.home = home
        if make:
            self.home.mkdir(parents=True, exist_ok=True)
        self._by_key: dict[str, Checkpoint] = {}
        others = _checkpoints(borrow_from / "stages") if borrow_from else iter(())
        for found in (*others, *_checkpoints(home)):
            self._by_key[found.key] = found

    def find(self, key: str) -> Checkpoint | None:
        """The complete, undamaged checkpoint of this content key, wherever it stands."""
        found = self._by_key.get(key)
        return found if found is not None and found.damaged() is None else None

    def at(self, number: int, label: str) -> Checkpoint | None:
        """What stands at a stage's place now, whatever its key."""
        return open_checkpoint(self.home / folder_name(number, label))

    def put(self, number: int, found: Checkpoint) -> Checkpoint:
        """Brings a found checkpoint to a stage's place (its label may be new)."""
        place = self.home / folder_name(number, found.label)
        if found.folder == place:
            return found
        with self.writing(number, found.label) as files:
            for name in found.record["files"]:
                shutil.copyfile(found.folder / name, files.folder / name)
            return files.finish(dict(found.record))

    def writing(self, number: int, label: str) -> Writing:
        """Opens a stage's place for writing; what stood there stays findable until `tidy`."""
        place = self.home / folder_name(number, label)
        before = open_checkpoint(place)
        if before is not None:
            aside = self.home / f".old-{before.key[:16]}"
            shutil.rmtree(aside, ignore_errors=True)
            place.rename(aside)
            self._by_key[before.key] = Checkpoint(aside, before.record)
        elif place.exists():
            shutil.rmtree(place)
        place.mkdir()
        return Writing(place, self._by_key)

    def tidy(self, folders: set[str]) -> None:
        """Removes stage folders that this run did not use."""
        for folder in self.home.iterdir():
            if folder.is_dir() and _FOLDER.fullmatch(folder.name) and folder.name not in folders:
                shutil.rmtree(folder)


class Writing:
    """A stage's folder while it is being written."""

    def __init__(self, folder: Path, known: dict[str, Checkpoint]) -> None:
        self.folder = folder
        self._known = known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to undo: a folder without a record counts for nothing."""

    def put(self, name: str, frame: pl.DataFrame) -> None:
        write_parquet(frame, self.folder / f"{name}.parquet")

    def finish(self, record: dict[str, Any]) -> Checkpoint:
        """Writes the record: from here on the stage is complete."""
        files = sorted(p for p in self.folder.iterdir() if p.suffix == ".parquet")
        whole = {"format": FORMAT, **record, "files": {p.name: digest.of_file(p) for p in files}}
        write_json(whole, self.folder / "record.json")
        made = Checkpoint(self.folder, whole)
        self._known[made.key] = made
        return made


def folder_name(number: int, label: str) -> str:
    """``03-drop_duplicates``."""
    return f"{number:02d}-{label}"


def _checkpoints(home: Path) -> Iterator[Checkpoint]:
    if home.is_dir():
        for folder in sorted(home.iterdir()):
            found = open_checkpoint(folder) if _FOLDER.fullmatch(folder.name) else None
            if found is not None:
                yield found


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs between two payloads of a key, in words."""
    said = []
    for part in sorted(set(old) | set(new)):
        a, b = old.get(part), new.get(part)
        if not isinstance(a, Mapping) or not isinstance(b, Mapping):
            said += [part] if a != b else []
            continue
        names = [name for name in sorted(set(a) | set(b)) if a.get(name) != b.get(name)]
        if part == "fields":
            said += [f"{n} {_brief(a.get(n))} → {_brief(b.get(n))}" for n in names]
        elif part == "columns" and names and len(names) == len(b):
            said.append("other rows reach it")
        else:
            said += [f"{part.rstrip('s')} {name} changed" for name in names]
    return ", ".join(said)


def _brief(value: object) -> str:
    text = digest.canonical_json(value)
    return text if len(text) <= 40 else text[:37] + "..."
