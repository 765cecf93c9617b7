"""What a selector takes as the length of a row: any column, named without a default.

`String` columns count characters, numeric columns are taken as they are, and ``column.field`` is
the greatest value of a numeric field in a list of structs (``attempts.tokens``: the longest
attempt). Null, NaN and infinity are no length: such a row counts as shorter than every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import polars as pl
from pydantic import Field

from s1data.stage import Problem

LengthFrom = Annotated[
    str,
    Field(
        pattern=r"^[^.\s][^.]*(\.[^.\s][^.]*)?$",
        description=(
            "Column that gives the length: characters of a text, the value of a number, or "
            "`column.field` for the greatest number in a list of structs."
        ),
    ),
]

WANTED: Final = "a text or number column, or column.field of numbers in a list of structs"


def column(length_from: str) -> str:
    """The pool column that a length is read from."""
    return length_from.partition(".")[0]


def problems(length_from: str, columns: Mapping[str, pl.DataType]) -> Iterator[Problem]:
    """What keeps ``length_from`` from being a length; silent where the column is missing."""
    dtype = columns.get(column(length_from))
    if dtype is not None and not _usable(length_from, dtype):
        yield Problem("length_from", WANTED, f"{length_from} of {column(length_from)}: {dtype}")


def _usable(length_from: str, dtype: pl.DataType) -> bool:
    _, path, field = length_from.partition(".")
    if not path:
        return dtype == pl.String or dtype.is_numeric()
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return False
    return any(f.name == field and f.dtype.is_numeric() for f in dtype.inner.fields)


def length(rows: pl.DataFrame, length_from: str) -> pl.Expr:
    """The lengths of ``rows`` as a Float64 expression; null where there is none."""
    name, path, field = length_from.partition(".")
    if path:
        value = pl.col(name).list.eval(pl.element().struct.field(field)).list.max()
    elif rows.schema[name] == pl.String:
        value = pl.col(name).str.len_chars()
    else:
        value = pl.col(name)
    return finite(value)


def finite(value: pl.Expr) -> pl.Expr:
    """A numeric expression as Float64, with null for what is not finite."""
    number = value.cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)


def named(column: str) -> pl.Expr:
    """A column as text, with null for texts of nothing but white space, which name nothing."""
    text = pl.col(column).cast(pl.String)
    return pl.when(text.str.strip_chars() != "").then(text).alias(column)
