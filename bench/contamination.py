"""All methods of `drop_contaminated` together, against the plain 8-gram form, on the same rows.

    python -m bench.contamination [ROWS]

One process, CPU seconds of all threads: the plain form of `bench.ngram8`, the stage's word 8-gram,
and the stage with all methods. The verdicts of the first two must be identical. Needs the real
questions in ../shared/data or $S1DATA_REAL; more rows than there are repeat them.
"""

from __future__ import annotations

import sys
import time

import polars as pl

from bench.ngram8 import REAL, plain, stage
from s1data import memory
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.contamination import DropContaminated
from s1data.stages.matching import METHODS

ROWS = 59_000


def main() -> None:
    if not (REAL / "pool.parquet").exists():
        print(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    real = pl.read_parquet(REAL / "pool.parquet", columns=["question"])
    copies = -(-rows // real.height)
    pool = with_places(pl.concat([real] * copies).head(rows))
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question", "benchmark"])
        for path in sorted((REAL / "benchmarks").glob("*.parquet"))
    }
    start = time.process_time()
    alone = stage(pool, inputs)
    ngram8 = time.process_time() - start
    memory.reset_peak()
    before = memory.peak_mb()
    then = time.process_time()
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=REAL)
    act(DropContaminated(against=tuple(inputs), methods=METHODS), pool, engine)
    after = time.process_time()
    peak = memory.peak_mb() - before
    reference = plain(pool, inputs)
    end = time.process_time()
    print(f"{pool.height:,} rows: plain {end - after:.1f} s, ngram8 {ngram8:.1f} s", end=", ")
    print(f"all methods {after - then:.1f} s, {(after - then) / (end - after):.2f} times plain")
    print(f"all methods: {peak:.0f} MB above the pool")
    print("ngram8 verdicts identical" if alone == reference else "ngram8 verdicts DIFFER")


if __name__ == "__main__":
    main()
