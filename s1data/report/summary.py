"""The figures of a run: everything that page, terminal, JSON and pictures show is one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from s1data.models import ModelSpec
from s1data.report import beside, distributions, overlap
from s1data.report.facts import Facts
from s1data.report.words import for_rows
from s1data.run import Run

FORMAT: Final = 1
EXAMPLES: Final = 3


def of(facts: Facts, others: Sequence[Run] = ()) -> dict[str, Any]:
    """JSON-able: what ran, the funnel with examples, distributions, overlap, grading, models.

    ``others`` are finished runs to be shown beside this one.
    """
    return {
        "format": FORMAT,
        **_head(facts.manifest),
        "funnel": [_stage(line) for line in facts.run.funnel().iter_rows(named=True)],
        "expected": expected(facts.manifest),
        "removed": _removed(facts),
        "distributions": distributions.of(facts),
        "contamination": overlap.contamination(facts),
        "duplicates": overlap.duplicates(facts),
        "grading": distributions.grading(facts),
        "models": models(facts.manifest, facts.run.pipeline.models),
        "beside": beside.of(facts.run, others),
    }


def _head(manifest: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "version", "title", "changed", "limit", "started", "finished")
    read, selected = manifest["stages"][0], manifest["selected"]
    return {
        **{name: manifest.get(name) for name in names},
        "description": manifest.get("description", ""),
        "rehearsal": manifest.get("rehearsal", False),
        "fingerprint": manifest["fingerprint"],
        "seconds": _between(manifest["started"], manifest["finished"]),
        "stage_seconds": round(sum(s["seconds"] for s in manifest["stages"]), 1),
        "usd": _usd(manifest),
        "open": manifest.get("open", 0),
        "edits": manifest.get("edits", []),
        "rows": {
            "read": read["rows_in"],
            "selected": selected["rows"],
            "dropped": read["rows_in"] - selected["rows"],
            "asked_for": selected["asked_for"],
        },
        "sources": manifest["sources"],
        "inputs": manifest["inputs"],
        "seeds": manifest["seeds"],
        "versions": manifest["versions"],
        "files": manifest["files"],
    }


def expected(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Rows that others published beside those found: ``who`` of them, and ``stages`` in order.

    Each stage has ``found`` and, in the order of ``who``, ``expected`` (None where one says
    nothing of it). Empty where the recipe carries no published counts.
    """
    told = manifest.get("expected") or {}
    stages: dict[str, dict[str, Any]] = {}
    for line in manifest["stages"]:
        counts = [told[who].get(line["label"]) for who in told]
        known = [count for count in counts if count is not None]
        if known:
            stages[line["label"]] = {
                "stage": line["label"],
                "found": known[0]["found"],
                "expected": [None if count is None else count["expected"] for count in counts],
            }
    return {"who": list(told), "stages": list(stages.values())} if stages else {}


def _stage(line: Mapping[str, Any]) -> dict[str, Any]:
    reasons = {r["reason"]: r["rows"] for r in line["reasons"]}
    return {**line, "reasons": reasons, "seconds": round(line["seconds"], 2)}


def _removed(facts: Facts) -> list[dict[str, Any]]:
    """One entry per stage and reason, in the funnel's order, each with up to three examples."""
    dropped = facts.rows.filter(pl.col("outcome") == "dropped")
    # The lowest ids are as good as a draw, and the same each time.
    few = (
        dropped.sort("id", "row", nulls_last=True)
        .group_by("stage", "reason", maintain_order=True)
        .head(EXAMPLES)
    )
    told = for_rows(facts, few)
    examples = few.with_columns(
        pl.Series("words", [said.words for said in told], pl.String),
        pl.Series("setting", [said.setting for said in told], pl.String),
    ).select("stage", "reason", "row", "id", "source", "question", "words", "setting")
    by_reason = examples.partition_by("stage", "reason", as_dict=True)
    found = []
    for line in facts.run.funnel().iter_rows(named=True):
        for reason in line["reasons"]:
            few = by_reason[line["stage"], reason["reason"]]
            shown = [_example(e) for e in few.drop("stage", "reason").iter_rows(named=True)]
            found.append({"stage": line["stage"], **reason, "examples": shown})
    return found


def _example(line: Mapping[str, Any]) -> dict[str, Any]:
    question = line["question"]
    return {**line, "question": None if question is None else question[:600]}


def models(
    manifest: Mapping[str, Any], named: Mapping[str, ModelSpec] | None = None
) -> list[dict[str, Any]]:
    """One entry per model that was asked: its name and whatever the manifest says of it."""
    known = named or {}
    return [
        {"model": f"{name} ({known[name].model})" if name in known else name}
        | {key: value for key, value in said.items() if value not in ({}, [], None)}
        for name, said in (manifest.get("models") or {}).items()
    ]


def _usd(manifest: Mapping[str, Any]) -> float | None:
    asked = (manifest.get("models") or {}).values()
    known = [m["usd"] for m in asked if m.get("usd") is not None]
    return round(sum(known), 4) if known else None


def _between(started: str, finished: str) -> float:
    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
