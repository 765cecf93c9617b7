"""Content digests: of plain values, of files and of the columns of a frame.

A digest depends on content only: not on chunking, buffer layout, path, machine or thread count.
Columns are hashed through their Arrow layout, a few buffers each, never row by row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from s1data.errors import StageError

_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, floats by shortest repr, no NaN."""
    return _CANONICAL.encode(value)


def of_value(value: object) -> str:
    """Hex sha256 of a JSON-able value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_columns(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Digest of each named column, in the frame's row order."""
    return {name: of_series(frame.get_column(name)) for name in names}


def of_series(series: pl.Series) -> str:
    """Hex digest of a series: dtype, length, nulls and values. Its name is not part of it."""
    state = hashlib.sha256()
    _update(state, series)
    return state.hexdigest()


def _update(state: Any, series: pl.Series) -> None:  # noqa: ANN401 - hashlib's type has no public name
    dtype = series.dtype
    state.update(f"{dtype}|{len(series)}|".encode())
    nulls = series.is_null()
    state.update(np.packbits(nulls.to_numpy()).tobytes() if nulls.any() else b"-")
    if isinstance(dtype, pl.String):
        state.update(series.str.len_bytes().fill_null(0).to_numpy().tobytes())
        for part in _text_bytes(series):
            state.update(part)
    elif isinstance(dtype, pl.List | pl.Array):
        as_list = series.arr.to_list() if isinstance(dtype, pl.Array) else series
        state.update(as_list.list.len().fill_null(0).to_numpy().tobytes())
        _update(state, as_list.drop_nulls().explode(keep_nulls=False, empty_as_null=False))
    elif isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            state.update(field.name.encode() + b"|")
            _update(state, series.struct.field(field.name))
    elif isinstance(dtype, pl.Boolean):
        state.update(np.packbits(series.fill_null(False).to_numpy()).tobytes())
    elif dtype.is_numeric() or dtype.is_temporal():
        state.update(series.to_physical().fill_null(0).to_numpy().tobytes())
    elif dtype != pl.Null:
        msg = f"digest: no content digest for dtype {dtype}; cast the column to a plain dtype first"
        raise StageError(msg)


def _text_bytes(series: pl.Series) -> Iterable[bytes]:
    # Joined text plus the lengths hashed above is unambiguous; slices bound the joined copy.
    step = 65_536
    for start in range(0, len(series), step):
        yield "".join(series.slice(start, step).drop_nulls().to_list()).encode()
