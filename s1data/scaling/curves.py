"""The curve of a sweep: a point for each budget, what can be told apart, and the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import polars as pl

from s1data.durable import sync_folder
from s1data.scaling import metrics
from s1data.scaling.grading import majority

FORMAT: Final = 1


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


def point(
    name: str, table: pl.DataFrame, questions: Mapping[str, str], least: float, most: float
) -> Point:
    """One point of the curve: what no grader could decide counts as wrong, and is counted.

    ``questions`` by id: options of multiple choice stand in them, which a vote is over.
    """
    shares = by_question(table)
    low, high = metrics.interval(list(shares.values()))
    # A request that failed thought nothing, but it is no sample of how long the model thinks.
    came = table.filter(pl.col("error").is_null())
    mean = came.select(pl.col("thinking_tokens").mean()).item()
    return Point(
        name=name,
        run=metrics.Run(
            tokens=mean or 0.0,
            accuracy=100 * sum(shares.values()) / len(shares),
            least=least,
            most=most,
        ),
        low=low,
        high=high,
        majority=_majority(table, questions),
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
            metrics.difference(by_question(tables[a.name]), by_question(tables[b.name])),
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
    whole(path, lambda file: figure.savefig(file, format=kind, dpi=150))


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that its name stands for the whole of it or for what was there before."""
    part = path.with_name(f".{path.name}.part")
    write(part)
    part.replace(path)
    sync_folder(path.parent)


def by_question(table: pl.DataFrame) -> dict[str, float]:
    """Share of a question's samples that are right."""
    right = pl.col("right").fill_null(value=False).cast(pl.Float64)
    shares = table.group_by("id", maintain_order=True).agg(right.mean())
    return dict(shares.iter_rows())


def _majority(table: pl.DataFrame, questions: Mapping[str, str]) -> float | None:
    if table.height == table.get_column("id").n_unique():
        return None
    elected = majority(table, questions)
    right = sum(one is not None and one.right is True for one in elected.values())
    return 100 * right / len(elected)
