"""Benchmark items found in texts, by several methods side by side, each with its own evidence.

A method gives `MATCHES`: which row, in which column, matches which item, by what. All look for
candidates by hashes or by equality and decide on the texts themselves. What a method thinks of an
n-gram or shingle may depend on how many rows have it, so the work is in two passes over the keys:
the first gathers narrow lines (row, n-gram), the second looks again at the rows that matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, Literal, TypeAlias

import numpy as np
import polars as pl

from s1data.errors import StageError
from s1data.normalising import Normalisation
from s1data.stage import Engine, Problem, Table
from s1data.stages import fuzzy, ngrams, overlap
from s1data.stages.fuzzy_candidates import candidates
from s1data.stages.items import shown
from s1data.stages.matches import MATCHES, in_order, lines_of

Method: TypeAlias = Literal["ngram8", "rare_ngram8", "normalised", "fuzzy"]
METHODS: Final[tuple[Method, ...]] = ("ngram8", "rare_ngram8", "normalised", "fuzzy")
_LOOKS: Final = pl.Schema(
    {
        "row": pl.UInt32(),
        "part": pl.UInt32(),
        "shingle": pl.UInt32(),
        "shingles": pl.UInt32(),
        "equal": pl.String(),
        "share": pl.Float64(),
    }
)
_GRAMS: Final = pl.Schema({"row": pl.UInt32(), "gram": pl.UInt64()})
_LIST: Final = "reply_key"


@dataclass(frozen=True)
class Finder:
    """Looks for items in the columns of rows."""

    items: pl.DataFrame
    columns: tuple[str, ...]
    n: int
    common_rows: int
    fuzzy_score: float
    fuzzy_common_rows: int
    same_numbers: bool
    normalisation: Normalisation

    def found(self, keys: Table, engine: Engine, methods: Sequence[Method]) -> pl.DataFrame:
        """`MATCHES` of all methods over all columns, in order."""
        parts = [pl.DataFrame(schema=MATCHES)]
        for column in self.columns:
            texts = engine.map(keys, partial(texts_of, column=column, engine=engine))
            for method in methods:
                if method in ("ngram8", "rare_ngram8"):
                    find = self._ngram8 if method == "ngram8" else self._rare_ngram8
                    parts.append(find(texts, engine).with_columns(column=pl.lit(column)))
            loose = [m for m in methods if m in ("normalised", "fuzzy")]
            if loose:
                own = self._loose(texts, engine, loose, inside=column == "question")
                parts.append(own.with_columns(column=pl.lit(column)))
        return in_order(parts)

    @cached_property
    def _questions(self) -> list[str]:
        return self.items.get_column("question").to_list()

    @cached_property
    def _hashed(self) -> list[bool]:
        return self.items.get_column("hashed").to_list()

    @cached_property
    def _reference(self) -> overlap.Reference:
        return overlap.Reference(self._questions, self.n)

    @cached_property
    def _loose_items(self) -> fuzzy.LooseItems:
        return fuzzy.LooseItems(self.items.get_column("question"), self.normalisation)

    def _ngram8(self, texts: Table, engine: Engine) -> pl.DataFrame:
        return engine.collect(engine.map(texts, self._shared))

    def _shared(self, texts: pl.DataFrame) -> pl.DataFrame:
        matches = self._reference.matches(texts.get_column("text").to_list())
        return lines_of("ngram8", self._pairs(texts, matches))

    def _pairs(
        self, texts: pl.DataFrame, matches: Iterable[overlap.Match]
    ) -> list[tuple[object, ...]]:
        row, text = texts.get_column("row").to_list(), texts.get_column("text").to_list()
        lines: list[tuple[object, ...]] = []
        for match in matches:
            words = ngrams.words(text[match.text])
            for item, at in ((match.item, match.at), *match.others):
                span = shown(ngrams.gram(words, at, self.n), self._hashed[item])
                first = item == match.item
                lines.append((row[match.text], item, span, None, match.run, None, first))
        return lines

    def _rare_ngram8(self, texts: Table, engine: Engine) -> pl.DataFrame:
        grams = engine.collect(engine.map(texts, self._grams))
        rows_of = grams.group_by("gram").agg(rows=pl.col("row").n_unique())
        rare = rows_of.filter(pl.col("rows") <= self.common_rows)
        rows = grams.join(rare, on="gram", how="semi").select("row").unique()
        only = overlap.Reference(self._questions, self.n, only=rare.get_column("gram").to_numpy())
        counts = dict(rare.iter_rows())
        return engine.collect(
            engine.map(texts, partial(self._rare_shared, rows=rows, only=only, counts=counts))
        )

    def _grams(self, texts: pl.DataFrame) -> pl.DataFrame:
        text, gram = self._reference.hashes_in(texts.get_column("text").to_list())
        row = texts.get_column("row").to_numpy()[text]
        return pl.DataFrame({"row": row, "gram": gram}, schema=_GRAMS).unique(maintain_order=True)

    def _rare_shared(
        self,
        texts: pl.DataFrame,
        rows: pl.DataFrame,
        only: overlap.Reference,
        counts: dict[int, int],
    ) -> pl.DataFrame:
        some = texts.join(rows, on="row", how="semi", maintain_order="left")
        text = some.get_column("text").to_list()
        runs = {match.text: match.run for match in self._reference.matches(text)}
        lines = []
        row = some.get_column("row").to_list()
        for match in only.matches(text):
            words = ngrams.words(text[match.text])
            for item, at in ((match.item, match.at), *match.others):
                gram = ngrams.gram(words, at, self.n)
                _, values = ngrams.gram_hashes([gram], self.n)
                span = shown(gram, self._hashed[item])
                rows_with = counts.get(int(values[0]))
                first = item == match.item
                lines.append(
                    (row[match.text], item, span, None, runs[match.text], rows_with, first)
                )
        return lines_of("rare_ngram8", lines)

    def _loose(
        self, texts: Table, engine: Engine, methods: Sequence[str], *, inside: bool
    ) -> pl.DataFrame:
        inside &= "normalised" in methods
        look = partial(self._looks, shingles="fuzzy" in methods, inside=inside)
        looks = engine.collect(engine.map(texts, look))
        found = []
        if "normalised" in methods:
            same = looks.drop_nulls("equal").select("row", "share", plain="equal")
            pairs = same.join(self._loose_items.equal, on="plain").sort("row", "at_item")
            lines = [
                (row, item, shown(plain, self._hashed[item]), share, None, None, None)
                for row, plain, item, share in pairs.select(
                    "row", "plain", "at_item", "share"
                ).iter_rows()
            ]
            own = lines_of("normalised", lines)
            most = pl.struct(-pl.col("score"), "at_item").rank("ordinal").over("row") == 1
            found.append(own.with_columns(first=most))
        if "fuzzy" in methods:
            shingles = looks.filter(pl.col("shingle").is_not_null())
            pairs = candidates(shingles, self._loose_items.holders, self.fuzzy_common_rows)
            own = engine.collect(engine.map(texts, partial(self._alike, pairs=pairs)))
            best = pl.struct(-pl.col("score"), "at_item").rank("ordinal").over("row") == 1
            found.append(own.with_columns(first=best))
        return pl.concat(found)

    def _looks(self, texts: pl.DataFrame, shingles: bool, inside: bool) -> pl.DataFrame:
        plain, words = fuzzy.loose(texts.get_column("text"), self.normalisation)
        rows = texts.with_columns(equal=fuzzy.bare(plain), share=pl.lit(1.0))
        same = rows.join(
            self._loose_items.equal.select("plain").unique(),
            left_on="equal", right_on="plain", how="semi", maintain_order="left",
        )  # fmt: skip
        parts = [same.select("row", "part", "equal", "share")]
        if inside:
            parts.append(self._loose_items.inside(rows))
        if shingles:
            text, shingle = self._loose_items.looks(words)
            counts = (words.str.count_matches(" ") + 2 - fuzzy.SHINGLE).fill_null(0).clip(1)
            parts.append(
                pl.DataFrame(
                    {
                        "row": texts.get_column("row").to_numpy()[text],
                        "part": texts.get_column("part").to_numpy()[text],
                        "shingle": shingle.astype(np.uint32),
                        "shingles": counts.to_numpy()[text].astype(np.uint32),
                    }
                )
            )
        return pl.concat([pl.DataFrame(schema=_LOOKS), *parts], how="diagonal")

    def _alike(self, texts: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        some = texts.join(
            pairs.select("row", "part").unique(),
            on=["row", "part"],
            how="semi",
            maintain_order="left",
        )
        _, loose = fuzzy.loose(some.get_column("text"), self.normalisation)
        looks = (
            some.select("row", "part")
            .with_columns(words=loose)
            .join(pairs, on=["row", "part"], maintain_order="left_right")
        )
        lines: list[tuple[object, ...]] = []
        for row, words, item in looks.select("row", "words", "at_item").iter_rows():
            alike = self._loose_items.likeness(words.split(), item)
            if alike.score >= self.fuzzy_score and (alike.numbers_agree or not self.same_numbers):
                span = shown(alike.span, self._hashed[item])
                lines.append((row, item, span, alike.score, None, None, None))
        return lines_of("fuzzy", lines)


def texts_of(rows: pl.DataFrame, column: str, engine: Engine) -> pl.DataFrame:
    """``row``, ``part`` and ``text`` of a column: of texts, or of lists of replies by their key.

    Texts of replies come from the engine; those it does not know are passed over.
    """
    dtype = rows.schema[column]
    if not isinstance(dtype, pl.List):
        zero = pl.lit(0, pl.UInt32).alias("part")
        return rows.select("row", zero, text=column).drop_nulls("text")
    if not _of_replies(dtype):
        raise StageError(f"column {column}: wanted texts, or a list with {_LIST}, got {dtype}")
    parts = (
        rows.select("row", replies=column)
        .filter(pl.col("replies").list.len() > 0)
        .with_columns(part=pl.int_ranges(pl.col("replies").list.len(), dtype=pl.UInt32))
        .explode("replies", "part")
        .select("row", "part", pl.col("replies").struct.field(_LIST))
        .drop_nulls(_LIST)
    )
    texts = engine.texts(parts.get_column(_LIST)).rename("text")
    return parts.select("row", "part").with_columns(texts).drop_nulls("text")


def problems(names: Sequence[str], columns: Mapping[str, pl.DataType]) -> Iterator[Problem]:
    """What is wrong with the columns that are held against items."""
    for name in names:
        got = columns.get(name)
        if got is not None and not isinstance(got, pl.String) and not _of_replies(got):
            yield Problem("columns", f"texts, or a list with {_LIST}, in {name}", str(got))


def _of_replies(dtype: pl.DataType) -> bool:
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    return isinstance(inner, pl.Struct) and _LIST in {field.name for field in inner.fields}
