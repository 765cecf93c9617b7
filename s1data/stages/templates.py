"""Same template, other numbers: questions that are equal once every number is masked.

They are other questions with other answers, so this is an annotation: rows are counted and kept.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

import polars as pl
from pydantic import Field

from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, GlobalEnricher, Table
from s1data.stages.shingles import NUMBER


class AddTemplateGroup(GlobalEnricher):
    """Adds ``template_group``, equal for questions that differ in numbers only, and its size.

    The group is a digest of the normalised question with every number masked, and its size counts
    the distinct normalised questions in it, so that plain duplicates make no template.
    """

    revision: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("question",)
    added: ClassVar = ("template_group", "template_group_size")

    normalisation: Normalisation = Field(
        default=Normalisation(), description="What is done to texts before they are compared."
    )

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        texts = normalised(rows.get_column("question"), self.normalisation)
        return rows.select(
            "row",
            digests(texts).alias("text"),
            digests(masked(texts)).alias("template_group"),
        )

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        rows = engine.collect(keys)
        size = pl.col("text").n_unique().over("template_group").cast(pl.UInt32)
        size = pl.when(pl.col("template_group").is_not_null()).then(size)
        return rows.select("row", "template_group", size.alias("template_group_size")).sort("row")

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        joined = rows.select("row").join(artefact, on="row", how="left", maintain_order="left")
        return joined.select("template_group", "template_group_size")


def masked(texts: pl.Series) -> pl.Series:
    """Each text with one sign in place of every number."""
    return texts.str.replace_all(NUMBER, "\ue002")


def digests(texts: pl.Series) -> pl.Series:
    """16 hex digits that stand for each text; null where it is null."""
    blake2b = hashlib.blake2b
    found = [
        None if text is None else blake2b(text.encode(), digest_size=8).hexdigest()
        for text in texts.to_list()
    ]
    return pl.Series(texts.name, found, pl.String)
