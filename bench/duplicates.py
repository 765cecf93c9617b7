"""Near-duplicates of real questions: cost by size, one bucket of 50,000, and against others.

    python -m bench.duplicates [ROWS …]

Figures are CPU seconds in one process and ratios of them; wall time on a shared machine says
little. With $DUPLICATES_PEER (an interpreter with datasketch, datatrove and polars) the peers run
on the same 59,000 normalised texts; pairs are verified exactly. Needs the real
questions in ../shared/data or $S1DATA_REAL.
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

from s1data import memory
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.normalising import Normalisation, normalised
from s1data.stages.near_duplicates import DropNearDuplicates
from s1data.stages.shingles import jaccard, shingles

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
SIZES = (10_000, 59_000, 500_000)
COMPARED = 59_000
PEERS = (["peer_datasketch"], ["peer_datatrove"], ["peer_datatrove", "own"])
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
            some = resized(pool, rows)
            memory.reset_peak()
            before = memory.peak_mb()
            seconds[rows], dropped = cost(some, home)
            peak = memory.peak_mb() - before
            print(
                f"{rows:>8,} rows {seconds[rows]:7.2f} s CPU, {dropped:,} dropped, "
                f"{peak:.0f} MB above the pool",
                flush=True,
            )
            if rows == COMPARED:
                against_peers(pool, home, seconds[rows])
        for low, high in pairwise(sizes):
            power = math.log(seconds[high] / seconds[low]) / math.log(high / low)
            print(f"{low:,} to {high:,}: exponent {power:.2f} (1 is linear)")
        same = with_places(pl.DataFrame({"question": ["What is the sum of 2 and 3?"] * 50_000}))
        print(f"50,000 identical rows: {cost(same, home)[0]:.2f} s CPU")


def against_peers(pool: pl.DataFrame, home: Path, ours: float) -> None:
    """Runs the peers on the same texts and prints ratios, precision and recall.

    A true pair is one of Jaccard 0.7 that anyone found. Its recall is counted twice: as a pair, and
    as a pair whose ends are linked by any chain of pairs, since datatrove names neighbours only.
    """
    peer = os.environ.get("DUPLICATES_PEER")
    if not peer:
        return
    texts = normalised(pool["question"].head(COMPARED), Normalisation())
    texts.rename("text").to_frame().write_parquet(home / "texts.parquet")
    lists = shingles(texts, 3)
    found = {"ours": pl.read_parquet(home / "pairs.parquet").select(left="row", right="other_row")}
    taken = {"ours": ours}
    for name, *more in PEERS:
        command = [peer, "-m", f"bench.parts.{name}", home / "texts.parquet", home / "peer.parquet"]
        subprocess.run([*command, *more], check=True, stderr=subprocess.DEVNULL)
        theirs = pl.read_parquet(home / "peer.parquet")
        label = " ".join([name.removeprefix("peer_"), *more])
        found[label], taken[label] = theirs.select("left", "right"), theirs["seconds"][0]
    pairs = {name: _both_ways(frame) for name, frame in found.items()}
    scores = {
        name: jaccard(lists, frame["left"].to_numpy(), frame["right"].to_numpy())
        for name, frame in pairs.items()
    }
    true = pl.concat(pairs[name].filter(score >= 0.7) for name, score in scores.items()).unique()
    for name, frame in pairs.items():
        own = frame.filter(scores[name] >= 0.7)
        paired = true.join(own, on=["left", "right"], how="semi").height / true.height
        part = _components(own, len(texts))
        linked = np.mean(part[true["left"].to_numpy()] == part[true["right"].to_numpy()])
        print(
            f"  {name:<14} {taken[name]:6.2f} s CPU, ours is {ours / taken[name]:.2f} of it",
            f"precision {np.mean(scores[name] >= 0.7):.4f}",
            f"recall {paired:.4f}, linked {linked:.4f}",
            sep=", ",
        )


def _both_ways(pairs: pl.DataFrame) -> pl.DataFrame:
    low, high = pl.min_horizontal("left", "right"), pl.max_horizontal("left", "right")
    return pairs.select(left=low.cast(pl.Int64), right=high.cast(pl.Int64)).unique()


def _components(pairs: pl.DataFrame, rows: int) -> np.ndarray:
    """A number per row, equal for rows that a chain of pairs links."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (pairs["left"].to_numpy(), pairs["right"].to_numpy())
    return connected_components(coo_array((np.ones(len(pairs)), ends), shape=(rows, rows)))[1]


if __name__ == "__main__":
    main()
