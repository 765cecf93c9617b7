"""What somebody recorded, one line each in a named input, brought to the pool's rows as a list.

Shared by the stages of attempts and of traces. The numbers of the samples follow what the lines
say, never where they stand in the file, so that a shuffled file gives the same pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from s1data import pool
from s1data.stage import Problem
from s1data.stages.columns import Columns


def wrong_types(given: Columns, taken: Mapping[str, str], struct: pl.Struct) -> Iterator[Problem]:
    """Columns of the input, by field, that cannot become the field of ``struct`` of that name.

    A field that the struct has not is a text. A column of nulls only will do for any.
    """
    dtypes = {field.name: field.dtype for field in struct.fields}
    for field, name in taken.items():
        got = given.get(name)
        wanted = dtypes.get(field, pl.String())
        whole = wanted.is_integer()
        if got is None or got == pl.Null or (got.is_integer() if whole else got == wanted):
            continue
        kind = "whole numbers" if whole else "true and false" if wanted == pl.Boolean else "texts"
        yield Problem(field, f"a column of {kind}", f"{name}: {got}")


def there_already(column: str, columns: Columns) -> Iterator[Problem]:
    """The pool has the list that is to be added."""
    if column in columns:
        yield Problem(
            None,
            f"a pool without {column}",
            f"{column} are there already",
            "put the lines of both into one input",
        )


def given_or_null(
    taken: Mapping[str, str], names: Sequence[str], struct: pl.Struct
) -> list[pl.Expr]:
    """The named fields from the input's columns, each with its dtype; null where none is taken."""
    dtypes = {field.name: field.dtype for field in struct.fields}
    return [
        (pl.col(taken[name]) if name in taken else pl.lit(None)).cast(dtypes[name]).alias(name)
        for name in names
    ]


def as_lists(lines: pl.DataFrame, column: str, who: str, place: Sequence[str]) -> pl.DataFrame:
    """``id`` and ``column``: the lines of each question as a list of the pool's struct.

    Ordered by ``place`` and numbered from 0 within (id, ``who``); a recorded verdict has the
    method ``recorded``.
    """
    (struct,) = [dtype.inner for dtype in [pool.COLUMNS[column]] if isinstance(dtype, pl.List)]
    fields = struct.fields if isinstance(struct, pl.Struct) else []
    ordered = lines.sort("id", who, *place, nulls_last=True).with_columns(
        sample=pl.int_range(pl.len(), dtype=pl.UInt32).over("id", who),
        method=pl.when(pl.col("verdict").is_not_null()).then(pl.lit("recorded")),
    )
    item = pl.struct(pl.col(field.name).cast(field.dtype) for field in fields)
    return ordered.select("id", item.alias(column)).group_by("id", maintain_order=True).agg(column)


def by_id(rows: pl.DataFrame, artefact: pl.DataFrame, column: str) -> pl.DataFrame:
    """The lists of the rows, in order; an empty one where a question has none."""
    none = pl.lit([], dtype=pool.COLUMNS[column])
    return (
        rows.select("id")
        .join(artefact, on="id", how="left", maintain_order="left")
        .select(pl.col(column).fill_null(none))
    )


def counts(lines: pl.DataFrame, used: pl.DataFrame, who: str) -> pl.DataFrame:
    """Lines of each name in the input, and how many of them met a question of the pool."""
    return (
        lines.group_by(who)
        .len("lines")
        .join(used.group_by(who).len("used"), on=who, how="left")
        .with_columns(pl.col("used").fill_null(0))
        .sort(who)
    )
