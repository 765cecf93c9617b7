"""The manifest: what was run on what, with which outcome, in one JSON file written last."""

from __future__ import annotations

import platform
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import polars as pl

from s1data import digest
from s1data.preparing import Prepared
from s1data.recipe import Pipeline, asked_for

FORMAT: Final = 1
_PACKAGES: Final = (
    "s1data", "polars", "numpy", "scikit-learn", "sentence-transformers", "torch", "transformers",
    "datasets", "reasoning-gym",
)  # fmt: skip


def build(
    prepared: Prepared,
    records: Sequence[Mapping[str, Any]],
    cached: Collection[str],
    selected: pl.DataFrame,
    files: Mapping[str, str],
    started: float,
    account: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a run whose stages have left ``records``.

    ``account`` says whether it was a rehearsal, and what it cost.
    """
    pipeline = prepared.pipeline
    stages = [
        {
            "label": r["label"],
            "kind": r["kind"],
            "rows_in": r["rows_in"],
            "rows_out": r["rows_out"],
            "reasons": r["reasons"],
            "figures": r.get("figures", {}),
            "seconds": r["seconds"],
            "peak_mb": r["peak_mb"],
            "key": r["key"],
            "cached": r["label"] in cached,
            **({"open": r["open"]} if "open" in r else {}),
        }
        for r in records
    ]
    return {
        "format": FORMAT,
        "name": pipeline.name,
        "version": pipeline.version,
        "title": pipeline.title,
        "changed": list(pipeline.changed),
        "fingerprint": prepared.fingerprint(),
        "recipe": pipeline.fingerprint,
        "limit": prepared.limit,
        "rehearsal": account["rehearsal"],
        "started": _when(started),
        "finished": _when(time.time()),
        "sources": records[0]["sources"],
        "inputs": {name: o.provenance() for name, o in prepared.inputs.items()},
        "stages": stages,
        "edits": [edit for record in records for edit in record.get("edits", ())],
        "models": _models(records),
        "open": sum(sum(r.get("open", {}).values()) for r in _each_once(records)),
        "spent": account["spent"],
        "in_flight_at_a_kill": account["in_flight_at_a_kill"],
        "revisions": {s.label: s.revision for s in pipeline.stages},
        "seeds": {s.label: s.seed for s in pipeline.stages if hasattr(s, "seed")},
        "expected": expected(pipeline, records),
        "selected": {
            "rows": selected.height,
            "asked_for": asked_for(pipeline),
            "ids_sha256": digest.of_value(selected["id"].to_list()),
            "licences": _counted(selected, "licence"),
            "sources": _counted(selected, "source"),
            **_trace_kinds(selected),
        },
        "files": dict(files),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def expected(
    pipeline: Pipeline, records: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, dict[str, int]]]:
    """By who published it and stage, in the order of stages: rows ``expected`` after, ``found``."""
    found = {record["label"]: int(record["rows_out"]) for record in records}
    return {
        who: {
            label: {"expected": dict(counts)[label], "found": rows}
            for label, rows in found.items()
            if label in dict(counts)
        }
        for who, counts in pipeline.expected
    }


def funnel(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Stage records as a frame: stage, kind, rows_in, dropped, rows_out, reasons, seconds."""
    reason = pl.Struct({"reason": pl.String, "rows": pl.UInt32})
    return pl.DataFrame(
        [
            {
                "stage": r["label"],
                "kind": r["kind"],
                "rows_in": r["rows_in"],
                "dropped": r["rows_in"] - r["rows_out"],
                "rows_out": r["rows_out"],
                "reasons": [{"reason": k, "rows": v} for k, v in r["reasons"].items()],
                "seconds": float(r["seconds"]),
            }
            for r in records
        ],
        schema={
            "stage": pl.String,
            "kind": pl.String,
            "rows_in": pl.UInt32,
            "dropped": pl.UInt32,
            "rows_out": pl.UInt32,
            "reasons": pl.List(reason),
            "seconds": pl.Float64,
        },
    )


def _models(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By model of the recipe: the replies used over all stages, and what was sent for them.

    ``expected_usd`` is what the estimates said before, beside ``sent_usd``: two numbers of a
    95% interval, or null where no price is known or nothing bounded it. A stage that is there
    twice used the same replies: they count once.
    """
    whole: dict[str, Any] = {}
    for record in _each_once(records):
        figures = record.get("figures", {}) if "open" in record else {}
        for name, used in figures.get("models", {}).items():
            sent = {"sent": 0, "usd": 0.0, "seconds": 0.0} | figures["sent"].get(name, {})
            _add(whole.setdefault(name, {}), used)
            told = {"sent": sent["sent"], "sent_usd": sent["usd"], "seconds": sent["seconds"]}
            _add(whole[name], told)
            _expect(whole[name], figures.get("expected", {}).get(name))
    return whole


def _each_once(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({record["key"]: record for record in reversed(records)}.values())[::-1]


def _expect(sums: dict[str, Any], expected: Mapping[str, Any] | None) -> None:
    before = sums.get("expected_usd", [0.0, 0.0])
    new = [0.0, 0.0] if expected is None else expected["usd"]
    known = before is not None and new is not None
    sums["expected_usd"] = [a + b for a, b in zip(before, new, strict=True)] if known else None


def _add(sums: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping):
            _add(sums.setdefault(name, {}), value)
        else:
            sums[name] = round(sums.get(name, 0) + value, 9)


def _counted(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counts = frame[column].fill_null("unknown").value_counts()
    return dict(counts.sort(["count", column], descending=[True, False]).iter_rows())


def _trace_kinds(selected: pl.DataFrame) -> dict[str, dict[str, int]]:
    if "traces" not in selected.columns:
        return {}
    each = selected.select(pl.col("traces").explode()).drop_nulls().unnest("traces")
    kinds = each.select(pl.col("trace_kind").fill_null("not stated"))
    return {"trace_kinds": _counted(kinds, "trace_kind")}


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
