"""A stage of another package, found by its entry point alone."""

from typing import ClassVar

import polars as pl
from pydantic import Field

from s1data import Filter


class DropShouted(Filter):
    """Drops questions that are written mostly in capitals."""

    needs = ("question",)
    reasons: ClassVar = {"shouted": "{share:.0%} capitals, of at most {most:.0%}."}
    evidence: ClassVar = {"share": pl.Float64()}

    most: float = Field(default=0.5, ge=0, le=1, description="Largest share of capital letters.")

    def verdicts(self, rows):
        question = pl.col("question").fill_null("")
        letters = question.str.count_matches(r"\p{L}").clip(1)
        share = question.str.count_matches(r"\p{Lu}") / letters
        shouted = share > self.most
        return rows.select(
            reason=pl.when(shouted).then(pl.lit("shouted")),
            evidence=pl.when(shouted).then(pl.struct(share=share)),
        )

    def keeps_if(self, evidence):
        return {"most": evidence["share"]}
