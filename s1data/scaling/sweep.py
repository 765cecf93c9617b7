"""A benchmark of one's own at several budgets: forced, graded, written, drawn.

Rows are (id, question, answer). Every budget leaves one samples file, and all of them one curve.
Generation goes through the reply store, so a sweep that was killed goes on where it stopped and
pays nothing twice; files are written whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data import graders
from s1data.durable import sync_folder
from s1data.errors import PoolError
from s1data.scaling import metrics
from s1data.scaling.forcing import Budget, Engine, Forced, force
from s1data.scaling.marks import Marks
from s1data.sources import Input, open_input

FORMAT: Final = 1

_LEADS: Final = re.compile(r"\banswer\b|\\boxed", re.IGNORECASE)
SAMPLES: Final = pl.Schema(
    {
        "id": pl.String(),
        "sample": pl.Int64(),
        "right": pl.Boolean(),
        "method": pl.String(),
        "extracted": pl.String(),
        "thinking_tokens": pl.Int64(),
        "answer_tokens": pl.Int64(),
        "waits": pl.Int64(),
        "cut": pl.Boolean(),
        "mute": pl.Boolean(),
        "error": pl.String(),
        "thinking": pl.String(),
        "answer": pl.String(),
    }
)
"""One row for each question and sample; ``right`` is null where no grader could decide."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One budget of the curve."""

    name: str
    run: metrics.Run
    low: float
    high: float
    """95% bootstrap interval of the accuracy over questions, in percent."""
    majority: float | None
    """Accuracy of the most frequent answer, in percent; None for one sample a question."""
    undecided: int
    errors: int


def read(path: Path, limit: int | None = None) -> pl.DataFrame:
    """``id``, ``question``, ``answer`` of a JSONL, Parquet or CSV file, as texts.

    PoolError where one of them is missing or empty, or an id stands twice.
    """
    frame = open_input(Input(), "FILE", path).read()
    lost = [name for name in ("id", "question", "answer") if name not in frame.columns]
    if lost:
        raise PoolError(
            f"{path}: wanted columns id, question and answer, got {', '.join(frame.columns)}"
        )
    frame = frame.select(pl.col("id", "question", "answer").cast(pl.String))
    frame = frame if limit is None else frame.head(limit)
    if frame.is_empty():
        raise PoolError(f"{path}: wanted questions, got no row")
    blank = frame.filter(pl.any_horizontal(pl.all().fill_null("").str.strip_chars().eq("")))
    if not blank.is_empty():
        raise PoolError(f"{path}: {blank.height} rows lack an id, question or answer; mend them")
    if twice := frame.filter(pl.col("id").is_duplicated()).get_column("id").to_list():
        raise PoolError(f"{path}: the id {twice[0]!r} stands twice; ids tell the questions apart")
    return frame


def run(
    frame: pl.DataFrame,
    budgets: Sequence[Budget],
    marks: Marks,
    engine: Engine,
    out: Path,
    *,
    samples: int = 1,
    grader: str = "cascade",
) -> list[Point]:
    """Forces each budget on every question and leaves ``samples/NAME.parquet`` and the curve.

    Raises what the engine raises; the files of budgets that were done by then are there.
    """
    names = [budget.name for budget in budgets]
    if twice := {name for name in names if names.count(name) > 1}:
        raise PoolError(f"budgets: {', '.join(sorted(twice))} is given twice")
    folder = out / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    questions = {
        (id_, sample): question
        for id_, question in frame.select("id", "question").iter_rows()
        for sample in range(samples)
    }
    tables: dict[str, pl.DataFrame] = {}
    for budget in budgets:
        forced = force(questions, budget, marks, engine)
        table = graded(frame, forced, grader)
        _whole(folder / f"{budget.name}.parquet", table.write_parquet)
        tables[budget.name] = table
    limits = {b.name: (float(b.minimum), float(b.maximum)) for b in budgets}
    points = [point(name, table, *limits[name]) for name, table in tables.items()]
    told = curve(points, tables)
    _whole(
        out / "curve.json", lambda path: path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    )
    draw(points, out / "curve.png")
    return points


def graded(frame: pl.DataFrame, forced: Sequence[Forced], grader: str) -> pl.DataFrame:
    """The samples with their grades; one whose request failed is wrong by method ``error``."""
    grade = graders.get(grader)
    known = {id_: (q, a) for id_, q, a in frame.select("id", "question", "answer").iter_rows()}
    rows = []
    for one in forced:
        question, answer = known[one.id]
        got = grade(answer, _told(one), question) if one.error is None else None
        rows.append(
            {
                "id": one.id,
                "sample": one.sample,
                "right": False if got is None else got.right,
                "method": "error" if got is None else got.method,
                "extracted": None if got is None else got.extracted,
                "thinking_tokens": one.tokens("thinking"),
                "answer_tokens": one.tokens("answer"),
                "waits": one.count("wait") + one.count("minimum"),
                "cut": one.cut,
                "mute": one.mute,
                "error": one.error,
                "thinking": one.thinking,
                "answer": one.answer,
            }
        )
    return pl.DataFrame(rows, schema=SAMPLES)


def _told(one: Forced) -> str:
    """What is graded: the lead-in that was put in only where the model gave none of its own."""
    said = one.text("answer")
    return said if not said.strip() or _LEADS.search(said) else one.answer


def point(name: str, table: pl.DataFrame, least: float, most: float) -> Point:
    """One point of the curve: what no grader could decide counts as wrong, and is counted."""
    by_question = _by_question(table)
    low, high = metrics.interval(list(by_question.values()))
    # A request that failed thought nothing, but it is no sample of how long the model thinks.
    mean = table.filter(pl.col("error").is_null()).get_column("thinking_tokens").mean() or 0.0
    return Point(
        name=name,
        run=metrics.Run(
            tokens=float(mean),  # type: ignore[arg-type] # polars' mean of integers is a float
            accuracy=100 * sum(by_question.values()) / len(by_question),
            least=least,
            most=most,
        ),
        low=low,
        high=high,
        majority=_majority(table),
        undecided=table.get_column("right").null_count(),
        errors=table.height - table.get_column("error").null_count(),
    )


def curve(points: Sequence[Point], tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """The curve as JSON holds it: points, metrics, and neighbours told apart or not."""
    ordered = sorted(points, key=lambda one: (one.run.tokens, one.name))
    runs = [one.run for one in ordered]
    thinks = [one for one in runs if one.tokens > 0]
    sloped = len({one.tokens for one in thinks}) > 1
    pairs = [
        (
            a.name,
            b.name,
            metrics.difference(_by_question(tables[a.name]), _by_question(tables[b.name])),
        )
        for a, b in pairwise(ordered)
    ]
    return {
        "format": FORMAT,
        "points": [
            {
                "budget": one.name,
                "thinking_tokens": one.run.tokens,
                "accuracy": one.run.accuracy,
                "interval": [one.low, one.high],
                "majority": one.majority,
                "undecided": one.undecided,
                "errors": one.errors,
            }
            for one in ordered
        ],
        "control": metrics.control(runs),
        "scaling": metrics.scaling(thinks) if sloped else None,
        "scaling_linear": metrics.linear_scaling(thinks) if sloped else None,
        "performance": metrics.performance(runs),
        "differences": [
            {"from": a, "to": b, "told_apart": d.told_apart, "says": str(d)} for a, b, d in pairs
        ],
    }


def draw(points: Sequence[Point], path: Path) -> None:
    """Accuracy against thinking tokens with intervals; PNG or SVG by the name of ``path``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ordered = sorted(points, key=lambda one: one.run.tokens)
    xs = [one.run.tokens for one in ordered]
    ys = [one.run.accuracy for one in ordered]
    errors = [
        [max(0.0, one.run.accuracy - one.low) for one in ordered],
        [max(0.0, one.high - one.run.accuracy) for one in ordered],
    ]
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.errorbar(xs, ys, yerr=errors, marker="o", capsize=3, label="one sample")
    voted = [(one.run.tokens, one.majority) for one in ordered if one.majority is not None]
    if voted:
        axes.plot(*zip(*voted, strict=True), marker="s", linestyle="--", label="majority vote")
        axes.legend()
    for one in ordered:
        axes.annotate(one.name, (one.run.tokens, one.run.accuracy), xytext=(4, 4),
                      textcoords="offset points", fontsize=7, parse_math=False)  # fmt: skip
    if min(xs) > 0:
        axes.set_xscale("log", base=2)
    axes.set_xlabel("thinking tokens, mean of a question")
    axes.set_ylabel("accuracy, % (95% bootstrap interval)")
    kind = path.suffix.lstrip(".") or "png"
    _whole(path, lambda file: figure.savefig(file, format=kind, dpi=150))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that its name stands for the whole of it or for what was there before."""
    part = path.with_name(f".{path.name}.part")
    write(part)
    part.replace(path)
    sync_folder(path.parent)


def _by_question(table: pl.DataFrame) -> dict[str, float]:
    """Share of a question's samples that are right."""
    right = pl.col("right").fill_null(value=False).cast(pl.Float64)
    shares = table.group_by("id", maintain_order=True).agg(right.mean())
    return dict(shares.iter_rows())


def _majority(table: pl.DataFrame) -> float | None:
    if table.height == table.get_column("id").n_unique():
        return None
    voted = metrics.majority(table.select("id", "extracted").iter_rows())
    graded_ = {
        (id_, answer): bool(right)
        for id_, answer, right in table.select("id", "extracted", "right").iter_rows()
    }
    return 100 * sum(graded_[id_, answer] for id_, answer in voted.items() if answer) / len(voted)
