"""Near-duplicates of real questions: cost by size, one bucket of 50,000, and against datasketch.

    python -m bench.duplicates [ROWS …]

Figures are CPU seconds in one process and ratios of them; wall time on a shared machine says
little. With $DUPLICATES_PEER (an interpreter with datasketch and polars) the peer runs on the same
59,000 normalised texts; recall is of the pairs of Jaccard 0.7 that either finds, verified exactly.
Needs the real questions in ../shared/data or $S1DATA_REAL.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.normalising import Normalisation, normalised
from s1data.stages.near_duplicates import DropNearDuplicates
from s1data.stages.shingles import jaccard, shingles

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
SIZES = (10_000, 59_000, 500_000)
COMPARED = 59_000
PLAIN = DropNearDuplicates(threshold=0.7, same_numbers=False, words_apart=None)


def cost(pool: pl.DataFrame, home: Path) -> tuple[float, int]:
    """CPU seconds and rows dropped of the whole stage, from text to verdicts."""
    engine = LocalEngine(read={}.__getitem__, vectors_home=home, artefacts_home=home)
    start = time.process_time()
    dropped = act(PLAIN, pool, engine).dropped.height
    return time.process_time() - start, dropped


def resized(pool: pl.DataFrame, rows: int) -> pl.DataFrame:
    """The first rows, and where they do not suffice copies that each have a mark of their own."""
    times = math.ceil(rows / pool.height)
    parts = [
        pool.select(
            pl.col("question").str.replace_all(" ", f" {'zq' * n}{n} " if n else " ", literal=True)
        )
        for n in range(times)
    ]
    return with_places(pl.concat(parts).head(rows))


def main() -> None:
    if not (REAL / "pool.parquet").exists():
        print(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
        return
    pool = pl.read_parquet(REAL / "pool.parquet", columns=["question"])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        seconds = {}
        sizes = sorted(int(rows) for rows in sys.argv[1:]) or SIZES
        for rows in sizes:
            seconds[rows], dropped = cost(resized(pool, rows), home)
            print(f"{rows:>8,} rows {seconds[rows]:7.2f} s CPU, {dropped:,} dropped")
            if rows == COMPARED:
                against_peer(pool, home, seconds[rows])
        for low, high in pairwise(sizes):
            power = math.log(seconds[high] / seconds[low]) / math.log(high / low)
            print(f"{low:,} to {high:,}: exponent {power:.2f} (1 is linear)")
        same = with_places(pl.DataFrame({"question": ["What is the sum of 2 and 3?"] * 50_000}))
        print(f"50,000 identical rows: {cost(same, home)[0]:.2f} s CPU")


def against_peer(pool: pl.DataFrame, home: Path, ours: float) -> None:
    """Runs the peer on the same texts and prints ratio, precision and recall."""
    peer = os.environ.get("DUPLICATES_PEER")
    if not peer:
        return
    texts = normalised(pool["question"].head(COMPARED), Normalisation())
    texts.rename("text").to_frame().write_parquet(home / "texts.parquet")
    command = [
        peer,
        "-m",
        "bench.parts.peer_datasketch",
        home / "texts.parquet",
        home / "peer.parquet",
    ]
    subprocess.run(command, check=True)
    theirs = pl.read_parquet(home / "peer.parquet")
    lists = shingles(texts, 3)
    left, right = theirs["left"].to_numpy(), theirs["right"].to_numpy()
    score = jaccard(lists, left, right)
    true = set(zip(left[score >= 0.7].tolist(), right[score >= 0.7].tolist(), strict=True))
    rows = pl.read_parquet(home / "pairs.parquet")
    one, other = rows["row"].to_numpy(), rows["other_row"].to_numpy()
    exact = jaccard(lists, one.astype(np.int64), other.astype(np.int64))
    low, high = np.minimum(one, other).tolist(), np.maximum(one, other).tolist()
    found = set(zip(low, high, strict=True))
    taken = theirs["seconds"][0]
    print(f"  datasketch {taken:.2f} s CPU, {ours / taken:.2f} of it is ours (wanted 0.33)")
    print(f"  precision: ours {np.mean(exact >= 0.7):.4f}, datasketch {np.mean(score >= 0.7):.4f}")
    both = found | true
    print(f"  recall: ours {len(found) / len(both):.4f}, datasketch {len(true) / len(both):.4f}")


if __name__ == "__main__":
    main()
