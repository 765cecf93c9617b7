"""Evidence in words for every dropped row, and the setting that would have kept it.

Many rows share one (stage, reason, evidence); each is put into words once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from s1data.report.facts import Facts
from s1data.stage import Filter, GlobalFilter, Selector
from s1data.why import as_set, said, way_of_unread

MOST: Final = 2_000
"""Characters of a sentence that are shown; evidence may quote a text of any length."""
_KEY: Final = ["stage", "reason", "evidence"]


@dataclass(frozen=True)
class Said:
    """What is said of a row: a sentence, and the ``--set`` that would have kept it, if any does."""

    words: str
    setting: str | None


def for_rows(facts: Facts, rows: pl.DataFrame) -> list[Said]:
    """One `Said` per line of ``rows`` (lines of ``facts.rows``), in order."""
    distinct = rows.select(_KEY).unique(maintain_order=True)
    stages = {s.label: s for s in facts.run.pipeline.stages}
    known = {
        key: _said(stages.get(key[0] or _selector(facts)), key[1], key[2])
        for key in distinct.iter_rows()
        if key[0] != "read"
    }
    unread = _unread(facts)
    return [
        unread[row] if key[0] == "read" else known[key]
        for row, *rest in rows.select("row", *_KEY).iter_rows()
        for key in [tuple(rest)]
    ]


def _selector(facts: Facts) -> str:
    chosen = [s.label for s in facts.run.pipeline.stages if isinstance(s, Selector)]
    return chosen[-1] if chosen else ""


def _said(stage: object, reason: str | None, evidence: str | None) -> Said:
    if not isinstance(stage, Filter | GlobalFilter | Selector):
        return Said("", None)
    words, settings = said(stage, reason, evidence)
    return Said(cut(words), None if settings is None else as_set(stage.label, settings))


def _unread(facts: Facts) -> dict[int, Said]:
    read = facts.checkpoints[0]
    lines = read.read("dropped").iter_rows(named=True)
    return {
        line["row"]: Said(cut(way_of_unread(line, read).steps[0].words), None) for line in lines
    }


def cut(text: str, most: int = MOST) -> str:
    """``text``, or its first ``most`` characters and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
