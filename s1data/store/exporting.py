"""The replies of a store as one file for people and other programs.

Prompt, system prompt, sample and rung stand in columns of their own, the other settings of the
request as JSON. Rows come part by part and go out as they come, so memory holds one part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import orjson
import polars as pl
from polars.io.plugins import register_io_source

from s1data.digest import canonical_json
from s1data.errors import StoreError
from s1data.store.reading import EVERY, ReplyReader
from s1data.store.rows import SCHEMA

ASKED: Final = {
    "prompt": pl.String(),
    "system": pl.String(),
    "sample": pl.Int64(),
    "rung": pl.Int64(),
    "settings": pl.String(),
}
COLUMNS: Final = pl.Schema(
    {"key": pl.String(), "provider": pl.String(), "model": pl.String()}
    | ASKED
    | {name: SCHEMA[name] for name in SCHEMA if name not in {"raw", "request"}}
)
"""Columns of an export. ``settings`` is the rest of the request; null where nobody kept it."""

GROUP_ROWS: Final = 512

FORMATS: Final = (".parquet", ".jsonl", ".ndjson")


def export(store: ReplyReader, out: Path, where: pl.Expr = EVERY) -> int:
    """Writes the replies for which ``where`` holds; returns how many. Without one, no file.

    ``where`` is over the columns of `ReplyReader.known`. Raises as `write`.
    """
    if store.narrow().filter(where).is_empty():
        return 0
    counted = _Counted(store, where)
    write(iter(counted), COLUMNS, out)
    return counted.rows


def write(frames: Iterator[pl.DataFrame], schema: pl.Schema, out: Path) -> None:
    """Writes frames to a Parquet or JSONL file as they come; the file is whole or not there.

    StoreError where it cannot be written, or its name ends in none of `FORMATS`.
    """
    if out.suffix.lower() not in FORMATS:
        raise StoreError(f"{out}: wanted a name that ends in {', '.join(FORMATS)}")
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            if out.suffix.lower() == ".parquet":
                _parquet(frames, schema, file)
            else:
                for frame in frames:
                    frame.write_ndjson(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        why = (error.strerror if isinstance(error, OSError) else None) or said[0]
        raise StoreError(f"{out}: could not be written: {why}; nothing was left there") from error
    finally:
        draft.unlink(missing_ok=True)


class _Counted:
    def __init__(self, store: ReplyReader, where: pl.Expr) -> None:
        self._store = store
        self._where = where
        self.rows = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for part in self._store.frames(self._where, raw=True):
            for frame in part.iter_slices(GROUP_ROWS):
                self.rows += frame.height
                yield shown(frame)


def shown(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of a part as `COLUMNS`."""
    asked = [_asked(text) for text in frame.get_column("request").to_list()]
    return frame.hstack(pl.DataFrame(asked, schema=ASKED, orient="row")).select(list(COLUMNS))


def _asked(request: str | None) -> tuple[Any, ...]:
    if request is None:
        return (None,) * len(ASKED)
    rest = orjson.loads(request)
    for name in ("provider", "model"):
        rest.pop(name, None)
    first = [rest.pop(name, default) for name, default in _DEFAULTS]
    return (*first, canonical_json(rest))


_DEFAULTS: Final = (("prompt", None), ("system", None), ("sample", 0), ("rung", 0))


def _parquet(frames: Iterator[pl.DataFrame], schema: pl.Schema, file: IO[bytes]) -> None:
    def source(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        del with_columns, predicate, n_rows, batch_size  # a sink wants all of everything
        yield from frames

    register_io_source(source, schema=schema).sink_parquet(
        file, compression="zstd", compression_level=3, row_group_size=GROUP_ROWS
    )
