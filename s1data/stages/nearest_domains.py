"""Domains by a list of classes, without a model that answers: the class whose words are nearest.

Each class is described by its words (`s1data.taxonomies`, or lists of the recipe's own). The words
and the questions are embedded by one encoder; a question gets the code of the class with the
highest cosine, or `other` where even that is low. Rows of a source may have a list of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, field_validator

from s1data import pool, taxonomies
from s1data.embedding import Matrix, keys_of
from s1data.encoders import TFIDF
from s1data.errors import StageError
from s1data.frozen import Pairs
from s1data.stage import Engine, Problem, Table
from s1data.stages.vectors import Encodes, store

Own = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
AT_A_TIME: Final = 8_192
"""Questions compared at once: bounds their vectors in memory."""


class AddNearestDomain(Encodes):
    """Adds `domain`, the code of the nearest class, and `domain_score`, the cosine to its words.

    A row whose best cosine is under `least` is of the domain `other`, with that score; a row
    without a text has neither. Equal cosines go to the first code. Beside the record it leaves
    `classes`: each with its list, words, size and mean score.
    """

    taxonomy: str = Field(default="msc", description="The list of classes, by name.")
    taxonomies: Pairs[Pairs[str]] = Field(
        default=(), description="Lists of the recipe's own: name to (code to words)."
    )
    by_source: Pairs[str] = Field(
        default=(), description="Another list for the rows of a source: source to list."
    )
    least: float = Field(
        default=0.1,
        ge=-1,
        le=1,
        description="Lowest cosine of a class; what is high differs by encoder. -1 has no other.",
    )
    other: str = Field(
        default="other", min_length=1, description="Domain of rows near to no class."
    )

    uses: ClassVar = ("source",)
    added: ClassVar = ("domain", "domain_score")
    example: ClassVar = {
        "encoder": TFIDF,
        "dimensions": 16,
        "taxonomies": {
            "kinds": {"geo": "triangle circle sides radius", "alg": "polynomial integer degree"}
        },
        "by_source": {"second": "kinds"},
    }

    @field_validator("taxonomies")
    @classmethod
    def _lists_say_something(cls, own: Own) -> Own:
        for name, codes in own:
            blank = [code for code, words in codes if not (code.strip() and words.strip())]
            got = "no class" if not codes else f"{blank[0]!r} without" if blank else ""
            if name in taxonomies.TAXONOMIES:
                wanted = "a name that none of ours has"
                msg = f"{wanted} ({', '.join(taxonomies.TAXONOMIES)}) is wanted, got {name}"
                raise ValueError(msg)
            if got:
                msg = f"codes with words are wanted for {name}, got {got}"
                raise ValueError(msg)
        return own

    def reads(self) -> tuple[str, ...]:
        return (self.of, *self.uses)

    def sources(self) -> tuple[str, ...]:
        return tuple(source for source, _ in self.by_source)

    def check(
        self,
        columns: Mapping[str, pl.DataType],
        inputs: Mapping[str, Mapping[str, pl.DataType]],
    ) -> Iterator[Problem]:
        yield from super().check(columns, inputs)
        lists, known = self._lists(), ", ".join(sorted(self._lists()))
        named = [("taxonomy", self.taxonomy), *(("by_source", name) for _, name in self.by_source)]
        for field, name in named:
            if name not in lists:
                yield Problem(field, f"the name of a list ({known})", repr(name))
        used = sorted({name for _, name in named if name in lists})
        words: dict[str, str] = {}
        for name in used:
            for code, text in lists[name].items():
                if words.setdefault(code, text) != text:
                    yield Problem("by_source", "codes that mean one thing", f"{code} in two lists")
                if code == self.other:
                    yield Problem("other", "a name that is no code", f"{code} of {name}")

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = dict(self.by_source)
        listed = pl.col("source").replace_strict(
            names, default=self.taxonomy, return_dtype=pl.String
        )
        return rows.select("row", pl.col(self.of).alias("text"), listed.alias("list"))

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        """Columns ``row``, ``domain``, ``domain_score`` and ``encoder``, by row."""
        rows = engine.collect(keys).sort("row")
        pairs = rows.drop_nulls("text").select("text", "list").unique().sort("list", "text")
        classes = self._classes(pairs.get_column("list"))
        texts = pl.concat([pairs.get_column("text"), classes.get_column("words").alias("text")])
        try:
            encoder = self.encoder_for(texts.unique().sort())
            store(encoder, texts.unique().sort(), engine)
        except StageError as error:
            raise StageError(f"stage {self.label}: {error}") from error
        vectors = engine.vectors(encoder.identity)
        parts = [pairs.clear().with_columns(code=pl.lit(""), domain_score=pl.lit(0.0))]
        for (name,), of in pairs.group_by("list", maintain_order=True):
            own = classes.filter(list=name)
            words = _unit(vectors.get(keys_of(encoder.identity, own.get_column("words"))))
            for start in range(0, of.height, AT_A_TIME):
                part = of.slice(start, AT_A_TIME)
                near = _unit(vectors.get(keys_of(encoder.identity, part.get_column("text"))))
                best, score = _nearest(near, words)
                code = own.get_column("code").gather(best)
                parts.append(part.with_columns(code.alias("code"), domain_score=pl.Series(score)))
        found = pl.concat(parts).with_columns(domain=self._or_other())
        placed = rows.join(found, on=["text", "list"], how="left", maintain_order="left")
        engine.write("classes", _summary(classes, placed))
        return placed.select("row", *self.added, encoder=pl.lit(encoder.identity))

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        joined = rows.select("row").join(artefact, on="row", how="left", maintain_order="left")
        return joined.select(pl.col(name).cast(pool.COLUMNS[name]) for name in self.added)

    def usable(self, artefact: pl.DataFrame, engine: Engine) -> bool:  # noqa: ARG002 - no vectors
        """False where the folder named as encoder holds another model now."""
        return artefact.is_empty() or not self.is_now_another(artefact["encoder"][0])

    def figures(self, artefact: pl.DataFrame) -> dict[str, Any]:
        domain = artefact.get_column("domain").drop_nulls()
        other = int((domain == self.other).sum())
        return {"classes": domain.n_unique() - (other > 0), "other": other}

    def _or_other(self) -> pl.Expr:
        enough = pl.col("domain_score") >= self.least
        return pl.when(enough).then("code").otherwise(pl.lit(self.other))

    def _lists(self) -> dict[str, dict[str, str]]:
        own = {name: dict(codes) for name, codes in self.taxonomies}
        return taxonomies.TAXONOMIES | own

    def _classes(self, used: pl.Series) -> pl.DataFrame:
        lists = self._lists()
        lines = [
            (name, code, words)
            for name in used.unique().sort().to_list()
            for code, words in sorted(lists[name].items())
        ]
        schema = {"list": pl.String, "code": pl.String, "words": pl.String}
        return pl.DataFrame(lines, schema=schema, orient="row")


def _nearest(
    vectors: Matrix, classes: Matrix
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each vector the place of the nearest class, and the cosine to it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        # In double precision and rounded, so that the last bits never decide between two classes.
        cosines = np.round(vectors.astype(np.float64) @ classes.T.astype(np.float64), 6)
    best = cosines.argmax(axis=1)
    return best, cosines[np.arange(len(best)), best].clip(-1.0, 1.0)


def _unit(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Matrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def _summary(classes: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    counted = placed.group_by("list", code="domain").agg(
        size=pl.len(), mean_score=pl.col("domain_score").mean().round(6)
    )
    joined = classes.join(counted, on=["list", "code"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("size").fill_null(0))
