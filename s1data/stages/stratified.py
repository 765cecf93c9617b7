"""Stratified selection: each group gives rows in proportion to its size, or to a power of it.

Seats are dealt one at a time by Sainte-Laguë's method: the next goes to the group with the greatest
weight / (2 x seats it has + 1). No seat ever moves as n grows (the method is house-monotone), and
rows within a group come in random order, so one order serves every n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from s1data.stage import Engine, Problem
from s1data.stages.ordering import CHOSEN_BEFORE, UNDER_QUOTA, Ordering, Places
from s1data.stages.selection import numbers_by_id


class KeepStratified(Ordering):
    """Keeps as many rows of each group as its share of the rows gives, at random within it.

    Groups are the values of `by`; rows without one are a group too. `power` 1 follows sizes, 0
    gives each group the same as long as it has rows, 0.5 stands between (weights are sizes to that
    power). Allotted by Sainte-Laguë's method, equal claims by name.
    """

    example: ClassVar = {"n": 5, "by": "domain"}
    reasons: ClassVar[Mapping[str, str]] = {
        "not_drawn": (
            "Rank {rank}; {n} are kept. It has place {place} in {by} {group}, which gave "
            "{chosen_in_group}, the last {last_in_group}."
        ),
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE | {
        "group": pl.String(),
        "place": pl.UInt32(),
        "weight": pl.Float64(),
        "chosen_in_group": pl.UInt32(),
        "last_in_group": pl.String(),
    }

    by: str = Field(default="domain", min_length=1, description="The column that makes groups.")
    power: float = Field(
        default=1.0, ge=0, le=1, description="Weight of a group: its rows to this power."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the order within groups.")

    def column_names(self) -> tuple[str, ...]:
        return (self.by,)

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        yield from super().check(columns, inputs)
        dtype = columns.get(self.by)
        if dtype is not None and dtype.is_nested():
            yield Problem("by", "a column of texts, numbers or Booleans", f"{self.by}: {dtype}")

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:  # noqa: ARG002 - as it stands
        return [pl.col(self.by).cast(pl.String).alias("group")]

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        drawn = pl.Series("drawn", numbers_by_id(keys, self.seed, self.stage_name()))
        placed = keys.with_columns(
            place=drawn.to_frame().select(drawn.rank("ordinal")).to_series()
        ).with_columns(
            pl.col("place").rank("ordinal").over("group").cast(pl.UInt32).alias("place"),
            weight=pl.len().over("group").cast(pl.Float64).pow(self.power),
        )
        claim = (2.0 * placed.get_column("place") - 1.0) / placed.get_column("weight")
        # Rounded, so that equal claims are equal whatever the rounding of powers.
        by_claim = placed.select("group", claim=claim.round(12), at=pl.int_range(pl.len()))
        order = by_claim.sort("claim", "group", "at", nulls_last=True).get_column("at").to_numpy()
        return order.astype(np.intp), placed

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        chosen = ranked.filter(pl.col("rank") <= self.n).sort("rank")
        last = chosen.group_by("group").agg(last_in_group=pl.col("id").last())
        joined = ranked.join(
            last, on="group", how="left", maintain_order="left", nulls_equal=True
        ).with_columns(chosen_in_group=(pl.col("rank") <= self.n).sum().over("group"))
        stays_out = (pl.col("rank") > self.n).fill_null(True)
        return self.with_last(joined).with_columns(
            pl.when(stays_out).then("last_in_group").alias("last_in_group")
        )

    def reason(self) -> pl.Expr:
        return pl.lit("not_drawn")
