"""Against an earlier published set: which questions it holds already, and how it writes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from s1data import pool
from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, Evidence, GlobalFilter, Problem, Table
from s1data.stages import minhash
from s1data.stages.shingles import jaccard, numbers, shingles
from s1data.stages.templates import digests

SHINGLE = 3


class DropPublished(GlobalFilter):
    """Drops questions that a published set holds: the same text, normalised or nearly.

    Evidence is the best match: ``published`` names the input, ``item`` counts its rows from 0,
    ``published_id`` is the id of its question, ``method`` is exact, normalised or near, ``score``
    1.0 for the first two and the Jaccard index of shingles of three tokens for near (texts with
    other numbers are never near). Items without a question are passed over.
    """

    revision: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("question",)
    reasons: ClassVar[Mapping[str, str]] = {
        "already_published": (
            "is item {item} of {published} (id {published_id}), by the method {method} "
            "with a score of {score:.3f}"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = {
        "published": pl.String(),
        "item": pl.UInt32(),
        "published_id": pl.String(),
        "method": pl.String(),
        "score": pl.Float64(),
    }
    example: ClassVar[Mapping[str, Any]] = {"against": ["earlier_set"], "threshold": 0.6}
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {
        "earlier_set": [
            {"question": "How many legs have three spiders and one blackbird together?"},
            {"question": "Is the square root of two a rational number?"},
        ]
    }

    against: tuple[str, ...] = Field(
        min_length=1, description="Named inputs that hold published questions."
    )
    threshold: float = Field(
        default=0.8, ge=0.5, le=1.0, description="Least Jaccard index of a near match."
    )
    normalisation: Normalisation = Field(
        default=Normalisation(), description="What is done to texts before they are compared."
    )

    def inputs(self) -> tuple[str, ...]:
        return self.against

    def check(
        self,
        columns: Mapping[str, pl.DataType],  # noqa: ARG002 - the name is the contract's
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        for name in self.against:
            has = inputs.get(name, {"question": pl.String()})
            if not isinstance(has.get("question"), pl.String):
                yield Problem(
                    "against",
                    f"a String column question in input {name}",
                    f"columns {', '.join(has)}",
                    "name the column of its questions in the input's columns, as question",
                )

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return _compared(rows.select("row", "id", "question"), self.normalisation)

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = engine.collect(keys).sort("id", "row")
        sets = [_items(name, engine.read(name)) for name in self.against]
        items = _compared(pl.concat(sets), self.normalisation).with_row_index("order")
        told = ["published", "item", "published_id", "order"]
        exact = rows.join(items, left_on="id", right_on="published_id", coalesce=False)
        same = rows.join(items, on="text")
        near, scores = self._near(rows, items)
        found = pl.concat([
            exact.select("row", *told, method=pl.lit("exact"), score=pl.lit(1.0)),
            same.select("row", *told, method=pl.lit("normalised"), score=pl.lit(1.0)),
            near.select("row", *told, method=pl.lit("near"), score=pl.Series(scores)),
        ])  # fmt: skip
        best = found.with_row_index("rank").with_columns(
            level=pl.col("method").replace_strict({"exact": 0, "normalised": 1, "near": 2})
        ).sort("row", "level", pl.col("score") * -1, "order")  # fmt: skip
        return best.unique("row", keep="first", maintain_order=True).select("row", *self.evidence)

    def _near(self, rows: pl.DataFrame, items: pl.DataFrame) -> tuple[pl.DataFrame, Any]:
        lists = pl.concat([items["shingles"], rows["shingles"]])
        apart = pl.concat([items["numbers"], rows["numbers"]])
        left, right = minhash.candidates(lists, apart, between=items.height)
        score = jaccard(lists, left, right)
        ours, alike = apart.to_numpy(), score >= self.threshold
        alike &= ours[left] == ours[right]
        theirs = items.select("published", "item", "published_id", "order")[left[alike]]
        near = pl.concat(
            [rows.select("row")[right[alike] - items.height], theirs], how="horizontal"
        )
        return near, np.asarray(score[alike])

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        lines = artefact.select(
            "row", reason=pl.lit("already_published"), evidence=pl.struct(*self.evidence)
        )
        joined = rows.select("row").join(lines, on="row", how="left", maintain_order="left")
        return joined.select("reason", "evidence")

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        score = float(evidence["score"])
        known = evidence["method"] != "near" or score >= 1
        return None if known else {"threshold": math.nextafter(score, 2)}


def _items(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    ids = pool.question_ids(frame.get_column("question")).alias("published_id")
    items = frame.select("question").with_row_index("item")
    return items.with_columns(ids, published=pl.lit(name))


def _compared(frame: pl.DataFrame, how: Normalisation) -> pl.DataFrame:
    texts = normalised(frame.get_column("question"), how)
    return (
        frame.drop("question")
        .with_columns(
            digests(texts).alias("text"),
            shingles(texts, SHINGLE).alias("shingles"),
            numbers(texts).alias("numbers"),
        )
        .filter(texts.is_not_null())
    )
