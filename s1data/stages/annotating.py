"""What a row resembles without being dropped for it: benchmark items as a column of annotations.

Beside the methods of `s1data.stages.matching` there are two that are no ground to drop a row.
*template*: text and item are the same once every number is masked, so the question is another one,
made from the item or from its kind. *embedding*: the vectors of row and item are near, which is
mostly so because both are of one subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from s1data.embedding import encoder_of, keys_of
from s1data.errors import StageError
from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, GlobalEnricher, Table, Vectors
from s1data.stages import items, matches, matching
from s1data.stages.held_against import HeldAgainst, each_once
from s1data.stages.matching import METHODS, Method
from s1data.stages.shingles import NUMBER
from s1data.stages.templates import masked

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float32]

Annotation: TypeAlias = Literal["ngram8", "rare_ngram8", "normalised", "fuzzy", "template",
                                "embedding"]  # fmt: skip
SLACK: Final = 1e-3
"""Products are in single precision, and are looked at again from so far below the threshold."""
ROWS_AT_A_TIME: Final = 8_192


class AddContamination(HeldAgainst, GlobalEnricher):
    """Adds ``contamination``: the benchmark items that a row resembles. Every row goes on.

    The methods of ``drop_contaminated``, each with its own evidence, and two more. ``template``:
    text and item are equal once every number is masked; ``score`` is the share of their numbers
    that are equal too, so that 1.0 is the very item. ``embedding``: the cosine of the vectors of
    row and item is at least ``embedding_score``; it needs ``add_embedding`` before it, with the
    same inputs in its ``also``, and its ``column`` is embedding.

    One entry per benchmark, item, method and column; an empty list where nothing was found. The
    manifest has, per benchmark and method, items and rows hit and rows that only this method found.
    """

    revision: ClassVar[int] = 3
    added: ClassVar = ("contamination",)
    example: ClassVar[Mapping[str, Any]] = {
        "against": ["held_out"],
        "methods": [*METHODS, "template", "embedding"],
        "embedding_score": 0.8,
    }
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {
        "held_out": [
            {"question": "How many legs have 3 spiders and 1 blackbird together?"},
            {"question": "Is the square root of two a rational number?"},
        ]
    }
    example_after: ClassVar = (
        ("add_embedding", {"encoder": "tfidf-svd", "dimensions": 8, "also": ["held_out"]}),
    )

    against: tuple[str, ...] = Field(
        min_length=1, description="Named inputs that hold benchmark questions."
    )
    methods: tuple[Annotation, ...] = Field(
        default=(*METHODS, "template"), min_length=1, description="How to look."
    )
    embedding_score: float = Field(
        default=0.9, ge=0.5, le=1, description="For embedding: the least cosine."
    )

    @model_validator(mode="after")
    def _names_once(self) -> AddContamination:
        each_once(self, ("against", "methods", "columns"))
        return self

    def reads(self) -> tuple[str, ...]:
        vectors = ("embedding",) if "embedding" in self.methods else ()
        return tuple(dict.fromkeys((*self.columns_, *vectors)))

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("row", *self.reads())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        of = items.read(self.against, engine, self.hashed)
        of_words: list[Method] = [name for name in METHODS if name in self.methods]
        parts = [self.finder(of).found(keys, engine, of_words)]
        if "template" in self.methods:
            held = _templates(of, self.normalisation)
            for column in self.columns_:
                texts = engine.map(keys, partial(matching.texts_of, column=column, engine=engine))
                same = partial(_same_template, held=held, how=self.normalisation)
                own = engine.collect(engine.map(texts, same))
                parts.append(own.with_columns(column=pl.lit(column)))
        if "embedding" in self.methods:
            parts.append(self._near(keys, of, engine))
        found = matches.in_order(parts)
        items.leave(of, found, engine)
        return matches.named(found, of)

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return matches.listed(rows, artefact, "contamination")

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        return matches.figures(artefact) | {"rows": artefact["row"].n_unique()}

    def _near(self, keys: Table, of: pl.DataFrame, engine: Engine) -> pl.DataFrame:
        rows = engine.collect(engine.map(keys, lambda batch: batch.select("row", "embedding")))
        rows = rows.drop_nulls("embedding").sort("row")
        encoder = encoder_of(rows["embedding"])
        if encoder is None or of.is_empty():
            return matches.lines_of("embedding", [])
        own, vectors = keys_of(encoder, of["question"]), engine.vectors(encoder)
        if lacking := vectors.missing(own).sum():
            raise StageError(
                f"stage {self.label}: wanted a vector for each of {of.height:,} benchmark items, "
                f"got none for {lacking:,}; write also: [{', '.join(self.against)}] in "
                "add_embedding"
            )
        near = _near_items(rows["embedding"], vectors, vectors.get(own), self.embedding_score)
        lines = [(rows["row"][at], item, None, score, None, None, None) for at, item, score in near]
        return matches.lines_of("embedding", lines).with_columns(column=pl.lit("embedding"))


def _templates(of: pl.DataFrame, how: Normalisation) -> pl.DataFrame:
    """``template``, ``numbers``, ``at_item`` and ``hashed`` of every item that has a number."""
    plain = normalised(of["question"], how)
    frame = of.select("hashed", template=masked(plain), numbers=plain.str.extract_all(NUMBER))
    return frame.with_row_index("at_item").filter(pl.col("numbers").list.len() > 0)


def _same_template(texts: pl.DataFrame, held: pl.DataFrame, how: Normalisation) -> pl.DataFrame:
    plain = normalised(texts["text"], how)
    rows = texts.select("row", plain=plain, template=masked(plain))
    pairs = rows.join(held, on="template", maintain_order="left_right")
    lines = []
    for row, text, _, item, hashed, theirs in pairs.select(
        "row", "plain", "template", "at_item", "hashed", "numbers"
    ).iter_rows():
        ours = pl.Series([text]).str.extract_all(NUMBER)[0].to_list()
        score = sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(theirs)
        lines.append((row, item, items.shown(text, hashed), round(score, 4), None, None, None))
    return matches.lines_of("template", lines)


def _near_items(
    keys: pl.Series, vectors: Vectors, of_items: Matrix, least: float
) -> list[tuple[int, int, float]]:
    """Place of the row, place of the item and cosine to four digits, of all that are near."""
    wanted = _units(of_items)
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(keys), ROWS_AT_A_TIME):
        units = _units(vectors.get(keys.slice(start, ROWS_AT_A_TIME)))
        one, other = np.nonzero(units @ wanted.T >= least - SLACK)
        exact = np.einsum("ij,ij->i", units[one], wanted[other], dtype=np.float64)
        score = np.minimum(np.round(exact, 4), 1.0)
        near = score >= least
        found += zip(
            (one[near] + start).tolist(), other[near].tolist(), score[near].tolist(), strict=True
        )
    return found


def _units(vectors: Matrix) -> Matrix:
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    units: Matrix = np.divide(vectors, length, dtype=np.float32)
    return units
