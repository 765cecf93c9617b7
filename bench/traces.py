"""Flaws of real traces, by teacher: what each rule finds, and what `drop_bad_traces` leaves.

    python -m bench.traces [FOLDER]

Prints the tables of docs/traces.md; with FOLDER also writes every flagged trace (sha256 of its
text, reason, found) to FOLDER/flagged.parquet, which the audit's lines are drawn from. Needs the
real data in ../shared/data or $S1DATA_REAL.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import polars as pl

from s1data.acting import act, apply, with_places
from s1data.engine import LocalEngine
from s1data.stages.traces import AddRecordedTraces, AddTraceChecks, DropBadTraces

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")


def judged() -> tuple[pl.DataFrame, float]:
    """The questions of the real traces with `traces` and `trace_flaws`, and CPU seconds."""
    given = pl.read_parquet(REAL / "traces.parquet")
    rows = with_places(given.select("question").unique().sort("question"))
    engine = LocalEngine(read={"traces": given}.__getitem__, vectors_home=Path("unused"))
    rows = act(AddRecordedTraces.model_validate({"from": "traces"}), rows, engine).kept
    start = time.process_time()
    return act(AddTraceChecks(), rows, engine).kept, time.process_time() - start


def main() -> None:
    """Prints and writes."""
    pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=250)
    rows, seconds = judged()
    traces = (
        rows.select("question", "row", "traces").explode("traces").drop_nulls().unnest("traces")
    )
    flaws = (
        rows.select("row", "trace_flaws").explode("trace_flaws").drop_nulls().unnest("trace_flaws")
    )
    flagged = flaws.join(traces, on=["row", "teacher", "sample"])
    every = traces.group_by("teacher").len("traces")
    table = flaws.group_by("teacher", "flaw").len().pivot("flaw", index="teacher", values="len")
    print(every.join(table, on="teacher", how="left").fill_null(0).sort("teacher"))
    print(flaws["flaw"].value_counts(sort=True))
    outcome = apply(DropBadTraces(), rows)
    left = outcome.kept["traces"].list.len().sum()
    print(f"{traces.height} traces, {left} left; rows {rows.height}, {outcome.kept.height} left")
    print(f"{seconds:.1f} CPU seconds")
    if len(sys.argv) > 1:
        flagged.write_parquet(Path(sys.argv[1]) / "flagged.parquet")


if __name__ == "__main__":
    main()
