"""Duplicates: questions that are the same text, and questions that are written the same.

Two questions are *exact* duplicates if their texts are equal, and *normalised* duplicates if
`normalised` makes them equal, so exact ones are normalised ones too. Of each set of duplicates one
row survives, chosen by what the rows hold and not by their order. Only digests of texts travel.

Case means something in a question (``c1ccccc1`` is benzene and ``C1CCCCC1`` cyclohexane in SMILES;
``X`` and ``x`` are two variables), so it is kept unless ``fold_case`` is set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final, Literal, TypeAlias

import polars as pl
from pydantic import Field, field_validator

from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, Evidence, GlobalFilter, Table
from s1data.stages.linking import best_first

Method: TypeAlias = Literal["exact", "normalised"]

ARTEFACT: Final = pl.Schema(
    {
        "row": pl.UInt32(),
        "method": pl.String(),
        "survivor_row": pl.UInt32(),
        "survivor_id": pl.String(),
        "other_answer": pl.Boolean(),
    }
)
PLAIN: Final = Normalisation(
    zero_width=False,
    look_alikes=False,
    latex_spacing=False,
    latex_synonyms=False,
    text_wrappers=False,
    math_delimiters=False,
)
"""Unicode and white space, and nothing else."""


class DropDuplicates(GlobalFilter):
    """Drops questions of which a better row has the same text, or the same after normalisation.

    Normalisation is Unicode NFKC, but superscripts, subscripts, fractions and circled characters
    are kept apart from plain ones; then runs of white space become one space and none is left at
    the ends. ``normalisation`` puts the steps of `s1data.normalising` there: they know LaTeX.
    With ``fold_case``, case is folded as well.

    Of the rows that are alike one survives: lowest priority number; then one with a solution; then
    one with an answer; then the longest solution (in characters); then the lowest id; then the
    lowest digest of solution and answer; then the lowest row. A row whose question is null is no
    duplicate.

    Evidence names the survivor, and the strictest ``method`` by which some better row is alike:
    ``exact``, ``normalised`` or ``case_folded``. ``score`` is 1.0 for all three.
    ``other_answer`` is true where both have an answer and its texts differ: one may be wrong.
    """

    revision: ClassVar[int] = 4
    needs: ClassVar[tuple[str, ...]] = ("question", "priority")
    uses: ClassVar[tuple[str, ...]] = ("solution", "answer")
    reasons: ClassVar[Mapping[str, str]] = {
        "exact_duplicate": (
            "has the very text of a better row; of all that are alike, row {survivor_row} "
            "(id {survivor_id}) is kept"
        ),
        "normalised_duplicate": (
            "is written like a better row ({method}); of all that are alike, row {survivor_row} "
            "(id {survivor_id}) is kept"
        ),
    }
    evidence: ClassVar[Mapping[str, Any]] = {
        "survivor_row": pl.UInt32(),
        "survivor_id": pl.String(),
        "method": pl.String(),
        "score": pl.Float64(),
        "other_answer": pl.Boolean(),
    }

    methods: tuple[Method, ...] = Field(
        default=("exact", "normalised"),
        min_length=1,
        description="When questions are alike: exact, normalised, or exact then normalised.",
    )
    fold_case: bool = Field(
        default=False,
        description="Whether normalisation folds case; it makes benzene and cyclohexane one.",
    )

    normalisation: Normalisation | None = Field(
        default=None,
        description="Steps of a normalisation that knows LaTeX, in place of Unicode and white "
        "space; {} takes all of its usual ones.",
    )

    @field_validator("methods")
    @classmethod
    def _strictest_first(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        wanted = tuple(name for name in ("exact", "normalised") if name in methods)
        if methods != wanted:
            msg = f"wanted each method once, strictest first ({', '.join(wanted)})"
            raise ValueError(msg)
        return methods

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        questions = rows.get_column("question")
        digests = {"exact": _digests(questions)}
        if "normalised" in self.methods:
            plain = normalised(questions, self.normalisation or PLAIN)
            digests["normalised"] = _digests(plain)
            if self.fold_case:
                folded = [None if text is None else text.casefold() for text in plain.to_list()]
                digests["case_folded"] = _digests(
                    normalised(pl.Series(folded, dtype=pl.String), PLAIN)
                )
        return rows.select(
            "id",
            "row",
            "priority",
            *worth(rows),
            _digests(_answers(rows)).alias("answer"),
            *(values.alias(name) for name, values in digests.items()),
        ).filter(pl.col("exact").is_not_null())

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        methods = ["exact", *(["normalised"] if "normalised" in self.methods else [])]
        methods += ["case_folded"] if self.fold_case and "normalised" in self.methods else []
        groups = engine.exchange(keys, methods[-1])
        found = engine.collect(engine.map(groups, partial(_dropped, methods=methods)))
        return found.sort("row")

    def verdicts(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        exact = pl.col("method") == "exact"
        lines = artefact.select(
            "row",
            reason=pl.when(exact)
            .then(pl.lit("exact_duplicate"))
            .otherwise(pl.lit("normalised_duplicate")),
            evidence=pl.struct(
                "survivor_row", "survivor_id", "method", pl.lit(1.0).alias("score"), "other_answer"
            ),
        )
        return (
            rows.select("row")
            .join(lines, on="row", how="left", maintain_order="left")
            .select("reason", "evidence")
        )

    def keeps_if(self, evidence: Evidence) -> dict[str, Any] | None:
        changes: dict[str, dict[str, Any]] = {
            "case_folded": {"fold_case": False},
            "normalised": {"methods": ("exact",)},
        }
        return changes.get(evidence["method"])


def worth(rows: pl.DataFrame) -> tuple[pl.Series, ...]:
    """What the survivor rule looks at beside priority and id.

    ``solved``, ``answered``, ``solution_chars`` and ``content``.
    """
    known = rows.select(pl.concat_str("solution", pl.lit("\0"), "answer", ignore_nulls=True))
    chars = pl.col("solution").str.strip_chars().str.len_chars().fill_null(0)
    return (
        rows.select(solved=chars > 0).to_series(),
        _answers(rows).is_not_null().alias("answered"),
        rows.select(chars.alias("solution_chars")).to_series(),
        _digests(known.to_series()).alias("content"),
    )


def _answers(rows: pl.DataFrame) -> pl.Series:
    """The answers without white space at the ends; null where there is nothing else."""
    bare = pl.col("answer").str.strip_chars()
    return rows.select(pl.when(bare != "").then(bare).alias("answer")).to_series()


def _digests(texts: pl.Series) -> pl.Series:
    """128 bits that stand for each text; null where it is null."""
    blake2b = hashlib.blake2b
    return pl.Series(
        [
            None if text is None else blake2b(text.encode(), digest_size=16).digest()
            for text in texts.to_list()
        ],
        dtype=pl.Binary,
    )


def _dropped(keys: pl.DataFrame, methods: list[str]) -> pl.DataFrame:
    """`ARTEFACT` lines of rows of which a better one is alike; ``methods`` strictest first."""
    best = best_first(keys)
    survivor = pl.col("row", "id").first().over(methods[-1]).name.prefix("survivor_")
    other = pl.col("answer") != pl.col("answer").first().over(methods[-1])
    strictest = pl.coalesce(
        pl.when(~pl.col(name).is_first_distinct()).then(pl.lit(name)) for name in methods
    )
    return (
        best.select("row", survivor, method=strictest, other_answer=pl.when(other).then(True))
        .filter(pl.col("method").is_not_null())
        .select(*ARTEFACT)
        .cast(ARTEFACT)
    )
