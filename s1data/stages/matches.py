"""The table of matches: which row, in which column, matches which item, by what; and its counts.

Every method gives lines of `MATCHES`, in which an item is known by its place among all items. The
artefact of a stage names benchmark and item in place of that, and is what counts, annotations and
reading go by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import polars as pl

from s1data import pool

MATCHES: Final = pl.Schema(
    {
        "row": pl.UInt32(),
        "method": pl.String(),
        "column": pl.String(),
        "at_item": pl.UInt32(),
        "span": pl.String(),
        "score": pl.Float64(),
        "run": pl.UInt32(),
        "pool_rows": pl.UInt32(),
        "first": pl.Boolean(),
    }
)
"""``at_item``: place among all items. ``first``: the item that evidence names."""


def in_order(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All `MATCHES` in order, one for each row, method, column and item."""
    whole = pl.concat([part.select(*MATCHES).cast(MATCHES) for part in parts])
    # A row may have several texts in a column: the longest run, the best score stands.
    best = whole.sort("score", "run", "span", descending=True, nulls_last=True)
    return best.unique(["row", "method", "column", "at_item"], keep="first").sort(
        "row", "method", "column", "at_item"
    )


def lines_of(method: str, lines: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    kept = [name for name in MATCHES if name not in ("method", "column")]
    schema = {name: MATCHES[name] for name in kept}
    frame = pl.DataFrame(lines, schema=schema, orient="row")
    return frame.with_columns(method=pl.lit(method), column=pl.lit(None, pl.String)).select(
        *MATCHES
    )


def named(matches: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """`MATCHES` with benchmark, item and item_id in place of the place among all items."""
    names = items.select("benchmark", "item", "item_id").with_row_index("at_item")
    return matches.join(names, on="at_item", maintain_order="left").drop("at_item")


def figures(artefact: pl.DataFrame) -> dict[str, Any]:
    """Per benchmark and method: items and rows hit, and rows that only this method found."""
    lines = counted(artefact)
    whole: dict[str, Any] = {}
    for benchmark, method, item_hits, rows, alone in lines.iter_rows():
        own = whole.setdefault(benchmark, {})
        own[method] = {"items": item_hits, "rows": rows, "only_this_method": alone}
    return {"benchmarks": whole} if whole else {}


def counted(matches: pl.DataFrame) -> pl.DataFrame:
    """benchmark, method, items, rows, only_this_method: one line per benchmark and method."""
    hits = matches.filter(pl.col("method").is_not_null())
    alone = hits.group_by("row", "benchmark").agg(methods=pl.col("method").n_unique())
    return (
        hits.join(alone, on=["row", "benchmark"])
        .group_by("benchmark", "method")
        .agg(
            items=pl.col("item").n_unique(),
            rows=pl.col("row").n_unique(),
            only_this_method=pl.col("row").filter(pl.col("methods") == 1).n_unique(),
        )
        .sort("benchmark", "method")
    )


def listed(rows: pl.DataFrame, matches: pl.DataFrame, column: str) -> pl.DataFrame:
    """The matches of each row as a list in ``column``, empty where there are none."""
    dtype = pool.COLUMNS[column]
    entry = [field.name for field in cast("pl.Struct", cast("pl.List", dtype).inner).fields]
    hits = matches.group_by("row", maintain_order=True).agg(pl.struct(*entry).alias(column))
    joined = rows.select("row").join(hits, on="row", how="left", maintain_order="left")
    return joined.select(pl.col(column).fill_null([]).cast(dtype))
