"""The ledger: every input row exactly one line, where it went and why.

Built from what the stages left on disk: the reading's rows and unreadable lines, each stage's
dropped rows, the last selector's order. Lines are in row order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from s1data.checkpoint import Checkpoint
from s1data.errors import RunError

SCHEMA: Final[dict[str, pl.DataType]] = {
    "row": pl.UInt32(),
    "id": pl.String(),
    "source": pl.String(),
    "outcome": pl.String(),
    "stage": pl.String(),
    "reason": pl.String(),
    "evidence": pl.String(),
}


def build(read: Checkpoint, stages: Sequence[Checkpoint]) -> pl.DataFrame:
    """The ledger of a run: ``read`` is the reading's checkpoint, ``stages`` those of the stages.

    Raises RunError if kept and dropped do not add up to what was read.
    """
    rows = read.read("rows", ["row", "id", "source"])
    unread = read.read("dropped")
    gone = [
        _with_stage(checkpoint.read("dropped"), checkpoint.label)
        for checkpoint in stages
        if checkpoint.has("dropped")
    ]
    dropped = pl.concat([_with_stage(unread, "read"), *gone])
    places = pl.concat([rows, unread.select("row", "id", "source")])
    whole = (
        places.join(dropped, on="row", how="left", maintain_order="left")
        .join(_why_chosen(stages), on="row", how="left", maintain_order="left")
        .with_columns(
            outcome=pl.when(pl.col("stage").is_null())
            .then(pl.lit("selected"))
            .otherwise(pl.lit("dropped")),
            evidence=pl.coalesce("evidence", "chosen"),
        )
        .select(list(SCHEMA))
        .sort("row")
    )
    once = whole["row"].equals(pl.Series("row", range(places.height), dtype=pl.UInt32))
    if not once or dropped["row"].n_unique() != dropped.height:
        raise RunError(
            f"ledger: {places.height} rows were read but {whole.height} lines came out, "
            "so some row has two fates or none; this is a defect of s1data: please report it"
        )
    return whole


def _with_stage(dropped: pl.DataFrame, label: str) -> pl.DataFrame:
    return dropped.select("row", "reason", "evidence", stage=pl.lit(label))


def _why_chosen(stages: Sequence[Checkpoint]) -> pl.DataFrame:
    selectors = [c for c in stages if c.has("ranks")]
    if not selectors:
        return pl.DataFrame(schema={"row": pl.UInt32, "chosen": pl.String})
    ranks = selectors[-1].read("ranks")
    return ranks.filter(pl.col("reason").is_null()).select("row", chosen="evidence")
