"""What was found twice: benchmark items in the pool with the words that match, and duplicates."""

from __future__ import annotations

import re
from typing import Any, Final

import polars as pl

from s1data.overlaps import Overlaps
from s1data.report.facts import Facts

CONTAMINATION: Final = ("drop_contaminated", "check_contaminated")
_PER_BENCHMARK: Final = 3
_PAIRS: Final = 12
_AROUND: Final = 240
"""Characters shown on each side of the words that match."""
_MATCH: Final = pl.Struct(
    dict.fromkeys(("benchmark", "column", "method", "span"), pl.String) | {"item": pl.UInt32}
)
_SURVIVOR: Final = pl.Struct(
    {"survivor_row": pl.UInt32, "survivor_id": pl.String, "method": pl.String, "score": pl.Float64}
)


def contamination(facts: Facts) -> list[dict[str, Any]]:
    """Per stage that looked for benchmarks: counts by benchmark and method, marked examples."""
    found = []
    for name in CONTAMINATION:
        for checkpoint in facts.of_kind(name):
            if not checkpoint.has("artefact"):
                continue
            artefact = checkpoint.read("artefact")
            lost = facts.rows.filter(stage=checkpoint.label)
            counts = Overlaps(artefact).counts()
            found.append(
                {
                    "stage": checkpoint.label,
                    "counts": counts.filter(pl.col("benchmark").is_not_null()).to_dicts(),
                    "rows_dropped": lost.height,
                    "examples": _marked_examples(lost),
                }
            )
    return found


def _marked_examples(lost: pl.DataFrame) -> list[dict[str, Any]]:
    columns = ["row", "id", "question", "solution", "answer"]
    lines = (
        lost.sort("id", "row", nulls_last=True)
        .select(*columns, pl.col("evidence").str.json_decode(_MATCH).struct.unnest())
        .filter(pl.col("benchmark").is_not_null())
        .group_by("benchmark", maintain_order=True)
        .head(_PER_BENCHMARK)
        .sort("benchmark", maintain_order=True)
    )
    return [
        {k: line[k] for k in ("row", "id", "benchmark", "item", "method", "column", "span")}
        | {"text": marked(line.get(line["column"] or "question") or "", line["span"] or "")}
        for line in lines.iter_rows(named=True)
    ]


def marked(text: str, span: str) -> dict[str, str]:
    """``before``, ``match`` and ``after``: the words of ``span`` as they stand in ``text``.

    ``match`` is empty where they cannot be found again (a fuzzy match, a digest of the words).
    """
    words = span.split()
    pattern = r"\s+".join(re.escape(word) for word in words)
    place = re.search(pattern, text, re.IGNORECASE) if words else None
    if place is None:
        return {"before": text[: 2 * _AROUND], "match": "", "after": ""}
    start, end = place.span()
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    return {
        "before": ("…" if start > _AROUND else "") + before,
        "match": text[start:end],
        "after": after + ("…" if len(text) > end + _AROUND else ""),
    }


def duplicates(facts: Facts) -> dict[str, Any]:
    """``rows`` by stage and reason, and ``pairs``: rows that left beside the row that stayed."""
    lost = facts.rows.filter(
        (pl.col("outcome") == "dropped") & pl.col("evidence").str.contains('"survivor_row":')
    )
    if lost.is_empty():
        return {}
    counts = lost.group_by("stage", "reason").agg(rows=pl.len()).sort("stage", "reason")
    few = (
        lost.sort("id", "row", nulls_last=True)
        .group_by("stage", "reason", maintain_order=True)
        .head(_PAIRS // counts.height or 1)
        .with_columns(pl.col("evidence").str.json_decode(_SURVIVOR).struct.unnest())
    )
    stayed = facts.rows.select(
        "source", "question", "outcome", survivor_row="row", survivor_domain="stage"
    ).rename({"source": "survivor_source", "question": "survivor_question"})
    pairs = few.join(stayed, "survivor_row", "left", suffix="_of_survivor", maintain_order="left")
    names = ["stage", "reason", "method", "score", "row", "id", "source", "question"]
    names += ["survivor_row", "survivor_id", "survivor_source", "survivor_question"]
    shown = pairs.select(names).with_columns(
        pl.col("question", "survivor_question").str.slice(0, 600)
    )
    return {"rows": counts.to_dicts(), "pairs": shown.to_dicts()}
