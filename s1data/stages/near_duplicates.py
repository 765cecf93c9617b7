"""Near-duplicates: questions whose words are almost the same, found by MinHash, decided exactly.

Candidates come from `s1data.stages.minhash`; each is verified by the Jaccard index of the sets of
shingles of the normalised texts. By default two questions with other numbers are never alike:
*same template, other numbers* is a class of its own (`s1data.stages.templates`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import polars as pl
from pydantic import Field

from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, Evidence, GlobalFilter, Table
from s1data.stages import minhash
from s1data.stages.duplicates import worth
from s1data.stages.linking import best_first, giving_way
from s1data.stages.shingles import content_words, jaccard, numbers, shingles, words_apart

if TYPE_CHECKING:
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]
    Scores = npt.NDArray[np.float64]

EVIDENCE: Final[dict[str, pl.DataType]] = {
    "survivor_row": pl.UInt32(),
    "survivor_id": pl.String(),
    "method": pl.String(),
    "score": pl.Float64(),
}


class DropNearDuplicates(GlobalFilter):
    """Drops questions of which a better row shares almost all shingles.

    Texts are normalised, and cut into runs of ``shingle`` tokens; two are alike if the Jaccard
    index of these sets is at least ``threshold``, if with ``same_numbers`` both have the same
    numbers in any order, and if at most ``words_apart`` words, little ones aside, stand in one of
    them only (by default none, since most pairs share a passage and ask something else). Likeness
    is passed on: of all rows linked by it one survives, by the rule of `drop_duplicates`
    (priority, one with a solution, one with an answer, longest solution, id).

    Evidence names the survivor. ``score`` is the threshold up to which the row is dropped: the
    weakest link on the strongest chain of rows to a better one, which is the Jaccard index itself
    where two rows are alike. The frame ``pairs`` beside the record lists every verified pair.
    """

    revision: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("question", "priority")
    uses: ClassVar[tuple[str, ...]] = ("solution", "answer")
    reasons: ClassVar[Mapping[str, str]] = {
        "near_duplicate": (
            "shares {score:.3f} of its shingles with a better row; of all linked by such pairs, "
            "row {survivor_row} (id {survivor_id}) is kept"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = EVIDENCE
    example: ClassVar[Mapping[str, Any]] = {"threshold": 0.6, "shingle": 2, "words_apart": 2}

    threshold: float = Field(
        default=0.8, ge=0.5, le=1.0, description="Least Jaccard index of two questions alike."
    )
    shingle: int = Field(default=3, ge=1, le=16, description="Tokens in a shingle.")
    same_numbers: bool = Field(
        default=True, description="Whether two questions alike must have the same numbers."
    )
    words_apart: int | None = Field(
        default=0,
        ge=0,
        description="Most words (little ones aside) that may stand in one of two questions only; "
        "any number if null.",
    )
    normalisation: Normalisation = Field(
        default=Normalisation(), description="What is done to texts before they are compared."
    )

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        texts = normalised(rows.get_column("question"), self.normalisation)
        made = [shingles(texts, self.shingle).alias("shingles")]
        if self.same_numbers:
            made.append(numbers(texts).alias("numbers"))
        if self.words_apart is not None:
            made.append(content_words(texts).alias("words"))
        keys = rows.select("id", "row", "priority", *worth(rows), *made)
        return keys.filter(texts.is_not_null())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = best_first(engine.collect(keys))
        left, right, score = self._pairs(rows)
        return linked(rows, left, right, score, "near", engine)

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return verdicts_of(rows, artefact, "near_duplicate")

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        score = float(evidence["score"])
        return {"threshold": math.nextafter(score, 2)} if score < 1 else None

    def _pairs(self, rows: pl.DataFrame) -> tuple[Places, Places, Scores]:
        """Places in ``rows`` of two that are alike, and how much; equal ones in a star."""
        same = ["shingles", "numbers"] if self.same_numbers else ["shingles"]
        placed = rows.select(*same).with_row_index("at")
        first = placed.select("at", pl.col("at").first().over(same).alias("first"))
        copies = first.filter(pl.col("at") != pl.col("first"))
        single = first.filter(pl.col("at") == pl.col("first")).get_column("at").to_numpy()
        lists = rows.get_column("shingles").gather(single)
        apart = rows.get_column("numbers").gather(single) if self.same_numbers else None
        left, right = minhash.candidates(lists, apart)
        score = jaccard(lists, left, right)
        alike = score >= self.threshold
        if self.words_apart is not None:
            left, right, score = left[alike], right[alike], score[alike]
            words = rows.get_column("words").gather(single)
            alike = words_apart(words, left, right) <= self.words_apart
        if apart is not None and len(left):  # equal bucket keys may be chance
            alike &= apart.to_numpy()[left] == apart.to_numpy()[right]
        return (
            np.concatenate([copies["first"].to_numpy(), single[left[alike]]]).astype(np.int64),
            np.concatenate([copies["at"].to_numpy(), single[right[alike]]]).astype(np.int64),
            np.concatenate([np.ones(copies.height), score[alike]]),
        )


def linked(
    rows: pl.DataFrame, left: Places, right: Places, score: Scores, method: str, engine: Engine
) -> pl.DataFrame:
    """The artefact: row and `EVIDENCE` of each row that gives way. Leaves the pairs behind."""
    place = rows.select("row", "id")
    pairs = pl.concat(
        [place[left].rename({"row": "row", "id": "id"}),
         place[right].rename({"row": "other_row", "id": "other_id"})],
        how="horizontal",
    )  # fmt: skip
    engine.write("pairs", pairs.with_columns(method=pl.lit(method), score=pl.Series(score)))
    found = giving_way(left, right, score)
    survivors = place[found["survivor"].to_numpy()].rename(
        {"row": "survivor_row", "id": "survivor_id"}
    )
    lines = pl.concat([place[found["at"].to_numpy()].select("row"), survivors], how="horizontal")
    return (
        lines.with_columns(method=pl.lit(method), score=found["score"])
        .cast({"row": pl.UInt32, "survivor_row": pl.UInt32})
        .sort("row")
    )


def verdicts_of(rows: pl.DataFrame, artefact: pl.DataFrame, reason: str) -> pl.DataFrame:
    """The verdicts that an artefact of `linked` leads to."""
    lines = artefact.select("row", reason=pl.lit(reason), evidence=pl.struct(*EVIDENCE))
    joined = rows.select("row").join(lines, on="row", how="left", maintain_order="left")
    return joined.select("reason", "evidence")
