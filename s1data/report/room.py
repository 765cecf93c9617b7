"""Which rows a page holds in full: the selected first, then dropped ones that got furthest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson
import polars as pl

from s1data.report.facts import TEXTS, Facts

_BESIDE: Final = 120
"""Bytes of a row's names and evidence beside its texts; a guess that `payload.pack` mends."""
_SAMPLE: Final = 200


def in_full(facts: Facts, room: float, coded: Callable[[bytes], str]) -> pl.Series:
    """Boolean, one per row: whether its texts fit into ``room`` bytes once ``coded``."""
    rows = facts.rows
    order = {label: n for n, label in enumerate(c.label for c in facts.checkpoints)}
    reached = pl.col("stage").replace_strict(order, default=len(order), return_dtype=pl.Int32)
    size = pl.sum_horizontal(pl.col(c).str.len_bytes().fill_null(0) for c in TEXTS) + _BESIDE
    sized = rows.select("row", "id", size=size, reached=reached)
    sized = sized.join(_told_bytes(facts), "row", "left", maintain_order="left")
    cost = (pl.col("size") + pl.col("told").fill_null(0)).cast(pl.Float64) * _ratio(rows, coded)
    best = sized.sort("reached", "id", "row", descending=[True, False, False], nulls_last=True)
    return best.with_columns(full=cost.cum_sum() <= room).sort("row")["full"]


def _told_bytes(facts: Facts) -> pl.DataFrame:
    """``row`` and ``told``: bytes of the texts of its traces and attempts."""
    chosen = facts.selected
    thinking, answer = (
        pl.element().struct.field(name).str.len_bytes().fill_null(0).cast(pl.Int64)
        for name in ("thinking", "answer")
    )
    told = [facts.attempt_texts]
    if "traces" in chosen.columns:
        told.append(chosen.select("row", texts="traces"))
    size = pl.col("texts").list.eval(thinking + answer).list.sum()
    sizes = [texts.select("row", told=size) for texts in told]
    return pl.concat(sizes).group_by("row").agg(pl.col("told").sum())


def _ratio(rows: pl.DataFrame, coded: Callable[[bytes], str]) -> float:
    """Bytes in the page per byte of text, measured on rows from all over the run."""
    spread = rows.gather_every(max(1, rows.height // _SAMPLE)).select(TEXTS)
    raw = orjson.dumps(spread.rows())
    return len(coded(raw)) / max(1, len(raw))
