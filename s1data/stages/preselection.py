"""Rows that any selector chooses first: those that meet a rule, or that an earlier set holds.

They are chosen before all others and count for every quota; where a quota is full they are passed
over like any row, but for those of an earlier set (`s1data.stages.growing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
from pydantic import Field, model_validator

from s1data.frozen import Frozen
from s1data.stage import Engine, Problem
from s1data.stages import lengths
from s1data.stages.lengths import LengthFrom


class Preselect(Frozen):
    """Rows to choose before all others: those that meet every condition given."""

    source_type: tuple[str, ...] = Field(
        default=(), description="Values of `source_type`, one of which the row has."
    )
    source_contains: tuple[str, ...] = Field(
        default=(), description="Texts, one of which is part of the row's `source_type`."
    )
    length_over: int | None = Field(
        default=None, description="Length that the row exceeds, as `length_from` counts it."
    )
    length_from: LengthFrom | None = Field(
        default=None, description="What `length_over` counts; the selector's own unless given."
    )
    right: str | None = Field(
        default=None,
        pattern=r"^[^.\s][^.]*(\.[^.\s][^.]*)?$",
        description="Boolean column that is true of the row, or `column.field` for one that is "
        "true in a list of structs: `traces.verdict`, a trace whose answer is right.",
    )
    in_input: str | None = Field(
        default=None,
        min_length=1,
        description="Named input with a column `id` that has the row's: an earlier set, to grow. "
        "Without other conditions all of its rows are kept, or the run stops.",
    )

    @model_validator(mode="after")
    def _chooses(self) -> Preselect:
        if not self.model_dump(exclude_defaults=True, exclude={"length_from"}):
            msg = (
                "a condition is wanted (source_type, source_contains, length_over, right or "
                "in_input), got none: every row would be preselected"
            )
            raise ValueError(msg)
        return self

    @property
    def conditional(self) -> bool:
        """Whether there is a condition beside `in_input`."""
        beside = {"in_input", "length_from"}
        return bool(self.model_dump(exclude_defaults=True, exclude=beside))

    def names(self) -> tuple[str, ...]:
        """Columns that the conditions read, but for the selector's own length."""
        sources = ("source_type",) if self.source_type or self.source_contains else ()
        length = (lengths.column(self.length_from),) if self.length_from else ()
        return (*sources, *length, *((lengths.column(self.right),) if self.right else ()))

    def matches(self, rows: pl.DataFrame, length_from: str | None) -> pl.Expr:
        """Boolean, never null: whether a row meets every condition but `in_input`."""
        conditions = [pl.lit(True)]
        source = pl.col("source_type")
        if self.source_type:
            conditions.append(source.is_in(self.source_type))
        if self.source_contains:
            parts = [source.str.contains(part, literal=True) for part in self.source_contains]
            conditions.append(pl.any_horizontal(parts))
        of = self.length_from or length_from
        if self.length_over is not None and of is not None:
            conditions.append(lengths.length(rows, of) > self.length_over)
        if self.right:
            name, path, field = self.right.partition(".")
            inside = pl.element().struct.field(field)
            some = pl.col(name).list.eval(inside).list.any() if path else pl.col(name)
            conditions.append(some)
        return pl.all_horizontal(conditions).fill_null(False)


Rules = Sequence[Preselect]


def inputs(rules: Rules) -> tuple[str, ...]:
    """The named inputs that rules read."""
    return tuple(dict.fromkeys(rule.in_input for rule in rules if rule.in_input))


def problems(
    rules: Rules,
    length_from: str | None,
    columns: Mapping[str, pl.DataType],
    given: Mapping[str, Mapping[str, pl.DataType]],
) -> Iterator[Problem]:
    """What keeps the rules from being applied, given the columns here and those of the inputs."""
    for rule in rules:
        dtype = columns.get(lengths.column(rule.right)) if rule.right else None
        if rule.right and dtype is not None and not _true_or_false(rule.right, dtype):
            wanted = "a Boolean column for right, or column.field of Booleans in structs"
            yield Problem("preselect", wanted, f"{rule.right}: {dtype}")
        if rule.length_from:
            for problem in lengths.problems(rule.length_from, columns):
                yield Problem("preselect", problem.wanted, problem.got)
        if rule.length_over is not None and not (rule.length_from or length_from):
            yield Problem("preselect", "length_from beside length_over", "length_over alone")
        schema = given.get(rule.in_input or "", {"id": pl.String()})
        if schema.get("id") != pl.String():
            got = f"{rule.in_input} with {', '.join(schema) or 'no columns'}"
            yield Problem("preselect", "an input with a text column id", got)


def columns(rules: Rules, rows: pl.DataFrame, length_from: str | None) -> list[pl.Expr]:
    """One Boolean key column for each rule: ``rule 0``, ``rule 1`` and so on."""
    return [rule.matches(rows, length_from).alias(f"rule {i}") for i, rule in enumerate(rules)]


def preselected(rules: Rules, keys: pl.DataFrame, engine: Engine) -> pl.Series:
    """Boolean, one per key row: whether it meets one of the rules."""
    found = pl.Series("preselected", [False], dtype=pl.Boolean).new_from_index(0, keys.height)
    for i, rule in enumerate(rules):
        meets = keys.get_column(f"rule {i}")
        if rule.in_input:
            earlier = engine.read(rule.in_input).get_column("id").drop_nulls().unique()
            meets &= keys.get_column("id").is_in(earlier.implode())
        found |= meets
    return found.alias("preselected")


def _true_or_false(right: str, dtype: pl.DataType) -> bool:
    _, path, field = right.partition(".")
    if not path:
        return dtype == pl.Boolean
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return False
    return any(one.name == field and one.dtype == pl.Boolean for one in dtype.inner.fields)
