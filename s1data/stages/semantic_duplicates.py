"""Semantic duplicates: pairs of near vectors, each verified by words and numbers.

Near vectors alone are no evidence (11% of such pairs were the same question when measured), so a
pair counts only if it shares enough words and has the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import polars as pl
from pydantic import Field

from s1data.embedding import encoder_of
from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, Evidence, GlobalFilter, Table
from s1data.stages.duplicates import worth
from s1data.stages.linking import best_first
from s1data.stages.near_duplicates import EVIDENCE, linked, verdicts_of
from s1data.stages.shingles import PAIRS_AT_A_TIME, jaccard, numbers, shingles

if TYPE_CHECKING:
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]
    Scores = npt.NDArray[np.float64]
    Vectors = npt.NDArray[np.float32]

CELLS: Final = 16_000_000
"""Products held at once: 64 MB."""
SLACK: Final = 1e-3
"""Products are in single precision, and are looked at again from so far below the threshold."""
FLOOR: Final = 0.5
"""Least cosine of a candidate; no threshold lies below it."""


class DropSemanticDuplicates(GlobalFilter):
    """Drops questions of which a better row has almost the same vector, words and numbers.

    Every pair of vectors is looked at. It is alike if its cosine is at least ``threshold``, the
    Jaccard index of its words is at least ``words`` and, with ``same_numbers``, both have the same
    numbers in any order. Survivors and ``score`` (here a cosine, to four digits) are as in
    `drop_near_duplicates`. Rows without a vector or a question are kept. Time grows with the square
    of the rows, memory with the pairs that are alike.
    """

    revision: ClassVar[int] = 4
    needs: ClassVar[tuple[str, ...]] = ("question", "priority", "embedding")
    uses: ClassVar[tuple[str, ...]] = ("solution", "answer")
    reasons: ClassVar[Mapping[str, str]] = {
        "semantic_duplicate": (
            "means what a better row means (cosine {score}); of all linked by such pairs, "
            "row {survivor_row} (id {survivor_id}) is kept"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = EVIDENCE
    example: ClassVar[Mapping[str, Any]] = {"threshold": 0.7, "words": 0.3}
    example_after = (("add_embedding", {"encoder": "tfidf-svd", "dimensions": 8}),)

    threshold: float = Field(
        default=0.9, ge=FLOOR, le=1.0, description="Least cosine of two questions alike."
    )
    words: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Least Jaccard index of their words."
    )
    same_numbers: bool = Field(
        default=True, description="Whether two questions alike must have the same numbers."
    )
    normalisation: Normalisation = Field(
        default=Normalisation(), description="What is done to texts before they are compared."
    )

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        texts = normalised(rows.get_column("question"), self.normalisation)
        lowered = texts.str.to_lowercase()
        return rows.select(
            "id",
            "row",
            "priority",
            "embedding",
            *worth(rows),
            shingles(lowered, 1).alias("words"),
            numbers(texts).alias("numbers"),
        ).filter(texts.is_not_null() & pl.col("embedding").is_not_null())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = best_first(engine.collect(keys))
        encoder = encoder_of(rows.get_column("embedding"))
        if encoder is None:
            nothing = np.zeros(0, np.int64)
            return linked(rows, nothing, nothing, np.zeros(0), "semantic", engine)
        # A vector may be of another column, so equal ones are no evidence either.
        same = ["embedding", "words", "numbers"]
        placed = rows.select(*same).with_row_index("at")
        first = placed.with_columns(first=pl.col("at").first().over(same))
        copies = first.filter(pl.col("at") != pl.col("first"))
        single = first.filter(pl.col("at") == pl.col("first"))
        places = single.get_column("at").to_numpy().astype(np.int64)
        vectors = engine.vectors(encoder).get(single.get_column("embedding"))
        one, other, score = self._pairs(single, vectors)
        left = np.concatenate([copies["first"].to_numpy(), places[one]]).astype(np.int64)
        right = np.concatenate([copies["at"].to_numpy(), places[other]]).astype(np.int64)
        score = np.concatenate([np.ones(copies.height), score])
        return linked(rows, left, right, score, "semantic", engine)

    def _pairs(self, rows: pl.DataFrame, vectors: Vectors) -> tuple[Places, Places, Scores]:
        """Places of two that are alike, and their cosines."""
        number = rows["numbers"].to_numpy() if self.same_numbers else np.zeros(rows.height)
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        parts = [nothing]
        for one, other, score in near(vectors, number, self.threshold):
            alike = jaccard(rows["words"], one, other) >= self.words
            parts.append((one[alike], other[alike], score[alike]))
        left, right, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
        return left, right, scores

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return verdicts_of(rows, artefact, "semantic_duplicate")

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        score = float(evidence["score"])
        return {"threshold": math.nextafter(score, 2)} if score < 1 else None


def near(
    vectors: Vectors, group: npt.NDArray[Any], threshold: float
) -> Iterator[tuple[Places, Places, Scores]]:
    """Pairs of one group (lower first, each once) and their cosines to four digits, in pieces.

    Products of one block of rows at a time say where to look; a cosine is then made of its two
    vectors alone, so that it is the same whatever else is there.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(length, 1e-12)
    rows = max(CELLS // max(len(units), 1), 1)
    for at in range(0, len(units), rows):
        products = units[at : at + rows] @ units[at:].T
        one, other = np.nonzero(np.triu(products >= threshold - SLACK, 1))
        one, other = one + at, other + at
        same = group[one] == group[other]
        one, other = one[same], other[same]
        for start in range(0, len(one), PAIRS_AT_A_TIME):
            left, right = (
                one[start : start + PAIRS_AT_A_TIME],
                other[start : start + PAIRS_AT_A_TIME],
            )
            exact = np.einsum("ij,ij->i", units[left], units[right], dtype=np.float64)
            score = np.minimum(np.round(exact, 4), 1.0)
            wanted = score >= threshold
            yield left[wanted], right[wanted], score[wanted]
