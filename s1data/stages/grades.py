"""Verdicts on recorded attempts, from what is already there.

A recorded verdict stands. Where there is none, the attempt's final answer is compared with the
row's reference answer after one normalisation: white space at both ends is removed, and nothing
else. That is strict (``1/2`` is not ``0.5``), so it says wrong more often than a better grader.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.stage import Enricher


class AddRecordedGrades(Enricher):
    """Gives attempts without a verdict one: equality of final and reference answer.

    Methods: ``equality`` where two answers were compared, ``no_answer`` where the attempt has no
    final answer and counts as wrong. Without a reference answer there is no verdict.
    """

    reference: str = Field(default="answer", description="The column with the reference answer.")
    no_answer: Literal["wrong", "none"] = Field(
        default="wrong",
        description="Verdict on an attempt without a final answer: wrong, as graders count a cut "
        "or empty reply, or none.",
    )

    added: ClassVar = ("attempts",)
    of: ClassVar = "attempts"

    def reads(self) -> tuple[str, ...]:
        return ("attempts", self.reference)

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        placed = rows.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"),
            "attempts",
            _trimmed(pl.col(self.reference).cast(pl.String)).alias("reference"),
        )
        attempts = (
            placed.filter(pl.col("attempts").list.len() > 0)
            .explode("attempts")
            .unnest("attempts")
            .with_columns(self._judged())
        )
        graded = (
            attempts.select("place", pl.struct(f.name for f in pool.ATTEMPT.fields).alias("graded"))
            .group_by("place", maintain_order=True)
            .agg("graded")
        )
        return placed.join(graded, on="place", how="left", maintain_order="left").select(
            pl.coalesce("graded", "attempts").alias("attempts")
        )

    def _judged(self) -> tuple[pl.Expr, pl.Expr]:
        answer, reference = _trimmed(pl.col("extracted")), pl.col("reference")
        open_ = pl.col("verdict").is_null() & reference.is_not_null()
        compared = open_ & answer.is_not_null()
        silent = open_ & answer.is_null() & (self.no_answer == "wrong")
        verdict = (
            pl.when(compared)
            .then(answer == reference)
            .when(silent)
            .then(pl.lit(False))
            .otherwise("verdict")
        )
        method = (
            pl.when(compared)
            .then(pl.lit("equality"))
            .when(silent)
            .then(pl.lit("no_answer"))
            .otherwise("method")
        )
        return verdict.alias("verdict"), method.alias("method")


def _trimmed(text: pl.Expr) -> pl.Expr:
    """Without white space at both ends; null where nothing is left."""
    trimmed = text.str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)
