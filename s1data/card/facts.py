"""What a card is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from s1data.recipe import Pipeline


@dataclass(frozen=True)
class Facts:
    """What a card is made from."""

    repo: str
    manifest: Mapping[str, Any]
    pipeline: Pipeline
    selected: pl.DataFrame
    """The set; texts of traces are not needed."""
    ledger: pl.DataFrame
    thinking_chars: pl.Series | None = None
    """Characters of the thinking of each trace, where the set has its texts."""

    @property
    def traces(self) -> pl.DataFrame | None:
        """One line per trace of the set; None where it has no such column."""
        if "traces" not in self.selected.columns:
            return None
        return self.selected.select(pl.col("traces").explode()).drop_nulls().unnest("traces")
