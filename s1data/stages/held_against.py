"""The fields of stages that hold rows against benchmarks, and the `Finder` that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl
from pydantic import Field

from s1data.normalising import Normalisation
from s1data.stage import Problem, Stage
from s1data.stages import items, matching
from s1data.stages.matching import Finder

MAX_N = 1000


class HeldAgainst(Stage):
    """What is held against which items, and how."""

    against: tuple[str, ...] = Field(
        default=(), description="Named inputs that hold benchmark questions, first match first."
    )
    columns_: tuple[str, ...] = Field(
        alias="columns",
        default=("question",),
        min_length=1,
        description="What of a row is held against the items: columns of texts, or of lists of "
        "replies (traces, attempts), whose texts are looked up.",
    )
    n: int = Field(default=8, gt=0, le=MAX_N, description="Words in an n-gram.")
    common_rows: int = Field(
        default=10,
        gt=0,
        description="For rare_ngram8: n-grams that more rows than this have count for nothing.",
    )
    fuzzy_score: float = Field(
        default=0.85, gt=0, le=1, description="For fuzzy: the least share of characters alike."
    )
    fuzzy_common_rows: int = Field(
        default=200,
        gt=0,
        description="For fuzzy: runs of three words that more rows than this have count only "
        "where few items have them and the text has half of those of an item.",
    )
    same_numbers: bool = Field(
        default=True, description="For fuzzy: whether the item's numbers must all be in the text."
    )
    normalisation: Normalisation = Field(
        default=Normalisation(case=True, number_words=True),
        description="Steps for normalised and fuzzy; numbers are always kept.",
    )
    hashed: tuple[str, ...] = Field(
        default=(),
        description="Benchmarks or inputs whose words evidence shows as digests only, beside those "
        "known to ask for it.",
    )

    def reads(self) -> tuple[str, ...]:
        return self.columns_

    def inputs(self) -> tuple[str, ...]:
        return self.against

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        yield from items.problems(self.against, inputs)
        yield from matching.problems(self.columns_, columns)

    def finder(self, of: pl.DataFrame) -> Finder:
        """Looks for the items as the fields say."""
        return Finder(
            items=of,
            columns=self.columns_,
            n=self.n,
            common_rows=self.common_rows,
            fuzzy_score=self.fuzzy_score,
            fuzzy_common_rows=self.fuzzy_common_rows,
            same_numbers=self.same_numbers,
            normalisation=self.normalisation,
        )


def each_once(stage: Stage, fields: tuple[str, ...]) -> None:
    """ValueError where a list of names has one twice."""
    for field in fields:
        names: tuple[str, ...] = getattr(stage, "columns_" if field == "columns" else field)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"{field}: wanted each name once, got {', '.join(twice)} more than once"
            raise ValueError(msg)
