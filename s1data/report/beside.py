"""Other runs beside this one: what their sets share, and how they differ in what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from s1data.run import Run


def of(run: Run, others: Sequence[Run]) -> list[dict[str, Any]]:
    """One line per run, this one first: set sizes, questions shared by id, medians, spread.

    Empty where there is no other run. It names no winner: nothing in it says which set trains a
    better model.
    """
    if not others:
        return []
    mine = set(run.selected["id"])
    return [_line(each, mine, this=each is run) for each in (run, *others)]


def _line(run: Run, mine: set[str], *, this: bool) -> dict[str, Any]:
    chosen = run.selected
    ids = set(chosen["id"])
    spread = {
        f"{name}s": chosen[name].drop_nulls().n_unique() if name in chosen.columns else None
        for name in ("source", "domain")
    }
    return {
        "run": f"{run.path.name} (this run)" if this else run.path.name,
        "title": run.manifest["title"],
        "rehearsal": run.manifest.get("rehearsal", False),
        "read": run.manifest["stages"][0]["rows_in"],
        "selected": chosen.height,
        "in_both": len(mine & ids),
        "only_there": len(ids - mine),
        "only_here": len(mine - ids),
        **spread,
        "median_question_chars": chosen["question"].str.len_chars().median(),
        "median_thinking_tokens": _thinking(chosen),
    }


def _thinking(chosen: pl.DataFrame) -> float | None:
    if "traces" not in chosen.columns:
        return None
    tokens = chosen["traces"].explode().drop_nulls().struct.field("thinking_tokens")
    median = tokens.median()
    return float(median) if isinstance(median, int | float) else None
