"""Semantic duplicates: nearest neighbours among vectors, each verified by words and numbers.

Near vectors alone are no evidence (11% of such pairs were the same question when measured), so a
pair counts only if it shares enough words and has the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from s1data.stages.shingles import jaccard, numbers, shingles

if TYPE_CHECKING:
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

NEIGHBOURS: Final = 16
"""Nearest neighbours looked at for each vector."""
CELLS: Final = 16_000_000
"""Products held at once: 64 MB."""
FLOOR: Final = 0.5
"""Least cosine of a candidate; no threshold lies below it."""


class DropSemanticDuplicates(GlobalFilter):
    """Drops questions of which a better row has almost the same vector, words and numbers.

    Candidates are the 16 nearest neighbours of each vector. A pair is alike if its cosine is at
    least ``threshold``, the Jaccard index of its words is at least ``words`` and, with
    ``same_numbers``, both have the same numbers in any order. Survivors and ``score`` (here a
    cosine, to four digits) are as in `drop_near_duplicates`. Rows without a vector are kept.
    """

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
        ).filter(pl.col("embedding").is_not_null())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = best_first(engine.collect(keys))
        encoder = encoder_of(rows.get_column("embedding"))
        if encoder is None:
            nothing = np.zeros(0, np.int64)
            return linked(rows, nothing, nothing, np.zeros(0), "semantic", engine)
        placed = rows.select("embedding").with_row_index("at")
        first = placed.with_columns(first=pl.col("at").first().over("embedding"))
        copies = first.filter(pl.col("at") != pl.col("first"))
        # In the order of keys: the same products for any order of rows.
        single = first.filter(pl.col("at") == pl.col("first")).sort("embedding")
        places = single.get_column("at").to_numpy().astype(np.int64)
        vectors = engine.vectors(encoder).get(single.get_column("embedding"))
        one, other, score = nearest(vectors, self.threshold)
        alike = self._verified(rows[places], one, other)
        left = np.concatenate([copies["first"].to_numpy(), places[one[alike]]]).astype(np.int64)
        right = np.concatenate([copies["at"].to_numpy(), places[other[alike]]]).astype(np.int64)
        score = np.concatenate([np.ones(copies.height), score[alike]])
        return linked(rows, left, right, score, "semantic", engine)

    def _verified(self, rows: pl.DataFrame, one: Places, other: Places) -> npt.NDArray[np.bool_]:
        alike: npt.NDArray[np.bool_] = jaccard(rows["words"], one, other) >= self.words
        if self.same_numbers:
            number = rows["numbers"].to_numpy()
            alike &= number[one] == number[other]
        return alike

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return verdicts_of(rows, artefact, "semantic_duplicate")

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        score = float(evidence["score"])
        return {"threshold": math.nextafter(score, 2)} if score < 1 else None


def nearest(
    vectors: npt.NDArray[np.float32], threshold: float
) -> tuple[Places, Places, npt.NDArray[np.float64]]:
    """Pairs (lower first, each once) of near neighbours, and their cosines to four digits.

    One block of rows is held against all at a time; all products at once are never held.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(length, 1e-12)
    rows, most = max(CELLS // max(len(units), 1), 1), min(NEIGHBOURS + 1, len(units))
    found: dict[str, list[npt.NDArray[np.float64]]] = {"pair": [], "score": []}
    for at in range(0, len(units), rows):
        products = units[at : at + rows] @ units.T
        near = np.argpartition(-products, most - 1, axis=1)[:, :most]
        cosine = np.round(np.take_along_axis(products, near, axis=1).astype(np.float64), 4)
        here = np.arange(at, at + len(products))[:, None]
        wanted = (cosine >= threshold) & (near != here)
        low, high = np.minimum(here, near)[wanted], np.maximum(here, near)[wanted]
        found["pair"].append((low << 32) | high)
        found["score"].append(np.minimum(cosine[wanted], 1.0))
    pairs = np.concatenate([np.zeros(0, np.int64), *found["pair"]])
    unique, first = np.unique(pairs, return_index=True)
    scores = np.concatenate([np.zeros(0), *found["score"]])[first]
    return unique >> 32, unique & 0xFFFFFFFF, scores
