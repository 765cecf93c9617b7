"""A benchmark of one's own at several budgets: forced, graded, written, drawn.

Rows are (id, question, answer). Every budget leaves one samples file, and all of them one curve.
Generation goes through the reply store, so a sweep that was killed goes on where it stopped and
pays nothing twice; files are written whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.errors import PoolError
from s1data.scaling import settings
from s1data.scaling.curves import Point, curve, draw, point, whole
from s1data.scaling.forcing import Budget, Engine, force
from s1data.scaling.grading import graded
from s1data.scaling.marks import Marks
from s1data.sources import Input, open_input

COLUMNS: Final = ("id", "question", "answer")


@dataclass(frozen=True, kw_only=True)
class How:
    """What is the same for all budgets of a sweep."""

    samples: int = 1
    """Of each question; with more than one a majority votes."""
    grader: str = "cascade"
    model: Mapping[str, Any] | None = None
    """What is asked and how it samples, in plain values, since no engine says it."""
    asked: Mapping[str, str] | None = None
    """Questions by id as they go into the prompt, where that is not as they stand."""


def read(path: Path, limit: int | None = None) -> pl.DataFrame:
    """``id``, ``question``, ``answer`` of a JSONL, Parquet or CSV file, as texts.

    PoolError where one of them is missing, empty, or a list or object (no grader knows which of
    several answers is meant), or where an id stands twice.
    """
    frame = open_input(Input(), "FILE", path).read()
    lost = [name for name in COLUMNS if name not in frame.columns]
    if lost and frame.columns:
        raise PoolError(
            f"{path}: wanted columns id, question and answer, got {', '.join(frame.columns)}"
        )
    frame = frame.select(pl.col(*COLUMNS).cast(pl.String)) if not lost else frame
    frame = frame if limit is None else frame.head(limit)
    if frame.is_empty():
        raise PoolError(f"{path}: wanted questions, got no row")
    _check_plain(path, frame)
    empty = pl.any_horizontal(pl.all().fill_null("").str.strip_chars().eq(""))
    lacks = frame.select(empty.alias("lacks")).get_column("lacks")
    blank = frame.filter(lacks)
    if not blank.is_empty():
        first = int(lacks.arg_true()[0]) + 1
        raise PoolError(
            f"{path}: {blank.height} rows lack an id, question or answer, the first of them row "
            f"{first}; mend them"
        )
    if twice := frame.filter(pl.col("id").is_duplicated()).get_column("id").to_list():
        raise PoolError(f"{path}: the id {twice[0]!r} stands twice; ids tell the questions apart")
    return frame


def _check_plain(path: Path, frame: pl.DataFrame) -> None:
    """PoolError where a value was a list or object in the file: here it is its JSON text."""
    for name in COLUMNS:
        like = frame.get_column(name).str.contains(r"^[\[{]").fill_null(value=False)
        if not like.any():
            continue
        # [1, 2] may be an interval, written so: the file says which it is.
        nested = _nested(path, name, frame.height)
        place = like.arg_true()[0] if nested == -1 else nested
        if place is not None:
            raise PoolError(
                f"{path}: row {place + 1} has a list or object in the column {name} "
                f"({frame.get_column(name)[place][:60]}); wanted one text or number a row: mend "
                "it, or make a row of each question that has one answer"
            )


def _nested(path: Path, name: str, rows: int) -> int | None:
    """The first row with a nested value; -1 for all of a column, None for none."""
    if path.suffix == ".parquet" and path.is_file():
        return -1 if pl.read_parquet_schema(path)[name].is_nested() else None
    if path.suffix not in (".jsonl", ".ndjson") or not path.is_file():
        return None
    with path.open("rb") as lines:
        filled = (line for line in lines if line.strip())
        for row, line in enumerate(islice(filled, rows)):
            if isinstance(json.loads(line).get(name), list | dict):
                return row
    return None


def run(
    frame: pl.DataFrame,
    budgets: Sequence[Budget],
    marks: Marks,
    engine: Engine,
    out: Path,
    how: How | None = None,
) -> list[Point]:
    """Forces each budget on every question and leaves ``samples/NAME.parquet`` and the curve.

    PoolError where ``out`` holds samples of other questions or settings. Raises what the engine
    raises; the files of budgets that were done by then are there.
    """
    how = how or How()
    names = [budget.name for budget in budgets]
    if twice := {name for name in names if names.count(name) > 1}:
        raise PoolError(f"budgets: {', '.join(sorted(twice))} is given twice")
    out.mkdir(parents=True, exist_ok=True)
    settings.hold(out, frame, _settings(budgets, marks, how))
    folder = out / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    questions = dict(frame.select("id", "question").iter_rows())
    wanted = {
        (id_, sample): (how.asked or questions)[id_]
        for id_ in questions
        for sample in range(how.samples)
    }
    tables: dict[str, pl.DataFrame] = {}
    for budget in budgets:
        table = graded(frame, force(wanted, budget, marks, engine), how.grader)
        whole(folder / f"{budget.name}.parquet", table.write_parquet)
        tables[budget.name] = table
    limits = {b.name: (float(b.minimum), float(b.maximum)) for b in budgets}
    points = [point(name, table, questions, *limits[name]) for name, table in tables.items()]
    told = json.dumps(curve(points, tables), indent=2) + "\n"
    whole(out / "curve.json", lambda path: path.write_text(told, "utf-8"))
    draw(points, out / "curve.png")
    return points


def others(out: Path, budgets: Sequence[Budget]) -> list[str]:
    """Budgets that have samples in ``out`` and are not among these."""
    known = {budget.name for budget in budgets}
    return sorted(
        file.stem for file in (out / "samples").glob("*.parquet") if file.stem not in known
    )


def _settings(budgets: Sequence[Budget], marks: Marks, how: How) -> dict[str, Any]:
    """What names of budgets do not say and samples depend on."""
    shared = {(budget.text, budget.final, budget.answer) for budget in budgets}
    if len(shared) > 1:
        raise PoolError("budgets: wanted one text, final and answer for all, got several")
    text, final, answer = next(iter(shared))
    return {
        "model": None if how.model is None else dict(how.model),
        "prompt": marks.prompt("{question}"),
        "marks": {"ends": marks.ends, "closes": marks.closes, "answer ends": marks.answer_ends},
        "text": text,
        "final": final,
        "max-answer": answer,
        "samples": how.samples,
        "grader": how.grader,
    }
