"""Files that the emulator answers from: a pool with answers, and recorded replies to replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from s1data.emulator.script import ScriptError

ANSWERS: Final = {"question": pl.String(), "answer": pl.String()}
REPLAY: Final = {"question": pl.String(), "model": pl.String(), "answer": pl.String()}
ALSO: Final = {
    "domain": pl.String(),
    "thinking": pl.String(),
    "sample": pl.Int64(),
    "finish": pl.String(),
}
RENAMED: Final = {"attempt_text": "answer"}
"""Other names of the text of a reply, where there is no column of the name we use."""


def read_answers(path: Path) -> pl.DataFrame:
    """Columns question, answer and, where there is one, domain, of a Parquet, JSONL or CSV file."""
    return wanted(_read(path), ANSWERS, str(path))


def read_replay(path: Path) -> pl.DataFrame:
    """Columns question, model, answer and, where there are, thinking, sample and finish."""
    return wanted(_read(path), REPLAY, str(path))


def wanted(frame: pl.DataFrame, schema: Mapping[str, pl.DataType], who: str) -> pl.DataFrame:
    """The columns of ``schema`` (and those of `ALSO` that are there), rows with a question."""
    names = {
        other: name
        for other, name in RENAMED.items()
        if other in frame.columns and name not in frame.columns
    }
    frame = frame.rename(names)
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise ScriptError(
            f"{who}: wanted columns {', '.join(schema)}; {', '.join(missing)} missing among "
            f"{', '.join(frame.columns)}"
        )
    kept = {**schema, **{name: kind for name, kind in ALSO.items() if name in frame.columns}}
    try:
        frame = frame.select(pl.col(name).cast(kind) for name, kind in kept.items())
    except pl.exceptions.PolarsError as error:
        raise ScriptError(f"{who}: {str(error).splitlines()[0]}") from None
    return frame.filter(pl.col("question").str.len_chars() > 0)


def _read(path: Path) -> pl.DataFrame:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": pl.read_parquet,
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".csv": pl.read_csv,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ScriptError(f"{path}: wanted a file named {', '.join(readers)}")
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ScriptError(f"{path}: cannot be read: {said[0]}") from None
