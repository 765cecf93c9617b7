"""Dropping questions that given solvers can already do.

For each solver that counts, its attempts at a question say one of three things: *solved* (any
attempt was right), *unknown* (not solved, and it has no attempt or one without a verdict), or
*unsolved*. A row is dropped once enough solvers solved it. It is undecided where too few did and
the unknown ones could still make up the number: only then does `unknown` matter.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from s1data.errors import StageError, nearest
from s1data.stage import Engine, Evidence, GlobalFilter, Table


class DropSolved(GlobalFilter):
    """Drops questions that solvers got right: any of them, all of them, or at least so many.

    A named solver that no row has, where rows have others, is a StageError that names those.
    """

    solvers: tuple[str, ...] = Field(
        default=(),
        description="Solvers that count. If empty, those with attempts at the question; a question "
        "without attempts is then undecided.",
    )
    rule: Literal["any", "all"] | Annotated[int, Field(gt=0)] = Field(
        default="any", description="How many solvers must be right: any, all, or a number."
    )
    unknown: Literal["keep", "drop"] = Field(
        description="What happens to a question that missing verdicts leave undecided."
    )

    needs: ClassVar = ("attempts",)
    reasons: ClassVar = {
        "solved": "Solved by {solved_by}, of {solvers_counted} solvers (rule: {rule}).",
        "no_verdict": "Undecided for want of verdicts on {unknown_of} (rule: {rule}).",
    }
    evidence: ClassVar = {
        "solved_by": pl.List(pl.String),
        "unknown_of": pl.List(pl.String),
        "solvers_counted": pl.UInt32,
    }
    example: ClassVar = {"unknown": "drop"}

    def in_words(self, evidence: Evidence) -> str:
        if evidence.reason == "no_verdict" and not evidence["unknown_of"]:
            return "Undecided: no solver has tried it."
        return super().in_words(evidence)

    @model_validator(mode="after")
    def _rule_can_be_met(self) -> DropSolved:
        if len(set(self.solvers)) != len(self.solvers):
            msg = "solvers must be different"
            raise ValueError(msg)
        if isinstance(self.rule, int) and self.solvers and self.rule > len(self.solvers):
            msg = f"rule: wanted at most the {len(self.solvers)} solvers named, got {self.rule}"
            raise ValueError(msg)
        return self

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(pl.col("attempts").list.eval(pl.element().struct.field("solver")))

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """The solvers with attempts."""
        return solvers_there(self.label, self.solvers, "attempts", keys, engine)

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002 - a row decides alone
        solved, unknown = pl.col("solved_by").list.len(), pl.col("unknown_of").list.len()
        count = pl.col("solvers_counted")
        needed = {"any": pl.lit(1), "all": count.clip(1)}.get(str(self.rule), pl.lit(self.rule))
        undecided = (solved + unknown >= needed) | (count == 0)
        judged = self._standing(rows).with_columns(
            reason=pl.when(solved >= needed)
            .then(pl.lit("solved"))
            .when(undecided & (self.unknown == "drop"))
            .then(pl.lit("no_verdict"))
        )
        values = pl.struct(pl.col(name).cast(dtype) for name, dtype in self.evidence.items())
        return judged.select(
            "reason", pl.when(pl.col("reason").is_not_null()).then(values).alias("evidence")
        )

    def _standing(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Per row: the solvers that solved it, those unknown, and how many count."""
        placed = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"), "attempts")
        each = (
            placed.filter(pl.col("attempts").list.len() > 0)
            .explode("attempts")
            .unnest("attempts")
            .group_by("place", "solver")
            .agg(
                solved=pl.col("verdict").any(),
                unknown=~pl.col("verdict").any() & pl.col("verdict").is_null().any(),
            )
        )
        if self.solvers:
            named = pl.DataFrame({"solver": self.solvers}, schema={"solver": pl.String})
            each = (
                placed.select("place")
                .join(named, how="cross")
                .join(each, on=["place", "solver"], how="left")
            )
        solver = pl.col("solver")
        solved = pl.col("solved").fill_null(False)
        standing = (
            each.sort("place", "solver")
            .group_by("place", maintain_order=True)
            .agg(
                solved_by=solver.filter(solved),
                unknown_of=solver.filter(pl.col("unknown").fill_null(True)),
                solvers_counted=pl.len(),
            )
        )
        nobody = pl.lit([], dtype=pl.List(pl.String))
        return placed.join(standing, on="place", how="left", maintain_order="left").select(
            pl.col("solved_by").fill_null(nobody),
            pl.col("unknown_of").fill_null(nobody),
            pl.col("solvers_counted").fill_null(0),
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        if evidence.reason == "no_verdict":
            return {"unknown": "keep"}
        solved, unknown = len(evidence["solved_by"]), len(evidence["unknown_of"])
        most = len(self.solvers) or None
        beyond_doubt = solved + unknown + 1 if self.unknown == "drop" else solved + 1
        if most is None or beyond_doubt <= most:
            return {"rule": beyond_doubt}
        return {"rule": solved + 1, "unknown": "keep"} if solved < most else None


def solvers_there(
    label: str, wanted: tuple[str, ...], column: str, keys: Table, engine: Engine
) -> pl.DataFrame:
    """`solver`: those in lists of names; StageError where rows have some but not one wanted."""
    every = engine.collect(
        engine.map(keys, lambda rows: rows.explode(column).unique().sort(column))
    )
    there = sorted(set(every[column].drop_nulls()))
    for solver in wanted:
        if there and solver not in there:
            what = column.replace("_", " ").removeprefix("pass ")
            raise StageError(
                f"stage {label}: wanted {what} of the solver {solver}, which no row has; "
                f"there are {what} of {', '.join(there[:10])}{nearest(solver, there)}"
            )
    return pl.DataFrame({"solver": there}, schema={"solver": pl.String})
