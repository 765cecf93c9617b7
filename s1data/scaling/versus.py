"""Two models, as trained on two sets, held against each other: the same budget, by question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from s1data.errors import PoolError
from s1data.scaling import metrics
from s1data.scaling.curves import by_question

Shares = Mapping[str, Mapping[str, float]]
"""By budget, the share of each question's samples that are right."""


def read(folder: Path, budgets: Iterable[str]) -> dict[str, dict[str, float]]:
    """The samples of those of the budgets that ``folder`` has; PoolError where it has none."""
    files = {file.stem: file for file in sorted((folder / "samples").glob("*.parquet"))}
    wanted = sorted(set(budgets))
    if not files:
        raise PoolError(f"{folder}: wanted a folder that s1data scale wrote, got no samples in it")
    if not set(wanted) & set(files):
        raise PoolError(
            f"{folder}: wanted samples of {' or '.join(wanted)}, it has {', '.join(files)}; two "
            "models are told apart at the same budget"
        )
    return {name: _shares(files[name]) for name in wanted if name in files}


def differences(ours: Shares, theirs: Shares) -> dict[str, metrics.Difference]:
    """From theirs to ours, by budget that both have; PoolError without a question in common."""
    return {name: metrics.difference(theirs[name], ours[name]) for name in ours if name in theirs}


def _shares(file: Path) -> dict[str, float]:
    try:
        return by_question(pl.read_parquet(file, columns=["id", "right"]))
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).splitlines()[0]
        raise PoolError(f"{file}: wanted samples of s1data scale: {said}") from None
