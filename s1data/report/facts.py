"""A finished run read once, as columns: every ledger line with its texts and what stages added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from s1data.acting import replies_home
from s1data.checkpoint import Checkpoint
from s1data.errors import RunError
from s1data.run import Run
from s1data.serving import REHEARSAL
from s1data.store.reading import ReplyReader
from s1data.texts import PARTS, texts_of

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
    a source brought or a stage added, as the last stage left it; null where a row left before."""

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

    @cached_property
    def attempt_texts(self) -> pl.DataFrame:
        """``row`` and ``texts`` of selected rows whose attempts have a text here.

        ``texts`` is a list of (thinking, answer) in the order of the attempts, null where there is
        none: one that was recorded elsewhere without its text, a reply store on another machine.
        """
        fields = {name: pl.String() for name in PARTS}
        schema = {"row": self.rows.schema["row"], "texts": pl.List(pl.Struct(fields))}
        if "attempts" not in self.selected.columns:
            return pl.DataFrame(schema=schema)
        each = (
            self.selected.select("row", "attempts")
            .filter(pl.col("attempts").list.len() > 0)
            .explode("attempts")
            .select("row", reply_key=pl.col("attempts").struct.field("reply_key"))
        )
        files = [c.path("texts") for c in self.checkpoints if c.has("texts")]
        known = texts_of(each["reply_key"], files, self._replies)
        texted = each.join(known, "reply_key", "left", maintain_order="left")
        return (
            texted.group_by("row", maintain_order=True)
            .agg(texts=pl.struct(PARTS), some=pl.any_horizontal(pl.col(PARTS).is_not_null()).any())
            .filter("some")
            .select(*schema)
        )

    def _replies(self, keys: pl.Series) -> pl.DataFrame:
        """What the run's reply store has of ``keys``; read without a lock, nothing is made."""
        own = self.run.path / REHEARSAL / "replies"
        home = own if self.manifest.get("rehearsal") else replies_home()
        found = ReplyReader(home).get(keys.to_list()) if home.is_dir() else {}
        return pl.DataFrame(
            [(key, reply.thinking, reply.answer) for key, reply in found.items()],
            schema=dict.fromkeys(("reply_key", *PARTS), pl.String()),
            orient="row",
        )

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
    kept = [c for c in rows.columns if c != "priority" and c not in ledger.columns]
    whole = joined(ledger, rows.select("row", *kept))
    for checkpoint in checkpoints[1:]:
        if checkpoint.has("columns"):
            added = checkpoint.read("columns")
            # A column of the user's own may be called what the ledger calls one of its.
            own = [c for c in added.columns if c == "row" or c not in ledger.columns]
            whole = joined(whole, added.select(own))
    missing = [pl.lit(None, pl.String).alias(c) for c in TEXTS if c not in whole.columns]
    return Facts(run, tuple(checkpoints), whole.with_columns(missing))


def joined(whole: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """``whole`` with the columns of ``added`` by row; a value that is there stays where none is."""
    both = [c for c in added.columns if c in whole.columns and c != "row"]
    both_sides = whole.join(added, "row", "left", suffix="_later", maintain_order="left")
    later = [
        pl.coalesce(f"{c}_later", c).alias(c)
        if both_sides.schema[f"{c}_later"] == both_sides.schema[c]
        else pl.col(f"{c}_later").alias(c)
        for c in both
    ]
    return both_sides.with_columns(later).drop(f"{c}_later" for c in both)
