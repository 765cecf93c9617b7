"""From open sources to the pool: every line of every source has a row, in the recipe's order."""

from __future__ import annotations

from typing import Final

import polars as pl

from s1data.errors import PoolError
from s1data.preparing import Prepared

DROPPED: Final = {
    "row": pl.UInt32(),
    "id": pl.String(),
    "source": pl.String(),
    "reason": pl.String(),
    "evidence": pl.String(),
}
MOST_ROWS: Final = 2**32 - 1


def read(prepared: Prepared) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pool's rows, and the lines that are no row of it with reason and evidence."""
    rows: list[pl.DataFrame] = []
    dropped: list[pl.DataFrame] = []
    offset = 0
    for i, spec in enumerate(prepared.pipeline.sources):
        got = prepared.sources[spec.name].read(prepared.limit)
        priority = i if spec.priority is None else spec.priority
        lines = got.rows.height + got.dropped.height
        if offset + lines > MOST_ROWS:
            raise PoolError(f"source {spec.name}: wanted at most {MOST_ROWS:,} rows in all")
        place = (pl.col("position") + offset).cast(pl.UInt32).alias("row")
        source = pl.lit(spec.name).alias("source")
        rows.append(
            got.rows.select(
                place,
                "id",
                source,
                pl.lit(priority, pl.Int32).alias("priority"),
                pl.exclude("position", "id"),
            )
        )
        dropped.append(got.dropped.select(place, "id", source, "reason", "evidence"))
        offset += lines
    pool = pl.concat(rows, how="diagonal").sort("row")
    return pool, pl.concat(dropped).cast(DROPPED).sort("row")  # type: ignore[arg-type]
