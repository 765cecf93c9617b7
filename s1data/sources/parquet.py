"""Parquet files: the footer gives the columns, only the taken ones are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from s1data.errors import PoolError
from s1data.sources.intake import Raw, Take, check_dtype, first_line, from_frame


def columns(path: Path) -> dict[str, pl.DataType]:
    """Columns and dtypes from the footer; PoolError if the file is damaged."""
    with path.open("rb") as file:
        try:
            return dict(pl.read_parquet_schema(file))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(error) from error


def check(where: str, found: dict[str, pl.DataType], takes: Sequence[Take]) -> None:
    """PoolError for a column whose dtype cannot be taken as asked."""
    for take in takes:
        if take.origin in found:
            check_dtype(where, found[take.origin], take)


def read(path: Path, takes: Sequence[Take], limit: int | None, file: int) -> Raw:  # noqa: ARG001 - rows of a Parquet file are never refused singly
    """The taken columns."""
    origins = list(dict.fromkeys(take.origin for take in takes))
    try:
        # By its own name, never as a pattern; the position keeps the height without a column.
        frame = (
            pl.scan_parquet(path, glob=False, hive_partitioning=False, n_rows=limit)
            .with_row_index("\0position")
            .select("\0position", *origins)
            .collect()
        )
    except pl.exceptions.PolarsError as error:
        raise _damaged(error) from error
    return from_frame(frame.drop("\0position") if origins else frame, takes)


def _damaged(error: Exception) -> PoolError:
    return PoolError(f"not a whole Parquet file ({first_line(error)}); fetch or write it again")
