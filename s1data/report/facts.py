"""A finished run read once, as columns: every ledger line with its texts and what stages added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from s1data.checkpoint import Checkpoint
from s1data.errors import RunError
from s1data.run import Run

TEXTS: Final = ("question", "solution", "answer", "source_type", "licence", "metadata")
"""Columns of the reading that the report shows where a source has them."""


@dataclass(frozen=True)
class Facts:
    """What a report is made of."""

    run: Run
    checkpoints: tuple[Checkpoint, ...]
    """The reading's and each stage's, in order."""
    rows: pl.DataFrame
    """One line per ledger line, in row order: the ledger's columns, `TEXTS`, and every column that
    a stage added, as the last stage left it; null where a row left before."""

    @property
    def manifest(self) -> dict[str, Any]:
        """The run's manifest."""
        return self.run.manifest

    @cached_property
    def selected(self) -> pl.DataFrame:
        """`rows` that were selected, in row order, with the texts of their traces."""
        chosen = self.rows.filter(pl.col("outcome") == "selected")
        if "traces" not in chosen.columns or "traces" not in self.run.selected.columns:
            return chosen
        order = [c for c in ("id", "source", "solution", "answer", "row") if c in chosen.columns]
        placed = chosen.sort(order, nulls_last=True)  # as selected.parquet is sorted
        if not placed["id"].equals(self.run.selected["id"]):
            raise RunError(f"{self.run.path}: selected.parquet and ledger.parquet do not agree")
        return placed.with_columns(self.run.selected["traces"]).sort("row")

    def of_kind(self, name: str) -> list[Checkpoint]:
        """The checkpoints of stages by this name in the recipe."""
        stages = self.run.pipeline.stages
        return [
            checkpoint
            for stage, checkpoint in zip(stages, self.checkpoints[1:], strict=True)
            if stage.stage_name() == name
        ]


def read(run: Run) -> Facts:
    """Reads a finished run; RunError if it is not finished, or if its stages are gone."""
    ledger = run.ledger
    checkpoints = run.checkpoints()
    if len(checkpoints) != 1 + len(run.pipeline.stages):
        raise RunError(
            f"{run.path}: a report needs what the stages left under stages/, and some of it is "
            "gone; run the recipe again, which makes it anew"
        )
    rows = checkpoints[0].read("rows")
    kept = [c for c in TEXTS if c in rows.columns]
    whole = _joined(ledger, rows.select("row", *kept))
    for checkpoint in checkpoints[1:]:
        if checkpoint.has("columns"):
            added = checkpoint.read("columns")
            # A column of the user's own may be called what the ledger calls one of its.
            own = [c for c in added.columns if c == "row" or c not in ledger.columns]
            whole = _joined(whole, added.select(own))
    missing = [pl.lit(None, pl.String).alias(c) for c in TEXTS if c not in whole.columns]
    return Facts(run, tuple(checkpoints), whole.with_columns(missing))


def _joined(whole: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """``whole`` with the columns of ``added`` by row; a value that is there stays where none is."""
    both = [c for c in added.columns if c in whole.columns and c != "row"]
    joined = whole.join(added, "row", "left", suffix="_later", maintain_order="left")
    later = [
        pl.coalesce(f"{c}_later", c).alias(c)
        if joined.schema[f"{c}_later"] == joined.schema[c]
        else pl.col(f"{c}_later").alias(c)
        for c in both
    ]
    return joined.with_columns(later).drop(f"{c}_later" for c in both)
