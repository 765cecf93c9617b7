"""How much of a set its seed decides: the run's last selector again, under other seeds.

It reads the columns that the run recorded, over the rows that reached it, so that nothing before it
runs again. Edits are left out: they are about one choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from s1data.acting import cache_home
from s1data.comparing import populations
from s1data.comparing.held import Held
from s1data.engine import LocalEngine
from s1data.errors import RunError, StageError
from s1data.hub.published_set import PublishedSet
from s1data.replay import build
from s1data.stage import Selector

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Stability:
    """What sets under several seeds share. Null figures have their reason in ``note``."""

    seeds: int
    shared: float | None = None
    """Mean share of a set that another seed's has too, over all pairs."""
    with_this: float | None = None
    """Mean share of the run's own set among those of the seeds."""
    always: int | None = None
    """Rows that every seed chooses."""
    ever: int | None = None
    """Rows that some seed chooses."""
    note: str = ""


def stability(held: Held, seeds: int, tell: Told) -> tuple[Stability, pl.DataFrame]:
    """The figures, and how many seeds chose each row: ``id`` and ``times``."""
    selector, counts = held.selector, pl.DataFrame(schema={"id": pl.String, "times": pl.UInt32})
    if selector is None:
        return Stability(seeds, note="nothing is selected"), counts
    if "seed" not in type(selector).model_fields:
        size = held.chosen.height
        note = f"{selector.stage_name()} has no seed: the same set each time"
        same = held.chosen.select("id", times=pl.lit(seeds, pl.UInt32))
        return Stability(seeds, 1.0, 1.0, size, size, note), same
    if seeds < 2:
        return Stability(seeds, note="fewer than two seeds"), counts
    try:
        keys = selector_keys(held, selector)
        sets = []
        for seed in range(seeds):
            sets.append(_chosen(selector.model_copy(update={"seed": seed}), keys, held))
            tell(seed + 1, seeds)
    except (RunError, StageError) as error:
        return Stability(seeds, note=str(error)), counts
    whole = pl.concat([s.select("row", "id") for s in sets])
    times = whole.group_by("row", "id").len("times").sort("times", "id", descending=[True, False])
    rows = [set(s["row"].to_list()) for s in sets]
    own = set(held.chosen["row"].to_list())
    shared = [len(a & b) / max(len(a), 1) for a, b in combinations(rows, 2)]
    mine = [len(own & s) / max(len(own), 1) for s in rows]
    figures = Stability(
        seeds,
        float(np.mean(shared)),
        float(np.mean(mine)),
        int((times["times"] == seeds).sum()),
        times.height,
    )
    return figures, times.select("id", "times")


def selector_keys(held: Held, selector: Selector) -> pl.DataFrame:
    """``id``, ``row`` and the selector's key columns of the rows that reached it, as recorded.

    RunError where they were not published.
    """
    if isinstance(held.run, PublishedSet):
        layout = held.run.layout
        read = held.run.config("replay")
    else:
        lines = build(held.run, all_texts=True)
        layout, read = lines.layout, lines.shown
    mine = next(s for s in layout.stages if s.label == selector.label)
    if layout.withheld and any(name in layout.texts for name in mine.keys.values()):
        raise RunError(f"stage {selector.label}: what it reads is withheld for some rows")
    reached = held.rows.filter(populations.before(held.run.pipeline, selector.label)).select("row")
    named = [pl.col(name).alias(key) for key, name in mine.keys.items()]
    return read.select("id", "row", *named).join(reached, on="row", how="semi")


def _chosen(selector: Selector, keys: pl.DataFrame, held: Held) -> pl.DataFrame:
    # A run does not keep the earlier set that a rule reads; its ledger says who was preselected.
    # A preselected row that it left out was of another rule: an earlier set is kept whole.
    left_out = (pl.col("stage") == selector.label).fill_null(False)
    earlier = held.rows.filter("preselected", ~left_out).select("id")
    earlier = earlier.join(keys, on="id", how="semi")
    engine = LocalEngine(read=lambda _: earlier, vectors_home=cache_home() / "vectors")
    ranks = selector.identify(engine.put(keys), engine)
    first = ranks.filter(pl.col("rank") <= selector.n).select("row")
    return keys.join(first, on="row", how="semi")
