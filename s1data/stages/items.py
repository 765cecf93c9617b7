"""The items of benchmarks, as named inputs bring them.

An item is a row of an input that has a question. It is known by its benchmark and by its number
within it, from 0 in the order of the input; ``item_id`` is its own id where the input has one.
A benchmark is named by the input's column ``benchmark``, else ``file``, else by the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl

from s1data import benchmarks
from s1data.errors import StageError
from s1data.normalising import Normalisation, normalised
from s1data.stage import Engine, Problem

ID_COLUMNS: Final = ("item_id", "task_id", "unique_id", "problem_idx")
ITEMS: Final = pl.Schema(
    {
        "benchmark": pl.String(),
        "item": pl.UInt32(),
        "item_id": pl.String(),
        "question": pl.String(),
        "hashed": pl.Boolean(),
    }
)
"""``hashed``: evidence shows a digest of the item's words, since its authors ask for that."""
MOST_SHOWN: Final = 160
"""Characters of a matched span that evidence shows; a digest is of the whole span."""


def read(names: Sequence[str], engine: Engine, hashed: Sequence[str] = ()) -> pl.DataFrame:
    """`ITEMS` of the named inputs in order; rows without a question are passed over.

    StageError where an input has no column of questions or a benchmark not one question: nothing
    would be found, and the set would pass for clean.

    ``hashed`` names inputs or benchmarks that are hashed beside those known to ask for it.
    """
    parts = [_of_input(name, engine.read(name), hashed) for name in names]
    return pl.concat([pl.DataFrame(schema=ITEMS), *parts]).rechunk()


def _of_input(name: str, frame: pl.DataFrame, hashed: Sequence[str]) -> pl.DataFrame:
    named = next((column for column in ("benchmark", "file") if column in frame.columns), None)
    benchmark = pl.lit(name) if named is None else pl.col(named).fill_null(name)
    own = next((column for column in ID_COLUMNS if column in frame.columns), None)
    if frame.schema.get("question") != pl.String:
        raise StageError(
            f"benchmark {name}: wanted a String column question, "
            f"got {_columns(frame.schema, ('question',))}; rename the one that holds its questions"
        )
    for column in (named, own):
        if column is not None and not _names(frame.schema[column], column):
            raise StageError(
                f"benchmark {name}: wanted plain values in {column}, got {frame.schema[column]}; "
                "make them texts, or leave the column out"
            )
    own_id = pl.lit(None, pl.String) if own is None else pl.col(own).cast(pl.String)
    items = frame.select(benchmark.alias("benchmark"), "question", item_id=own_id)
    _hold_questions(name, items)
    secret = [
        n
        for n in items.get_column("benchmark").unique().to_list()
        if n in hashed or name in hashed or not benchmarks.in_plain_text(n)
    ]
    if not benchmarks.in_plain_text(name):
        secret = items.get_column("benchmark").unique().to_list()
    return (
        items.with_columns(
            item=pl.int_range(pl.len(), dtype=pl.UInt32).over("benchmark"),
            hashed=pl.col("benchmark").is_in(secret),
        )
        .select(*ITEMS)
        .cast(ITEMS)
        .drop_nulls("question")
    )


def _hold_questions(name: str, items: pl.DataFrame) -> None:
    blank = normalised(items.get_column("question"), Normalisation()).fill_null("") == ""
    told = items.select("benchmark", blank=blank).group_by("benchmark", maintain_order=True)
    empty = told.agg(pl.col("blank").all()).filter("blank").get_column("benchmark").to_list()
    if items.is_empty() or empty:
        rows = f"{items.height:,} rows, all without text" if empty else "no row"
        raise StageError(
            f"benchmark {empty[0] if empty else name}: has no question (input {name}: wanted a "
            f"text in at least one row, got {rows}); bind the input to the file that holds them"
        )


def _names(dtype: pl.DataType, column: str) -> bool:
    return dtype in (pl.String, pl.Null) or (column in ID_COLUMNS and not dtype.is_nested())


def _columns(schema: Mapping[str, pl.DataType], wanted: Sequence[str]) -> str:
    got = [f"{name}: {schema[name]}" for name in wanted if name in schema]
    return ", ".join(got) or f"columns {', '.join(schema) or 'none'}"


def summary(items: pl.DataFrame) -> pl.DataFrame:
    """One line per benchmark: items, sha256 of their questions, and what is known of it."""
    lines = []
    for (name,), own in items.group_by("benchmark", maintain_order=True):
        found = benchmarks.known(str(name))
        state = hashlib.sha256()
        for question in own.get_column("question").to_list():
            state.update(hashlib.sha256(question.encode()).digest())
        lines.append(
            (
                name,
                own.height,
                state.hexdigest(),
                found.version if found else None,
                found.hub if found else None,
                found.licence if found else None,
                bool(own.get_column("hashed")[0]),
            )
        )
    schema = {
        "benchmark": pl.String(),
        "items": pl.UInt32(),
        "sha256": pl.String(),
        "version": pl.String(),
        "hub": pl.String(),
        "licence": pl.String(),
        "hashed": pl.Boolean(),
    }
    return pl.DataFrame(lines, schema=schema, orient="row")


def leave(items: pl.DataFrame, matches: pl.DataFrame, engine: Engine) -> None:
    """Leaves beside the record what was held against, and the texts of the items that were hit.

    ``matches`` name items by ``at_item``. A hashed item is left without its text.
    """
    engine.write("benchmarks", summary(items))
    hit = items.with_row_index("at_item").join(matches, on="at_item", how="semi")
    text = pl.when(~pl.col("hashed")).then("question")
    told = hit.select("benchmark", "item", "item_id", question=text)
    engine.write("items", told.sort("benchmark", "item"))


def shown(span: str, hashed: bool) -> str:
    """The span as evidence may show it."""
    if hashed:
        return f"sha256:{hashlib.sha256(span.encode()).hexdigest()[:16]}"
    return span if len(span) <= MOST_SHOWN else span[: MOST_SHOWN - 1] + "…"


def problems(
    names: Sequence[str], inputs: Mapping[str, Mapping[str, pl.DataType]]
) -> Iterator[Problem]:
    """What is wrong with the columns of the inputs that hold benchmarks."""
    for name in names:
        has = inputs.get(name, {"question": pl.String()})  # unbound inputs are the run's matter
        for column in ("question", "benchmark", "file"):
            got = has.get(column)
            if isinstance(got, pl.String) or (got is None and column != "question"):
                continue
            yield Problem(
                "against",
                f"a String column {column} in input {name}",
                f"{column}: {got}" if got is not None else f"columns {', '.join(has)}",
                f"name the column of its questions in the input's columns, as {column}",
            )
        own = next((column for column in ID_COLUMNS if column in has), None)
        if own is not None and not _names(has[own], own):
            yield Problem("against", f"plain values in {own} of input {name}", str(has[own]))
