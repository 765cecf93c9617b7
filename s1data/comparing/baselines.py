"""Sets that any choice is to be held against: random, longest, and preselected plus random rows.

Each is drawn by the project's own selectors from a population that its name states. Preselection
is there because a set may owe what it is to the rows that were in before any draw: 412 of the
1,000 rows of s1K are AIME or GPQA.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from s1data.acting import act
from s1data.comparing import populations
from s1data.comparing.held import Held
from s1data.engine import LocalEngine
from s1data.stage import Selector
from s1data.stages.selection import KeepLongest, KeepRandom

KINDS: Final = ("random", "longest", "preselect plus random")
SEED: Final = 1_000_003
"""Of the random baselines: one that no recipe has by chance, so that none is the very draw of a run
with `keep_random` and a seed of its own."""


@dataclass(frozen=True)
class Drawn:
    """A set: the rows chosen, and where they are from. Of a run ``population`` is None."""

    name: str
    kind: str
    population: str | None
    rows: pl.DataFrame


def baselines(held: Held, names: tuple[str, ...]) -> Iterator[Drawn]:
    """Of each population in ``names`` and each kind, a set as large as the run's own.

    Fewer rows where the population has no more, or, for the longest, no more with a length.
    """
    n = max(held.chosen.height, 1)
    for name in names:
        rows = held.population(name)
        for kind, stage, of in (
            (KINDS[0], KeepRandom(n=n, seed=SEED), rows),
            (KINDS[1], _longest(n), rows.filter(pl.col("length").is_not_null())),
            (KINDS[2], _preselecting(n, rows), rows),
        ):
            engine = LocalEngine(read=lambda _: pl.DataFrame(), vectors_home=Path())
            kept = act(stage, of, engine).kept
            yield Drawn(f"{kind}, {populations.shown(name)}", kind, name, kept)


def _longest(n: int) -> Selector:
    return KeepLongest(n=n, length_from="length")


def _preselecting(n: int, rows: pl.DataFrame) -> Selector:
    rules = [{"right": "preselected"}] if rows["preselected"].any() else []
    return KeepRandom.model_validate({"n": n, "seed": SEED, "preselect": rules})
