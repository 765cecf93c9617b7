"""What was found of benchmarks, for reading: counts, matched spans, borderline pairs.

The lines are those that a stage which holds rows against benchmarks leaves as its artefact, one for
each row, method, column and item. A pair is borderline when little would have to change for its
method to miss it: a fuzzy score just above the threshold, a shared run just as long as the n-gram.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from s1data.stages import matches

_ORDER: Final = ("method", "score", "run", "row", "benchmark", "item", "column")


@dataclass(frozen=True)
class Overlaps:
    """Matches of a pool with benchmarks.

    The artefact of ``drop_contaminated``, ``check_contaminated`` or ``add_contamination``.
    """

    lines: pl.DataFrame

    def only(self, benchmark: str | None = None, method: str | None = None) -> Overlaps:
        """The matches with one benchmark, by one method, or both."""
        lines = self.lines
        for name, value in (("benchmark", benchmark), ("method", method)):
            lines = lines if value is None else lines.filter(pl.col(name) == value)
        return Overlaps(lines)

    def counts(self) -> pl.DataFrame:
        """benchmark, method, items, rows, only_this_method: what was hit, how often."""
        return matches.counted(self.lines)

    def pairs(self) -> pl.DataFrame:
        """Every match of a row with an item, the most doubtful of each method first.

        Texts of both are left out: ``row`` (and ``id``, where the lines have it) and ``benchmark``,
        ``item`` say where they stand.
        """
        found = self.lines.filter(pl.col("method").is_not_null())
        own = [name for name in ("id",) if name in found.columns]
        return found.select(*_ORDER, *own, "item_id", "span", "pool_rows").sort(*_ORDER)

    def borderline(self, most: int = 100) -> pl.DataFrame:
        """At most so many pairs of each method, in order for reading."""
        return self.pairs().group_by("method", maintain_order=True).head(most)

    def export(self, path: Path) -> None:
        """Writes all pairs as Parquet."""
        self.pairs().write_parquet(path)
