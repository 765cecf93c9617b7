"""The whole way over the real pool: seconds and peak memory of each stage, and of doing it again.

    python -m bench.real_runs

Needs the real questions in ../shared/data (or $S1DATA_REAL). Peaks are the process's, less what
it holds once the pool is in memory; the embedding is the fast encoder's, in its own line. Doing it
again is CPU time in this process after imports, against an allowance of one second.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from s1data import memory
from s1data.recipe import Pipeline

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("S1DATA_REAL") or ROOT.parent / "shared" / "data")
ALLOWED_MB, ALLOWED_SECONDS = 1000, 1.0


def main() -> None:
    if not (REAL / "pool.parquet").exists():
        sys.exit(f"bench.real_runs: the real questions are not in {REAL}")
    given = {
        "pool": REAL / "pool.parquet",
        "attempts": REAL / "attempts_math.parquet",
        "benchmarks": REAL / "benchmarks",
    }
    memory.reset_peak()
    pool = pl.read_parquet(given["pool"])
    base = memory.peak_mb()
    print(f"the pool in memory: {pool.height:,} rows, process at {base:.0f} MB")
    del pool
    with tempfile.TemporaryDirectory() as folder:
        os.environ["S1DATA_CACHE"] = str(Path(folder) / "cache")
        pipeline = Pipeline.load(ROOT / "tests" / "real" / "longest.yaml")
        pipeline.run(Path(folder) / "run", inputs=given)
        again = pipeline.run(Path(folder) / "other", inputs=given)  # all modules are loaded now
        worst = 0.0
        for stage in again.manifest["stages"]:
            above = stage["peak_mb"] - base
            worst = worst if stage["label"] == "add_embedding" else max(worst, above)
            print(f"  {stage['label']:<24}{stage['seconds']:8.2f} s {above:+8.0f} MB")
        print(f"  worst but embedding: {worst:+.0f} MB, allowed {ALLOWED_MB:+} MB")
        start = time.process_time()
        pipeline.run(Path(folder) / "run", inputs=given)
        seconds = time.process_time() - start
        print(f"doing it again: {seconds:.2f} s CPU, allowed {ALLOWED_SECONDS:.2f} s")


if __name__ == "__main__":
    main()
