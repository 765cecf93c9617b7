"""Verdicts that stand in the pool as columns, one for each solver, brought into its attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import polars as pl
from pydantic import Field

from s1data import pool
from s1data.frozen import Pairs
from s1data.stage import Enricher, Problem
from s1data.stages import recorded


class AddVerdictColumns(Enricher):
    """Adds `attempts` from columns of true and false, as s1's featurized pool has them.

    Each solver has one attempt, with the column's value as its verdict (method ``recorded``); where
    that is null there is no attempt. The pool must not have attempts yet.
    """

    solvers: Pairs[str] = Field(
        min_length=1,
        description="Solver to the column that says whether it was right: "
        "{Qwen/Qwen2.5-7B-Instruct: isqwen7bcorrect}.",
    )

    added: ClassVar = ("attempts",)
    example: ClassVar = {"solvers": {"small": "solved_by_small"}}

    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for _, column in self.solvers))

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],  # noqa: ARG002 - it reads none
    ) -> Iterator[Problem]:
        for _, column in self.solvers:
            dtype = columns.get(column, pl.Boolean())
            if dtype not in (pl.Boolean(), pl.Null()):
                yield Problem("solvers", "columns of true and false", f"{column}: {dtype}")
        yield from recorded.there_already("attempts", columns)

    def columns(self, rows: pl.DataFrame) -> pl.DataFrame:
        attempts = pl.concat_list(self._attempt(*pair) for pair in sorted(self.solvers))
        return rows.select(attempts.list.drop_nulls().alias("attempts"))

    def _attempt(self, solver: str, column: str) -> pl.Expr:
        verdict = pl.col(column).cast(pl.Boolean)
        known = {"solver": pl.lit(solver), "sample": pl.lit(0), "verdict": verdict}
        known["method"] = pl.lit("recorded")
        fields = [
            known.get(f.name, pl.lit(None)).cast(f.dtype).alias(f.name) for f in pool.ATTEMPT.fields
        ]
        return pl.when(verdict.is_not_null()).then(pl.struct(fields))
