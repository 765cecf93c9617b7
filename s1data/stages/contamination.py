"""Contamination: questions, solutions and traces that match an item of a benchmark are dropped.

The rule that s1 used has two halves (its ``collect_data.py``). Every question is held against the
benchmarks: any shared word 8-gram drops it. And as s1 took in one source after the other, what it
accepted of a source joined the reference for the sources after it, so the rule is a deduplication
across sources as well, whose result depends on their order. `DropContaminated` does the first for
``against`` and the second for ``cross_source``; other methods stand beside the first, each with
its own evidence (`s1data.stages.matching`). Questions of fewer than n words never match by n-grams.

Methods look by hashes and decide on the texts themselves. Texts stay in their batch; what is
gathered is narrow: pairs of row and item, and hashes of n-grams that pool and benchmarks share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from s1data.stage import Engine, Evidence, GlobalFilter, Table
from s1data.stages import cross_source as joining
from s1data.stages import items, matches, ngrams
from s1data.stages.held_against import MAX_N, HeldAgainst, each_once
from s1data.stages.matching import METHODS, Method

EVIDENCE: Final[dict[str, pl.DataType]] = {
    "method": pl.String(),
    "column": pl.String(),
    "benchmark": pl.String(),
    "item": pl.UInt32(),
    "item_id": pl.String(),
    "span": pl.String(),
    "score": pl.Float64(),
    "fuzzy": pl.Float64(),
    "run": pl.UInt32(),
    "pool_rows": pl.UInt32(),
    "found_by": pl.List(pl.String()),
    "source": pl.String(),
    "earlier_source": pl.String(),
    "earlier_row": pl.UInt32(),
}
ARTEFACT: Final = pl.Schema(
    {"row": pl.UInt32(), "reason": pl.String(), "at": pl.UInt32(), "first": pl.Boolean()}
    | {
        name: dtype
        for name, dtype in EVIDENCE.items()
        if name not in ("found_by", "fuzzy", "source")
    }
)
"""One line per row, method, column and item; ``first`` marks the item evidence names. Where the
match is a row of an earlier source, the n-gram is read from the question, from word ``at`` on."""


class DropContaminated(HeldAgainst, GlobalFilter):
    """Drops rows that match an item of a benchmark, or share words with an earlier source.

    ``ngram8``: the text shares a run of n words with the item, a word being a piece of
    ``text.lower().split()`` (s1's rule). ``rare_ngram8``: the same, where n-grams that more than
    ``common_rows`` rows of this pool have count for nothing, so that an item which more rows
    hold is not found by it. ``normalised``: text and item are equal after normalisation but for a
    leading number and the last full stop, however short; or an item of fewer than eight words,
    with a number or a formula, is a sentence of the question. ``fuzzy``: the item, or all of a cut
    text, stands in the text but for a few characters or the order of its words, with the same
    numbers.

    Evidence is of the first of ``methods`` that found the row, in the first of ``columns``:
    the first item in the order of ``against`` (of fuzzy, the most alike), and ``span``, the words
    that matched; a digest of them where the benchmark's authors ask that items are not shown.
    ``item`` counts from 0 within its benchmark. ``run`` is the longest run of words shared with any
    item, ``fuzzy`` the best score of fuzzy, ``pool_rows`` how many rows have the n-gram,
    ``found_by`` every method that found the row.
    A benchmark is named by the input's column ``benchmark``, else ``file``, else by the input.

    With ``cross_source`` a question is also held against the accepted questions of the sources
    named before its own; evidence is the lowest accepted row that matches. Rows of sources not
    named there are held against ``against`` only, and join nothing.
    """

    revision: ClassVar[int] = 5
    reasons: ClassVar[Mapping[str, str]] = {
        "in_benchmark": (
            'its {column} matches item {item} of {benchmark} by {method}: "{span}"; '
            "found by {found_by}"
        ),
        "in_earlier_source": (
            'shares the words "{span}" with row {earlier_row} of {earlier_source}, '
            "which was accepted before {source}"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = EVIDENCE
    example: ClassVar[Mapping[str, Any]] = {
        "against": ["held_out"],
        "cross_source": ["first", "second"],
        "methods": METHODS,
        "n": 4,
    }
    example_inputs: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {
        "held_out": [
            {"question": "How many legs have three spiders and one blackbird together?"},
            {"question": "Is the square root of two a rational number?"},
        ]
    }

    methods: tuple[Method, ...] = Field(
        default=("ngram8",), min_length=1, description="How to look; a row is dropped by any."
    )
    cross_source: tuple[str, ...] = Field(
        default=(),
        description="Sources in the order in which they join: accepted rows of one are held "
        "against those after it.",
    )

    @model_validator(mode="after")
    def _held_against_something(self) -> DropContaminated:
        if not self.against and not self.cross_source:
            msg = "against: wanted at least one named input, got none and no cross_source either"
            raise ValueError(msg)
        each_once(self, ("against", "cross_source", "methods", "columns"))
        return self

    def reads(self) -> tuple[str, ...]:
        other = ("question", "source") if self.cross_source else ()
        return tuple(dict.fromkeys((*self.columns_, *other)))

    def sources(self) -> tuple[str, ...]:
        return self.cross_source

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("row", *self.reads())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        of = items.read(self.against, engine, self.hashed)
        found = self.finder(of).found(keys, engine, self.methods)
        if self.against:
            items.leave(of, found, engine)
        lines = matches.named(found, of).with_columns(reason=pl.lit("in_benchmark"))
        if self.cross_source:
            gone, order = lines.select("row").unique(), self.cross_source
            later = joining.dropped(keys, engine, order, gone=gone, n=self.n)
            later = later.with_columns(reason=pl.lit("in_earlier_source"), first=pl.lit(True))
            lines = pl.concat([lines, later], how="diagonal")
        empty = pl.DataFrame(schema=ARTEFACT)
        whole = pl.concat([empty, lines], how="diagonal").select(*ARTEFACT)
        return whole.sort("row", maintain_order=True)

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        lines = rows.select("row").join(chosen(artefact, self.methods, self.columns_), on="row")
        places = lines.filter(pl.col("at").is_not_null()).select("row", "at")
        if self.cross_source:
            texts = rows.select("row", "question", "source").join(places, on="row")
            grams = [
                ngrams.gram(ngrams.words(question), at, self.n)
                for question, at in texts.select("question", "at").iter_rows()
            ]
            read = texts.select("row").with_columns(pl.Series("gram", grams, pl.String))
            lines = lines.join(read, on="row", how="left").with_columns(
                span=pl.coalesce("span", "gram")
            )
            lines = lines.join(rows.select("row", "source"), on="row")
        else:
            lines = lines.with_columns(source=pl.lit(None, pl.String))
        lines = lines.select("row", "reason", evidence=pl.struct(*EVIDENCE))
        return (
            rows.select("row")
            .join(lines, on="row", how="left", maintain_order="left")
            .select("reason", "evidence")
        )

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        return matches.figures(artefact)

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        # Another n changes what earlier sources accept, so a row of a later source is only sure to
        # stay once its source is no longer held against them.
        source = evidence.values.get("source")
        others = tuple(name for name in self.cross_source if name != source)
        if evidence.reason == "in_earlier_source":
            return {"cross_source": others}
        by = evidence.values.get("found_by") or ("ngram8",)
        change: dict[str, Any] = {}
        gone = {"normalised"} & set(by)
        if {"ngram8", "rare_ngram8"} & set(by):
            if evidence["run"] < MAX_N:
                change["n"] = evidence["run"] + 1
            else:
                gone |= {"ngram8", "rare_ngram8"}
        if "fuzzy" in by:
            if evidence["fuzzy"] < 1:
                change["fuzzy_score"] = float(np.nextafter(evidence["fuzzy"], 2))
            else:
                gone |= {"fuzzy"}
        if gone:
            change["methods"] = tuple(name for name in self.methods if name not in gone)
            if not change["methods"]:
                return None
        return change | ({"cross_source": others} if source in self.cross_source[1:] else {})


def chosen(artefact: pl.DataFrame, methods: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """The one line of each row that its evidence is made of, and what all its lines say of it."""
    order = {name: place for place, name in enumerate(methods)}
    of_column = {name: place for place, name in enumerate(columns)}
    method = pl.col("method").replace_strict(order, default=len(order), return_dtype=pl.UInt32)
    place = pl.col("column").replace_strict(of_column, default=0, return_dtype=pl.UInt32)
    everything = artefact.group_by("row").agg(
        found_by=pl.col("method").drop_nulls().unique(),
        longest=pl.col("run").max(),
        fuzzy=pl.col("score").filter(pl.col("method") == "fuzzy").max(),
    )
    return (
        artefact.filter("first")
        .sort(method, place, maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
        .join(everything, on="row")
        .with_columns(
            run="longest",
            found_by=pl.when(pl.col("method").is_not_null()).then(
                pl.col("found_by").list.eval(
                    pl.element().sort_by(
                        pl.element().replace_strict(
                            order, default=len(order), return_dtype=pl.UInt32
                        )
                    )
                )
            ),
        )
    )
