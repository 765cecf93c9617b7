"""s1's selection in its two published forms, as one order over all rows.

Preselected rows come first: the longest of them, then by id. Then rows are drawn: a domain, then a
row in it, the k-th longest of those left with weight 2^-k. The paper's form (Algorithm 1) draws
domains uniformly throughout. The notebook's form (``filter.ipynb``) does so until ``hand_over``
rows are chosen, preselected ones counted, and goes on in proportion to a mix of benchmark domains;
when these are empty ours goes on uniformly, where the notebook would fail. Preselected rows stay
in the draw: drawing one uses it up and adds nothing. Equal lengths go by id, then row, where the
notebook leaves them to an unstable sort.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from s1data.frozen import Frozen
from s1data.stage import Engine
from s1data.stages import lengths
from s1data.stages.draws import Domain, Draw, Rates, draws, generator
from s1data.stages.lengths import LengthFrom
from s1data.stages.ordering import CHOSEN_BEFORE, UNDER_QUOTA, Ordering, Places
from s1data.stages.selection import NO_DOMAIN, rows_by_domain, undrawn

AS_COUNTED: Final = "as_counted"
SCALED: Final = "scaled"
DRAWN: Final = np.dtype(
    [("row", np.int64), ("domain", np.int64), ("place", np.uint32), ("from_mix", np.bool_)]
)


class Mix(Frozen):
    """The notebook's second half: domains weighted by how often two groups of sources have them.

    The domain counts of ``as_counted`` plus those of ``scaled``, each of the latter made
    int(count x ``share`` x total of ``as_counted`` / total of ``scaled``). Counted before any
    draw on the rows that enter the stage and have a domain; a domain that comes to 0 is not in it.
    """

    hand_over: int = Field(ge=0, description="Rows chosen, preselected ones included, before it.")
    as_counted: tuple[str, ...] = Field(
        min_length=1, description="Values of `source_type` whose domain counts are taken as is."
    )
    scaled: tuple[str, ...] = Field(
        min_length=1, description="Values of `source_type` whose domain counts are scaled."
    )
    share: float = Field(
        default=0.5, gt=0, description="Total of the scaled counts for 1 row counted as is."
    )

    def weights(self, keys: pl.DataFrame) -> dict[str, int]:
        """The weight of each domain in the mix, from ``domain`` and ``group``."""
        with_domain = keys.filter(pl.col("domain").is_not_null())
        counted, scaled = (_counts(with_domain, group) for group in (AS_COUNTED, SCALED))
        # One factor, then one product, as the notebook rounds.
        factor = self.share * sum(counted.values()) / sum(scaled.values()) if scaled else 0.0
        total = {d: counted.get(d, 0) + int(scaled.get(d, 0) * factor) for d in counted | scaled}
        return {domain: weight for domain, weight in sorted(total.items()) if weight > 0}

    def group(self) -> pl.Expr:
        """Which of the two groups a row is of, else null."""
        source = pl.col("source_type")
        return (
            pl.when(source.is_in(self.as_counted))
            .then(pl.lit(AS_COUNTED))
            .when(source.is_in(self.scaled))
            .then(pl.lit(SCALED))
        )


def _counts(keys: pl.DataFrame, group: str) -> dict[str, int]:
    counts = keys.filter(pl.col("group") == group).group_by("domain").len()
    return dict(counts.iter_rows())


class KeepS1(Ordering):
    """Keeps rows as s1 did: preselected ones, then long ones drawn over domains.

    Section 2.2 and Algorithm 1 of the paper (`paper`), or the notebook's code (`notebook`, which
    takes a `mix`). A row without a length is the shortest of its domain. A row without a domain
    can be preselected, never drawn. s1's preselection, as data:

        preselect:
          - {right: teacher_right, source_type: [Idavidrein/gpqa, qq8933/AIME_1983_2024]}
          - {right: teacher_right, source_contains: [qfq/openaimath], length_over: 5600}
        mix: {hand_over: 700, as_counted: [qq8933/AIME_1983_2024], scaled: [Idavidrein/gpqa]}
    """

    needs = ("domain",)
    example = {
        "n": 5,
        "length_from": "solution",
        "form": "notebook",
        "preselect": [{"source_type": ["contest"], "length_over": 20}],
        "mix": {"hand_over": 3, "as_counted": ["contest"], "scaled": ["science"]},
    }
    reasons: ClassVar[Mapping[str, str]] = {
        "not_drawn": (
            "Rank {rank}; {n} are kept. Its domain {domain} gave {chosen_in_domain}, the last "
            "{last_id} with length {last_length}; this row has {length} by {length_from}."
        ),
        "preselected_past_n": (
            "Preselected, but {n} are kept and the preselected rows before it fill them: "
            "rank {rank} with length {length} by {length_from}."
        ),
        "no_domain": NO_DOMAIN,
        **UNDER_QUOTA,
    }
    evidence = CHOSEN_BEFORE | {
        "how": pl.String(),
        "domain": pl.String(),
        "length": pl.Float64(),
        "place": pl.UInt32(),
        "weight": pl.Float64(),
        "chosen_in_domain": pl.UInt32(),
        "last_length": pl.Float64(),
    }

    n: int = Field(default=1000, gt=0, lt=2**32, description="How many rows to keep.")
    seed: int = Field(default=0, ge=0, description="Seed of the draws.")
    form: Literal["paper", "notebook"] = Field(
        default="paper",
        description="`paper` draws domains uniformly; `notebook` hands over to the `mix`.",
    )
    length_from: LengthFrom
    mix: Mix | None = Field(default=None, description="Second half of the `notebook` form.")

    @model_validator(mode="after")
    def _form_and_mix_agree(self) -> KeepS1:
        if (self.form == "notebook") != (self.mix is not None):
            wanted = "a mix" if self.form == "notebook" else "no mix"
            msg = f"form {self.form} wants {wanted}: give form: notebook and mix together"
            raise ValueError(msg)
        return self

    def length(self) -> str:
        return self.length_from

    def column_names(self) -> tuple[str, ...]:
        mixed = ("source_type",) if self.mix is not None else ()
        return (*self.needs, lengths.column(self.length_from), *mixed)

    def narrow(self, rows: pl.DataFrame) -> list[pl.Expr]:
        group = self.mix.group() if self.mix else pl.lit(None, dtype=pl.String)
        length = lengths.length(rows, self.length_from)
        return [lengths.named("domain"), length.alias("length"), group.alias("group")]

    def order(self, keys: pl.DataFrame, engine: Engine) -> tuple[Places, pl.DataFrame]:  # noqa: ARG002 - others need it
        drawn = np.fromiter(self.draws(keys), dtype=DRAWN)
        preselected = keys.get_column("preselected").to_numpy()
        first = np.flatnonzero(preselected)
        first = first[np.argsort(-_or_shortest(keys)[first], kind="stable")]
        then = drawn[~preselected[drawn["row"]]]
        from_mix = np.zeros(keys.height, dtype=np.bool_)
        from_mix[then["row"]] = then["from_mix"]
        place = np.zeros(keys.height, dtype=np.uint32)
        place[then["row"]] = then["place"]
        was_drawn = np.zeros(keys.height, dtype=np.bool_)
        was_drawn[then["row"]] = True
        explained = keys.with_columns(
            pl.Series("from_mix", from_mix),
            pl.Series("place", place),
            pl.Series("was_drawn", was_drawn),
        ).with_columns(_how(), *_place_and_weight())
        return np.concatenate([first, then["row"]]), explained

    def reason(self) -> pl.Expr:
        return pl.when("preselected").then(pl.lit("preselected_past_n")).otherwise(undrawn())

    def why(self, ranked: pl.DataFrame) -> pl.DataFrame:
        chosen = ranked.filter(pl.col("rank") <= self.n).sort("rank")
        last = chosen.group_by("domain").agg(
            last_id=pl.col("id").last(),
            last_length=pl.col("length").last(),
            chosen_in_domain=pl.len(),
        )
        joined = ranked.join(last, on="domain", how="left", maintain_order="left")
        stays_out = (pl.col("rank") > self.n).fill_null(False)
        return joined.with_columns(
            pl.when(stays_out).then("last_id").alias("last_id"),
            pl.when(stays_out).then("last_length").alias("last_length"),
            pl.when(pl.col("domain").is_not_null()).then(pl.col("chosen_in_domain").fill_null(0)),
        )

    def draws(self, keys: pl.DataFrame) -> Iterator[Draw]:
        """The draws over ``keys`` sorted by (id, row), one after the other, until none is left.

        ``keys`` have a column ``preselected`` beside those of `keys`.
        """
        name = self.stage_name()
        length = _or_shortest(keys)
        by_domain = rows_by_domain(keys)
        domains = [
            Domain(generator(self.seed, name, domain), rows, length[rows], deep=True)
            for domain, rows in by_domain.items()
        ]
        rates = None
        if self.mix is not None:
            weights = self.mix.weights(keys)
            numbers = {domain: i for i, domain in enumerate(by_domain)}
            rates = Rates(self.mix.hand_over, {numbers[d]: float(w) for d, w in weights.items()})
        return draws(domains, keys.get_column("preselected").to_numpy(), rates)


def _or_shortest(keys: pl.DataFrame) -> npt.NDArray[np.float64]:
    return keys.get_column("length").fill_null(-np.inf).to_numpy()


def _how() -> pl.Expr:
    return (
        pl.when("preselected")
        .then(pl.lit("preselected"))
        .when(~pl.col("was_drawn"))
        .then(None)
        .when("from_mix")
        .then(pl.lit("drawn_from_mix"))
        .otherwise(pl.lit("drawn"))
        .alias("how")
    )


def _place_and_weight() -> tuple[pl.Expr, pl.Expr]:
    drawn = pl.when(pl.col("was_drawn"))
    weight = pl.lit(0.5).pow(pl.col("place").cast(pl.Float64))
    return drawn.then("place").alias("place"), drawn.then(weight).alias("weight")
