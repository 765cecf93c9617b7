"""Figures of one set: what it is made of, its lengths, its doubles, its tokens and hours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from s1data.acting import apply
from s1data.stages import get

H100_HOURS_PER_1000_ROWS: Final = 6.93
"""Fine-tuning Qwen2.5-32B-Instruct on s1K: 26 minutes on 16 H100 (section 4.1 of the paper)."""
CATEGORIES: Final = ("domain", "source", "source_type", "difficulty")
EDGES: Final = (0, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768)
"""Lower edges of the bands of a length."""


def figures(rows: pl.DataFrame) -> dict[str, Any]:
    """One line of numbers; None where the run holds nothing to tell by.

    ``tokens`` is None unless all rows have some: a sum over a part would pass for the whole.
    ``tokens_rows`` says of how many they are known.
    """
    tokens = rows["tokens"].drop_nulls()
    return {
        "rows": rows.height,
        "domains": _kinds(rows, "domain"),
        "sources": _kinds(rows, "source_type") or _kinds(rows, "source"),
        "preselected": int(rows["preselected"].sum()),
        "median_question_chars": rows["question"].str.len_chars().median(),
        "median_length": rows["length"].median(),
        "near_duplicates": near_duplicates(rows),
        "tokens": int(tokens.sum()) if len(tokens) == rows.height else None,
        "tokens_rows": len(tokens),
        "gpu_hours": round(rows.height * H100_HOURS_PER_1000_ROWS / 1000, 2),
    }


def near_duplicates(rows: pl.DataFrame) -> int | None:
    """Rows that would leave if near-duplicates inside the set were dropped; None without texts."""
    known = rows.drop_nulls("question").select("row", "id", "source", "question")
    if known.is_empty():
        return None
    return apply(get("drop_near_duplicates").model_validate({}), known).dropped.height


def distributions(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """``what``, ``name``, ``low``, ``rows`` and ``share`` of all rows of the set.

    ``low`` is the lower edge of a band of lengths, else None. The commonest come first, bands in
    their order.
    """
    for column in CATEGORIES:
        values = rows[column].cast(pl.String)
        if values.null_count() < len(values):
            counts = (
                values.fill_null("unknown")
                .value_counts()
                .sort(["count", column], descending=[True, False])
            )
            for name, count in counts.iter_rows():
                yield _line(column, name, count, rows.height)
    for what, values in (
        ("question_chars", rows["question"].str.len_chars().cast(pl.Float64)),
        ("length", rows["length"]),
    ):
        known = values.drop_nulls()
        for low, high in zip(EDGES, [*EDGES[1:], None], strict=True):
            inside = known >= low if high is None else known.is_between(low, high, closed="left")
            if count := int(inside.sum()):
                name = f"{low:,} and more" if high is None else f"{low:,} to {high:,}"
                yield _line(what, name, count, rows.height, low)


def _line(what: str, name: str, count: int, of: int, low: int | None = None) -> dict[str, Any]:
    share = count / max(of, 1)
    return {"what": what, "name": name, "low": low, "rows": count, "share": share}


def _kinds(rows: pl.DataFrame, column: str) -> int | None:
    return rows[column].drop_nulls().n_unique() or None
