"""Populations of a run: the rows that a set could have been drawn from, each with a name.

``pool`` is every line that was read as a question; ``quality`` what reached the first stage that
drops by difficulty; ``difficulty`` what the last selector chose from. Any label of a stage names
what that stage let go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from s1data.errors import RunError, nearest
from s1data.recipe import Pipeline
from s1data.stage import Selector

NAMED: Final = ("pool", "quality", "difficulty")
BY_DIFFICULTY: Final = ("drop_solved", "drop_outside", "drop_outside_counts")
"""Stages that drop rows by what solvers made of them."""


def last_selector(pipeline: Pipeline) -> Selector | None:
    """The selector that made the set; None where everything that was left came out."""
    found = [stage for stage in pipeline.stages if isinstance(stage, Selector)]
    return found[-1] if found else None


def before(pipeline: Pipeline, stage: str) -> pl.Expr:
    """Of ledger lines: whether the row reached the stage with that label."""
    place = [s.label for s in pipeline.stages].index(stage)
    return _not_dropped_by(pipeline, place)


def of(pipeline: Pipeline, name: str) -> pl.Expr:
    """Of ledger lines: whether the row is of the population; RunError for an unknown name."""
    labels = [stage.label for stage in pipeline.stages]
    if name == "pool":
        return _not_dropped_by(pipeline, 0)
    if name == "quality":
        first = [s.label for s in pipeline.stages if s.stage_name() in BY_DIFFICULTY][:1]
        return before(pipeline, first[0]) if first else of(pipeline, "difficulty")
    if name == "difficulty":
        selector = last_selector(pipeline)
        chosen_from = labels.index(selector.label) if selector else len(labels)
        return _not_dropped_by(pipeline, chosen_from)
    if name not in labels:
        known = [*NAMED, *labels]
        raise RunError(
            f"population: wanted {', '.join(NAMED)} or the label of a stage of {pipeline.name} "
            f"({', '.join(labels)}), got {name!r}{nearest(name, known)}"
        )
    return _not_dropped_by(pipeline, labels.index(name) + 1)


def shown(name: str, pipelines: Sequence[Pipeline] = ()) -> str:
    """``after quality``; ``pool`` is the pool.

    Of recipes none of which drops by difficulty, what the selector chose from is after quality.
    """
    if name == "difficulty" and pipelines and drawn_from(pipelines) == NAMED[:2]:
        name = "quality"
    return name if name == "pool" else f"after {name}"


def drawn_from(pipelines: Sequence[Pipeline]) -> tuple[str, ...]:
    """The populations that baselines are drawn from: those of `NAMED` that differ."""
    by_difficulty = any(s.stage_name() in BY_DIFFICULTY for p in pipelines for s in p.stages)
    return NAMED if by_difficulty else NAMED[:2]


def _not_dropped_by(pipeline: Pipeline, place: int) -> pl.Expr:
    """Rows that the reading and the first ``place`` stages let go on."""
    gone = ["read", *(stage.label for stage in pipeline.stages[:place])]
    return (pl.col("outcome") == "selected") | ~pl.col("stage").is_in(gone)
