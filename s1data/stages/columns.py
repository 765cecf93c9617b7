"""Columns from a named input: any score, label or length that was made elsewhere.

A line of the input names its question by `pool.question_id` or by the question's text. Lines of
questions that are not in the pool are counted and left; questions without a line get null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Literal, TypeAlias

import polars as pl
from pydantic import Field, model_validator

from s1data import pool
from s1data.errors import StageError
from s1data.stage import LABEL, Engine, GlobalEnricher, Problem, Stage, Table

By: TypeAlias = Literal["id", "question"]
Columns: TypeAlias = Mapping[str, pl.DataType]

_DTYPES: Final[dict[str, pl.DataType]] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "text": pl.String(),
    "bool": pl.Boolean(),
}


class AddColumn(GlobalEnricher):
    """Adds one column of a named input, joined by question."""

    from_: str = Field(
        alias="from", pattern=f"^{LABEL.pattern}$", description="The named input to read."
    )
    column: str = Field(min_length=1, description="The input's column that holds the values.")
    type: Literal["float", "int", "text", "bool"] = Field(
        description="What the values are. float takes whole numbers too; NaN becomes null."
    )
    by: By = Field(
        default="id", description="How a line names its question: by its id or by its text."
    )
    key: str | None = Field(
        default=None, min_length=1, description="The input's column with that; named as `by` is."
    )
    as_column: str | None = Field(
        default=None, min_length=1, description="Name of the new column; as in the input if null."
    )

    example: ClassVar = {"from": "scores", "column": "score", "type": "float"}
    example_inputs: ClassVar = {
        "scores": [
            {"id": pool.question_id("What is 2 + 2?"), "score": 0.25},
            {"id": pool.question_id("Name a prime above 100."), "score": 0.75},
        ]
    }

    @property
    def name(self) -> str:
        """The column that is added."""
        return self.as_column or self.column

    @model_validator(mode="after")
    def _not_the_pools_own(self) -> AddColumn:
        if self.name in (*pool.PLACE_COLUMNS, "question"):
            msg = f"{self.name} is the pool's own column; name the new one by as_column"
            raise ValueError(msg)
        return self

    def adds(self) -> dict[str, pl.DataType]:
        return {self.name: _DTYPES[self.type]}

    def inputs(self) -> tuple[str, ...]:
        return (self.from_,)

    def check(self, columns: Columns, inputs: Mapping[str, Columns]) -> Iterator[Problem]:
        given = inputs.get(self.from_, {})
        yield from missing_columns(given, {"key": self.key or self.by, "column": self.column})
        if (got := given.get(self.column)) is not None and not _fits(got, self.type):
            yield Problem("type", f"the type of {self.column}, {got}", self.type)
        if self.name in columns:
            yield Problem(
                "as_column" if self.as_column else "column",
                "a column that the pool does not have",
                self.name,
                "give as_column another name",
            )
        elif self.name in pool.COLUMNS and pool.COLUMNS[self.name] != _DTYPES[self.type]:
            yield Problem("type", f"{pool.COLUMNS[self.name]} for {self.name}", self.type)

    def keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("id")

    def identify(self, keys: Table, engine: Engine) -> pl.DataFrame:
        given = sound(self, engine.read(self.from_), self.from_)
        lines = given.select(
            question_key(given, self.by, self.key), pl.col(self.column).alias("value")
        ).drop_nulls("id")
        twice = lines.filter(pl.col("id").is_duplicated()).get_column("id").sort()
        if len(twice):
            msg = (
                f"stage {self.label}: wanted one line a question in input {self.from_}, got more "
                f"for {twice.n_unique()} questions, first {twice[0]}; leave one line each"
            )
            raise StageError(msg)
        value = pl.col("value").cast(_DTYPES[self.type])
        joined = lines.with_columns(value.fill_nan(None) if self.type == "float" else value).join(
            pool_ids(keys, engine), on="id", how="semi"
        )
        engine.write(
            "joined",
            pl.DataFrame(
                {
                    "input": [self.from_],
                    "lines": [given.height],
                    "used": [joined.height],
                    "values": [joined.height - joined.get_column("value").null_count()],
                }
            ),
        )
        return joined.sort("id")

    def columns(self, rows: pl.DataFrame, artefact: pl.DataFrame) -> pl.DataFrame:
        return (
            rows.select("id")
            .join(artefact, on="id", how="left", maintain_order="left")
            .select(pl.col("value").alias(self.name))
        )


def question_key(given: pl.DataFrame, by: By, key: str | None) -> pl.Series:
    """The ``id`` of each line of an input, from its column of ids or of question texts."""
    names = given.get_column(key or by)
    return names.rename("id") if by == "id" else pool.question_ids(names)


def pool_ids(keys: Table, engine: Engine) -> pl.DataFrame:
    """The distinct ``id`` of the pool's rows, null left out."""
    return engine.collect(engine.map(keys, _distinct)).unique().drop_nulls()


def _distinct(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique(maintain_order=True)


def sound(stage: Stage, given: pl.DataFrame, name: str) -> pl.DataFrame:
    """The input as it is; StageError with the first thing that `check` says of its columns.

    A run has checked before; a stage that is used alone has not.
    """
    for problem in stage.check({}, {name: given.schema}):
        msg = (
            f"stage {stage.label}: field {problem.field}: wanted {problem.wanted}, "
            f"got {problem.got}"
        )
        raise StageError(msg)
    return given


def missing_columns(given: Columns, wanted: Mapping[str, str]) -> Iterator[Problem]:
    """A problem for each field of ``wanted`` whose column a known input lacks."""
    for field, name in wanted.items():
        if given and name not in given:
            yield Problem(field, f"a column of the input ({', '.join(given)})", name)


def _fits(dtype: pl.DataType, type_: str) -> bool:
    if dtype == pl.Null:
        return True
    match type_:
        case "float":
            return dtype.is_float() or dtype.is_integer()
        case "int":
            return dtype.is_integer() and dtype != pl.UInt64
        case _:
            return dtype == _DTYPES[type_]
