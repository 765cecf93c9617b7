"""How often each solver is right, with how sure that is, and filters over it.

A verdict of true or false counts; a cut attempt (`s1data.models.is_cut`) and one without a verdict
count neither way. The posterior is Beta(1 + successes, 1 + failures). It does not depend on when
one stopped asking; the raw rate does, and is biased upwards where asking ended with the first
success.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, model_validator

from s1data import pool
from s1data.errors import StageError
from s1data.models import CUT, finish_word
from s1data.stage import Engine, Evidence, GlobalEnricher, GlobalFilter, Table
from s1data.stages.difficulty import solvers_there


class AddPassRates(GlobalEnricher):
    """Adds `pass_rates`, one item a solver: successes of attempts counted, and the posterior."""

    stopping: Literal["fixed", "first_success"] = Field(
        default="fixed", description="When asking ended: after all samples, or with a success."
    )
    revision: ClassVar[int] = 2
    planned: int = Field(default=1, gt=0, description="Attempts a solver would have made in all.")
    interval: float = Field(default=0.9, gt=0, lt=1, description="Mass of the interval.")

    needs: ClassVar = ("attempts",)
    added: ClassVar = ("pass_rates",)
    example: ClassVar = {"planned": 2}

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """Attempts saved by stopping early, by solver: `figures`."""
        each = engine.collect(engine.map(keys, self.columns_of)).explode("pass_rates").drop_nulls()
        asked = pl.col("attempts") + pl.col("uncounted")
        early = (pl.col("stopping") == "first_success") & (pl.col("successes") > 0)
        saved = pl.when(early).then((pl.lit(self.planned) - asked.cast(pl.Int64)).clip(0))
        totals = each.select(pl.col("pass_rates").struct.unnest()).group_by("solver")
        figures = totals.agg(asked=asked.sum(), saved=saved.fill_null(0).sum()).sort("solver")
        engine.write("early_stopping", figures)
        return figures

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        """Attempts asked and saved, for the manifest."""
        return {"early_stopping": artefact.to_dicts()}

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002 - a row decides alone
        return self.columns_of(rows)

    def columns_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rates of rows, which depend on nothing but their attempts."""
        placed = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"), "attempts")
        finish = rows["attempts"].explode(empty_as_null=False).struct.field("finish").unique()
        cut = [word for word in finish.drop_nulls() if finish_word(word) in CUT]
        counts = pl.col("verdict").is_not_null() & ~pl.col("finish").is_in(cut).fill_null(False)
        each = (
            placed.filter(pl.col("attempts").list.len() > 0)
            .explode("attempts")
            .unnest("attempts")
            .group_by("place", "solver")
            .agg(
                successes=(counts & pl.col("verdict").fill_null(False)).sum().cast(pl.UInt32),
                attempts=counts.sum().cast(pl.UInt32),
                uncounted=(~counts).sum().cast(pl.UInt32),
            )
            .sort("place", "solver")
        )
        each = each.with_columns(*self._posterior(each), stopping=pl.lit(self.stopping))
        rate = pl.struct(pl.col(f.name).cast(f.dtype) for f in pool.PASS_RATE.fields)
        rates = each.select("place", rate.alias("pass_rates")).group_by("place").agg("pass_rates")
        none = pl.lit([], dtype=pool.COLUMNS["pass_rates"])
        return placed.join(rates, on="place", how="left", maintain_order="left").select(
            pl.col("pass_rates").fill_null(none)
        )

    def _posterior(self, each: pl.DataFrame) -> tuple[pl.Series, ...]:
        from scipy.special import betaincinv

        a = each["successes"].cast(pl.Float64).to_numpy() + 1
        b = each["attempts"].cast(pl.Float64).to_numpy() - a + 2
        tail = (1 - self.interval) / 2
        return (
            pl.Series("posterior_mean", a / (a + b), dtype=pl.Float64),
            pl.Series("posterior_low", betaincinv(a, b, tail), dtype=pl.Float64),
            pl.Series("posterior_high", betaincinv(a, b, 1 - tail), dtype=pl.Float64),
        )


class _OfOneSolver(GlobalFilter):
    solver: str = Field(min_length=1, description="The solver whose rate decides.")
    needs: ClassVar = ("pass_rates",)

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(pl.col("pass_rates").list.eval(pl.element().struct.field("solver")))

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """The solvers with rates; StageError where others have some and `solver` has none."""
        return solvers_there(self.label, (self.solver,), "pass_rates", keys, engine)

    def _rates(self, rows: pl.DataFrame) -> pl.DataFrame:
        mine = pl.col("pass_rates").list.eval(
            pl.element().filter(pl.element().struct.field("solver") == self.solver)
        )
        return rows.select(mine.list.first().alias("rate")).unnest("rate")

    def _as_verdicts(self, judged: pl.DataFrame) -> pl.DataFrame:
        values = pl.struct(pl.col(name).cast(dtype) for name, dtype in self.evidence.items())
        dropped = pl.col("reason").is_not_null()
        return judged.select("reason", pl.when(dropped).then(values).alias("evidence"))


class DropOutsideCounts(_OfOneSolver):
    """Drops questions a solver got right too often or too seldom; LIMO keeps 1 to 3 of 32."""

    least: int = Field(default=1, ge=0, description="Fewest successes.")
    most: int = Field(default=3, ge=0, description="Most successes.")
    of: int = Field(default=32, gt=0, description="Attempts that must have been counted.")

    reasons: ClassVar = {
        "too_few_attempts": "Too few attempts counted: {attempts} of {of}.",
        "too_hard": "{successes} right of {attempts}; at least {least} are wanted.",
        "too_easy": "{successes} right of {attempts}; at most {most} are wanted.",
    }
    evidence: ClassVar = {"successes": pl.UInt32, "attempts": pl.UInt32}
    example: ClassVar = {"solver": "small", "least": 1, "most": 1, "of": 1}

    @model_validator(mode="after")
    def _is_a_range(self) -> DropOutsideCounts:
        if not self.least <= self.most <= self.of:
            msg = f"wanted least <= most <= of, got {self.least}, {self.most}, {self.of}"
            raise ValueError(msg)
        return self

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002 - a row decides alone
        rates = self._rates(rows).with_columns(pl.col("successes", "attempts").fill_null(0))
        reason = (
            pl.when(pl.col("attempts") < self.of)
            .then(pl.lit("too_few_attempts"))
            .when(pl.col("successes") < self.least)
            .then(pl.lit("too_hard"))
            .when(pl.col("successes") > self.most)
            .then(pl.lit("too_easy"))
        )
        return self._as_verdicts(rates.with_columns(reason=reason))

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        right, counted = evidence["successes"], evidence["attempts"]
        if not counted:
            return None  # `of` is at least 1
        most = max(min(self.most, counted), right)
        of = max(min(self.of, counted), most)
        wanted = {"least": min(self.least, right), "most": most, "of": of}
        return {name: value for name, value in wanted.items() if value != getattr(self, name)}


class DropOutside(_OfOneSolver):
    """Drops questions whose rate lies outside a band; a question without attempts is unknown.

    The raw rate of a row that was asked until the first success is biased: refused (StageError).
    """

    on: Literal["posterior", "raw"] = Field(default="posterior", description="Which rate.")
    low: float = Field(default=0.1, ge=0, le=1, description="Lowest rate kept.")
    high: float = Field(default=0.6, ge=0, le=1, description="Highest rate kept.")

    reasons: ClassVar = {
        "no_rate": "No attempt of {solver} counts.",
        "too_hard": "The rate is {rate:.3f}; {low} to {high} is kept.",
        "too_easy": "The rate is {rate:.3f}; {low} to {high} is kept.",
    }
    evidence: ClassVar = {"rate": pl.Float64}
    example: ClassVar = {"solver": "small", "low": 0.3, "high": 0.6}

    @model_validator(mode="after")
    def _is_a_band(self) -> DropOutside:
        if self.low > self.high:
            msg = f"wanted low <= high, got {self.low} and {self.high}"
            raise ValueError(msg)
        return self

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002 - a row decides alone
        rates = self._rates(rows)
        if self.on == "raw" and (rates["stopping"] == "first_success").any():
            msg = (
                f"stage {self.label}: wanted rates of a fixed number of attempts, got rows asked "
                "until the first success, whose raw rate is biased; use on: posterior"
            )
            raise StageError(msg)
        counted = pl.col("attempts").fill_null(0) > 0
        raw = pl.col("successes") / pl.col("attempts")
        rate = pl.when(counted).then(raw if self.on == "raw" else pl.col("posterior_mean"))
        judged = rates.with_columns(rate=rate)
        reason = (
            pl.when(pl.col("rate").is_null())
            .then(pl.lit("no_rate"))
            .when(pl.col("rate") < self.low)
            .then(pl.lit("too_hard"))
            .when(pl.col("rate") > self.high)
            .then(pl.lit("too_easy"))
        )
        return self._as_verdicts(judged.with_columns(reason=reason))

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        side = {"too_hard": "low", "too_easy": "high"}.get(evidence.reason)
        return None if side is None else {side: evidence["rate"]}
