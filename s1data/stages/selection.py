"""Selectors that order rows by one number or one draw; s1's own draw is in `s1_selection`.

Each gives every row it could ever choose a rank in one order that does not depend on ``n``, so the
set of n + 1 contains the set of n, and ``n: rank`` is what would have kept a row. Where a pool has
fewer rows than ``n`` all of them come out. A row that stays out is told its rank and the last row
that was kept before it. Preselection and quotas are in `ordering`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, field_validator

from s1data.frozen import Pairs
from s1data.stage import Engine, Problem
from s1data.stages import lengths
from s1data.stages.draws import Domain, draws, generator, uniforms
from s1data.stages.lengths import LengthFrom
from s1data.stages.ordering import CHOSEN_BEFORE, UNDER_QUOTA, Ordering, Places

NO_DOMAIN: Final = "It has no domain, or one of white space, so it can never be drawn."


def numbers_by_id(keys: pl.DataFrame, seed: int, stage: str) -> npt.NDArray[np.float64]:
    """A uniform number in [0, 1) per key row, keyed by (seed, stage, id).

    Rows that share an id are told apart by their order, so that they do not come out together.
    """
    twin = pl.int_range(pl.len(), dtype=pl.UInt32).over("id")
    texts = keys.select(pl.when(twin == 0).then("id").otherwise(pl.format("{}#{}", "id", twin)))
    return uniforms(texts.to_series().to_list(), seed, stage)


def greatest_first(values: pl.Series) -> Places:
    """Row positions by falling value, the first leading where equal; null is least."""
    return np.argsort(-values.fill_null(-np.inf).to_numpy(), kind="stable")


class KeepRandom(Ordering):
    """Keeps rows at random, all equally likely.

    The order is that of a keyed hash of the id, so a row that leaves the pool moves no other
    (s1's 1K-random; equal hashes by id, then row).
    """

    example = {"n": 5}
    reasons: ClassVar[Mapping[str, str]] = {
        "not_drawn": "Rank {rank} in the random order; {n} are kept, the last {last_id}.",
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE

    seed: int = Field(default=0, ge=0, description="Seed of the order.")

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:  # noqa: ARG002 - the id is enough
        return []

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        drawn = numbers_by_id(keys, self.seed, self.stage_name())
        return np.argsort(drawn, kind="stable"), keys

    def reason(self) -> pl.Expr:
        return pl.lit("not_drawn")


class KeepLongest(Ordering):
    """Keeps the longest rows, as s1's 1K-longest.

    Equal lengths go by id, then row; rows without a length come last.
    """

    example = {"n": 5, "length_from": "solution"}
    reasons: ClassVar[Mapping[str, str]] = {
        "not_among_longest": (
            "Rank {rank} by {length_from}, with {length}; {n} are kept, "
            "the last {last_id} with {last_length}."
        ),
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE | {"length": pl.Float64(), "last_length": pl.Float64()}

    length_from: LengthFrom

    def length(self) -> str:
        return self.length_from

    def column_names(self) -> tuple[str, ...]:
        return (lengths.column(self.length_from),)

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:
        return [lengths.length(rows, self.length_from).alias("length")]

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        return greatest_first(keys.get_column("length")), keys

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        return self.with_last(ranked, last_length="length")

    def reason(self) -> pl.Expr:
        return pl.lit("not_among_longest")


class KeepDiverse(Ordering):
    """Keeps rows spread over the domains: each draw picks a domain, then a row in it, uniformly.

    s1's 1K-diverse. A domain whose rows are all drawn leaves the draw.
    """

    needs = ("domain",)
    example = {"n": 5}
    reasons: ClassVar[Mapping[str, str]] = {
        "not_drawn": (
            "Rank {rank} in the draw, in domain {domain}, which gave {chosen_in_domain}; "
            "{n} are kept, the last {last_id}."
        ),
        "no_domain": NO_DOMAIN,
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE | {"domain": pl.String(), "chosen_in_domain": pl.UInt32()}

    seed: int = Field(default=0, ge=0, description="Seed of the draws.")

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:  # noqa: ARG002 - as it stands
        return [lengths.named("domain")]

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        name = self.stage_name()
        first = -numbers_by_id(keys, self.seed, name)
        domains = [
            Domain(generator(self.seed, name, domain), rows, first[rows], deep=False)
            for domain, rows in rows_by_domain(keys).items()
        ]
        nobody = np.zeros(keys.height, dtype=np.bool_)
        return np.array([draw.row for draw in draws(domains, nobody)], dtype=np.intp), keys

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        chosen = (pl.col("rank") <= self.n).sum().over("domain")
        return self.with_last(ranked.with_columns(chosen_in_domain=chosen))

    def reason(self) -> pl.Expr:
        return undrawn()


def rows_by_domain(keys: pl.DataFrame) -> dict[str, npt.NDArray[np.int64]]:
    """Row positions of each domain, in order; domains by name; rows without one are left out."""
    domain = keys.get_column("domain")
    names = domain.drop_nulls().unique().sort()
    if names.is_empty():
        return {}
    # Numbers as narrow as they can be: up to 16 bits numpy's stable sort is one radix pass.
    narrow = np.min_scalar_type(len(names))
    codes = domain.cast(pl.Enum(names)).to_physical().fill_null(len(names)).to_numpy()
    codes = codes.astype(narrow)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names))).tolist()
    return {n: order[start:end] for n, start, end in zip(names, [0, *ends], ends, strict=False)}


def undrawn() -> pl.Expr:
    """The reason of a row that draws from domains did not choose."""
    no_rank = pl.col("rank").is_null()
    return pl.when(no_rank).then(pl.lit("no_domain")).otherwise(pl.lit("not_drawn"))


class KeepTop(Ordering):
    """Keeps the rows with the greatest weighted sum of columns; equal sums by id, then row.

    A row that lacks a value (null, or not finite) comes after all that have every one, the fewer it
    lacks the earlier; among its like it counts as the worst of that column. Select2Reason's ranking
    (arXiv 2505.17266, section 3) is one of difficulty and length of the trace, each scaled
    to ranks: `weights: {difficulty: 0.5, traces.thinking_tokens: 0.5}`.
    """

    revision: ClassVar = 2
    example = {"n": 5, "weights": {"domain_score": 1.0}}
    reasons: ClassVar[Mapping[str, str]] = {
        "no_value": (
            "It has no {missing}, so it comes after all rows that have: rank {rank}; {n} are kept, "
            "the last {last_id} with {last_score}."
        ),
        "not_among_top": (
            "Rank {rank} with a score of {score}; {n} are kept, the last {last_id} "
            "with {last_score}."
        ),
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE | {
        "score": pl.Float64(),
        "last_score": pl.Float64(),
        "missing": pl.List(pl.String()),
    }

    weights: Pairs[float] = Field(
        min_length=1,
        description="Weight of each column; a negative one prefers small values. `column.field` is "
        "the greatest number of that field in a list of structs.",
    )
    scale: Literal["rank", "raw"] = Field(
        default="rank",
        description=(
            "`rank` replaces each value by the share of other rows below it (ties count half), "
            "so that columns of any unit can be added; `raw` adds the values as they are."
        ),
    )

    @field_validator("weights")
    @classmethod
    def _weights_count(cls, weights: tuple[tuple[str, float], ...]) -> object:
        idle = [name for name, weight in weights if weight == 0]
        if idle:
            msg = f"weights other than 0 are wanted, got 0 for {', '.join(idle)}: leave it out"
            raise ValueError(msg)
        if len({name for name, _ in weights}) < len(weights):
            msg = f"one weight per column is wanted, got {', '.join(name for name, _ in weights)}"
            raise ValueError(msg)
        return weights

    def column_names(self) -> tuple[str, ...]:
        return tuple(lengths.column(name) for name, _ in self.weights)

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        yield from super().check(columns, inputs)
        for name, _ in self.weights:
            dtype = columns.get(lengths.column(name))
            listed = "." in name
            number = dtype is None or dtype == pl.Boolean or dtype.is_numeric()
            fits = not list(lengths.problems(name, columns)) if listed else number
            if not fits:
                wanted = "numeric or Boolean columns, or column.field of numbers in a list"
                yield Problem("weights", wanted, f"{name}: {dtype}")

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:
        # Under prefixes, as a weighted column may itself be called `row`.
        return [lengths.length(rows, name).alias(f"weighted {name}") for name, _ in self.weights]

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        score = pl.lit(0.0)
        for name, weight in self.weights:
            score = score + weight * self._scaled(pl.col(f"weighted {name}"), weight)
        lacks = [
            pl.when(pl.col(f"weighted {name}").is_null()).then(pl.lit(name))
            for name, _ in self.weights
        ]
        missing = pl.concat_list(lacks).list.drop_nulls()
        scored = keys.with_columns(score=score, missing=missing)
        few = scored.get_column("missing").list.len().to_numpy()
        worst_last = -scored.get_column("score").to_numpy()
        return np.lexsort((worst_last, few)), scored

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        return self.with_last(ranked, last_score="score")

    def reason(self) -> pl.Expr:
        lacks = pl.col("missing").list.len() > 0
        return pl.when(lacks).then(pl.lit("no_value")).otherwise(pl.lit("not_among_top"))

    def _scaled(self, value: pl.Expr, weight: float) -> pl.Expr:
        worst = value.min() if weight > 0 else value.max()
        known = value.fill_null(worst).fill_null(0.0)
        if self.scale == "raw":
            return known
        others = (pl.len() - 1).clip(lower_bound=1)
        return (known.rank("average") - 1) / others
