"""What a stage's checkpoint holds: its frames, and the record of what came of it."""

from __future__ import annotations

import time
from typing import Any

import polars as pl

from s1data import memory
from s1data.acting import Outcome
from s1data.consulting import Consulted
from s1data.stage import Global, Stage


def kind(stage: Stage) -> str:
    """The kind of stage that it is, by the contract's name."""
    from s1data.stages import kind_of

    return kind_of(type(stage)).__name__


def frames(outcome: Outcome) -> dict[str, pl.DataFrame]:
    """The tables of a checkpoint, by file."""
    filtered = outcome.added is None or outcome.thinned is not None or outcome.ranks is not None
    found: dict[str, pl.DataFrame | None] = {
        "artefact": outcome.artefact,
        "columns": outcome.added,
        "ranks": outcome.ranks,
        "thinned": outcome.thinned,
        "dropped": outcome.dropped if filtered else None,
    }
    return {name: frame for name, frame in found.items() if frame is not None}


def record(stage: Stage, outcome: Outcome, asked: Consulted | None, rows: int) -> dict[str, Any]:
    """What came of a stage that ``rows`` rows went into; ``asked`` where it asked models."""
    return {
        "label": stage.label,
        "kind": kind(stage),
        **counts(rows, outcome.dropped),
        "figures": asked.figures if asked else _figures(stage, outcome),
        **({"open": asked.open} if asked else {}),
        **({} if outcome.edits is None else {"edits": outcome.edits.to_dicts()}),
    }


def cost(start: float) -> dict[str, Any]:
    """Seconds since ``start`` (`time.perf_counter`), and peak memory since it was last reset."""
    seconds = round(time.perf_counter() - start, 3)
    return {"seconds": seconds, "peak_mb": memory.peak_mb()}


def counts(rows: int, dropped: pl.DataFrame) -> dict[str, Any]:
    """Rows in and out, and the dropped by reason, the most frequent first."""
    reasons = dropped["reason"].value_counts().sort(["count", "reason"], descending=[True, False])
    return {
        "rows_in": rows,
        "rows_out": rows - dropped.height,
        "reasons": dict(reasons.iter_rows()),
    }


def _figures(stage: Stage, outcome: Outcome) -> dict[str, Any]:
    if not isinstance(stage, Global) or outcome.artefact is None:
        return {}
    return stage.figures(outcome.artefact)
