"""Texts of traces, brought to the rows that are written out.

In a run a trace is a key, lengths and verdicts; its text stands beside the record of the stage that
brought it. Only what is selected gets its texts, so a run never carries those of the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

PARTS: Final = ("thinking", "answer")
"""Fields that a trace gets behind those of `s1data.pool.TRACE`."""


def with_texts(
    rows: pl.DataFrame,
    files: Sequence[Path],
    replies: Callable[[pl.Series], pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """``rows`` with the fields `PARTS` in each of their traces, null where nothing has the key.

    ``files`` are Parquet files with ``reply_key``, ``thinking`` and ``answer``; ``replies`` gives
    a frame of the same columns for keys that stand in none of them. Rows without the column
    ``traces`` come back as they are.
    """
    if "traces" not in rows.columns:
        return rows
    placed = rows.with_row_index("place").select("place", "traces")
    some = pl.col("traces").list.len() > 0
    each = placed.filter(some).explode("traces").unnest("traces")
    known = texts_of(each["reply_key"], files, replies)
    texted = each.join(known, "reply_key", "left", maintain_order="left")
    trace = pl.struct(*(name for name in texted.columns if name != "place"))
    whole = texted.group_by("place", maintain_order=True).agg(trace.alias("with_texts"))
    none = pl.lit([], dtype=whole.schema["with_texts"])
    joined = placed.join(whole, on="place", how="left", maintain_order="left").select(
        pl.when(pl.col("traces").is_not_null()).then(pl.col("with_texts").fill_null(none))
    )
    return rows.with_columns(joined.to_series().alias("traces"))


def texts_of(
    keys: pl.Series,
    files: Sequence[Path],
    replies: Callable[[pl.Series], pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """One line for each of the keys that a file or ``replies`` has; see `with_texts`."""
    schema = {"reply_key": pl.String, **dict.fromkeys(PARTS, pl.String)}
    wanted = keys.drop_nulls().unique().to_frame("reply_key").lazy()
    found = [
        pl.scan_parquet(path, glob=False).select(list(schema)).join(wanted, "reply_key", "semi")
        for path in files
    ]
    texts = pl.concat([pl.LazyFrame(schema=schema), *found]).collect()
    known = texts.sort(list(schema)).unique("reply_key", keep="first", maintain_order=True)
    if replies is None:
        return known
    rest = keys.drop_nulls().unique().to_frame("reply_key").join(known, "reply_key", "anti")
    return pl.concat([known, replies(rest["reply_key"]).select(known.columns)])
