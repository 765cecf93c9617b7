"""Rows of the files that replies are imported from, one at a time: memory holds a batch of them.

A Parquet file, JSON Lines, or a folder with one JSON file per question, as s1's scripts write
them (``question_hash``, ``question``, ``thinking``, ``response``; or ``question``, ``attempt``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from s1data import pool
from s1data.errors import PoolError

BATCH_ROWS: Final = 512


@dataclass(frozen=True, slots=True)
class Row:
    """One row and where it stands."""

    where: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no reply, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def rows(path: Path) -> Iterator[Row | BadRow]:
    """The rows of a file or folder; PoolError where there is none that can be read."""
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise PoolError(f"{path}: there is no such file or folder")
    readers = {".parquet": _parquet, ".jsonl": _lines, ".ndjson": _lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PoolError(
            f"{path}: wanted a Parquet file, JSON Lines (.jsonl) or a folder of JSON files"
        )
    return reader(path)


def columns(path: Path) -> list[str] | None:
    """Names of the columns of a Parquet file; None where each row has its own."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        return list(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _parquet(path: Path) -> Iterator[Row | BadRow]:
    columns(path)
    number = 0
    try:
        for frame in pl.scan_parquet(path, glob=False).collect_batches(chunk_size=BATCH_ROWS):
            for values in frame.iter_rows(named=True):
                number += 1
                yield Row(f"row {number}", values)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> Iterator[Row | BadRow]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if content.strip():
                yield _object(f"line {number}", content)


def _folder(path: Path) -> Iterator[Row | BadRow]:
    files = sorted(path.glob("*.json"))
    if not files:
        raise PoolError(f"{path}: wanted one JSON file per question (*.json), got none")
    for file in files:
        row = _object(file.name, file.read_bytes())
        if isinstance(row, Row):
            row = _own_hash(row)
        yield row


def _own_hash(row: Row) -> Row | BadRow:
    told, question = row.values.get("question_hash"), row.values.get("question")
    if isinstance(told, str) and isinstance(question, str):
        found = pool.question_ids(pl.Series([question]))[0]
        if found != told:
            return BadRow(row.where, f"its question_hash is {told}, but the question's is {found}")
    return row


def _object(where: str, data: bytes) -> Row | BadRow:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return BadRow(where, f"no JSON: {error.msg}")
    if not isinstance(value, dict):
        return BadRow(where, f"wanted a JSON object, got {type(value).__name__}")
    return Row(where, value)


def _unreadable(path: Path, error: Exception) -> PoolError:
    said = str(error).splitlines() or [type(error).__name__]
    return PoolError(f"{path}: cannot be read: {said[0]}; nothing was imported")
