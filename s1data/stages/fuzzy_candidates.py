"""Which texts and items fuzzy holds against each other: those that share shingles that count.

A shingle counts if few rows of the pool have it, or few items. One of many rows and many items is
of a template: it says nothing, and joining all its rows with all its items would be all pairs. So
an item is found by what it has beside its template, in one shingle at the least; an item whose
every shingle is of that kind is left to the exact methods.
"""

from __future__ import annotations

from typing import Final

import polars as pl

LEAST_SHARE: Final = 0.15
"""Of the shorter one's shingles, so many must be shared and rare for a pair to be looked at."""
COMMON_SHARE: Final = 0.5
"""So many of what counts must be shared where it counts though many rows of the pool have it, or
where most of the item is template and few others are left to count."""
FEW_ITEMS: Final = 8
"""A shingle of no more items than this counts for `COMMON_SHARE`, whatever rows have it."""
MOST_ITEMS: Final = 8
"""A text is held against so many items, those it shares most with, …"""
MOST_SURE_ITEMS: Final = 64
"""… or so many where it has half of their shingles."""
LOOKS_AT_A_TIME: Final = 1 << 17
"""Lines that are joined with items at once: each has several, and that is what takes memory."""


def candidates(looks: pl.DataFrame, holders: pl.DataFrame, common_rows: int) -> pl.DataFrame:
    """Pairs to look at, from lines of text and shingle.

    ``looks`` has ``row``, ``part`` and ``shingle``, each once, and ``shingles``: how many the text
    has in all; ``holders`` has ``shingle`` and ``at_item`` of all items. Gives ``row``, ``part``
    and ``at_item``.
    """
    held = _counting(looks, holders, common_rows)
    parts = max(1, looks.height // LOOKS_AT_A_TIME)
    found = [
        _pairs(looks.filter(pl.col("row") % parts == part) if parts > 1 else looks, held)
        for part in range(parts)
    ]
    return pl.concat(found).sort("row", "part", maintain_order=True)


def _counting(looks: pl.DataFrame, holders: pl.DataFrame, common_rows: int) -> pl.DataFrame:
    """The shingles of items that count, and whether few rows have them.

    Of the item's ``own`` so many are ``able`` to count, and of these some row has ``counting``.
    """
    rows_of = looks.group_by("shingle").agg(rows=pl.col("row").n_unique())
    items_of = holders.group_by("shingle").agg(items=pl.len())
    rare = pl.col("rows").fill_null(0) <= common_rows
    held = (
        holders.join(items_of, on="shingle")
        .join(rows_of, on="shingle", how="left")
        .with_columns(rare=rare, counts=rare | (pl.col("items") <= FEW_ITEMS))
    )
    seen = pl.col("counts") & pl.col("rows").is_not_null()
    of_item = held.group_by("at_item").agg(
        own=pl.len(), able=pl.col("counts").sum(), counting=seen.sum()
    )
    return held.filter(seen).join(of_item, on="at_item")


def _pairs(looks: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    least = pl.min_horizontal("own", "all")
    of_common = pl.max_horizontal(
        LEAST_SHARE * least, COMMON_SHARE * pl.min_horizontal("counting", "all")
    )
    of_template = COMMON_SHARE * pl.min_horizontal("able", "all")
    pairs = (
        looks.join(
            held.select("shingle", "at_item", "rare", "own", "able", "counting"), on="shingle"
        )
        .group_by("row", "part", "at_item")
        .agg(
            pl.col("own", "able", "counting").first(),
            shared=pl.len(),
            rare=pl.col("rare").sum(),
            all=pl.col("shingles").first(),
        )
        .filter(
            (pl.col("rare") >= LEAST_SHARE * least)
            | (pl.col("shared") >= of_common)
            | ((pl.col("shared") >= of_template) & (pl.col("rare") > 0))
        )
        .with_columns(sure=pl.col("shared") >= least / 2)
        .sort("row", "part", -pl.col("shared").cast(pl.Int64), "at_item")
    )
    place = pl.int_range(pl.len()).over("row", "part")
    among = place < pl.when("sure").then(MOST_SURE_ITEMS).otherwise(MOST_ITEMS)
    return pairs.filter(among).select("row", "part", "at_item")
