"""`keep_s1` against loops that rank a domain anew at every draw, on 59,000 rows and 51 domains.

    python -m bench.keep_s1

All draw as the paper's form does and start from the same frame, grouping included. Baselines: a
loop as the notebook's, over a dict of rows per domain; the same on numpy arrays; and the latter on
to the last row, since the stage puts all rows in order. Times are CPU seconds, the best of several
calls; peaks are what Python and numpy allocate. Domain sizes: alike, and falling off as
1/k^2, where the smallest empty during the draw.
"""

from __future__ import annotations

import hashlib
import itertools
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import polars as pl

from s1data.stages import get

ROWS, DOMAINS, N = 59_000, 51, 1000


def keys_frame(fall: float) -> pl.DataFrame:
    """Keys as `keep_s1` gets them, sorted by (id, row); domain k has a share of 1/k^fall."""
    rng = np.random.default_rng(5)
    shares = 1 / np.arange(1, DOMAINS + 1) ** fall
    domain = rng.choice(DOMAINS, ROWS, p=shares / shares.sum())
    return pl.DataFrame(
        {
            "id": [hashlib.sha256(str(i).encode()).hexdigest()[:16] for i in range(ROWS)],
            "row": np.arange(ROWS, dtype=np.uint32),
            "domain": [f"{code:02}-XX" for code in domain],
            "tokens": np.exp(rng.normal(8, 1, ROWS)).astype(np.int64),
        }
    ).sort("id", "row")


def notebook_loop(rows: pl.DataFrame, n: int) -> list[str]:
    """A dict of rows per domain; lists, two argsorts and a weighted choice at every draw."""
    rng = np.random.default_rng(1)
    pools: dict[str, dict[str, int]] = {}
    for name, domain, tokens in rows.select("id", "domain", "tokens").iter_rows():
        pools.setdefault(domain, {})[name] = tokens
    alive, chosen = sorted(pools), []
    while len(chosen) < n:
        domain = rng.choice(alive)
        names = list(pools[domain])
        lengths = np.array([int(pools[domain][name]) for name in names])
        ranks = len(lengths) - 1 - np.argsort(np.argsort(lengths))
        weights = np.power(2.0, -ranks)
        name = str(rng.choice(names, p=weights / weights.sum()))
        chosen.append(name)
        del pools[domain][name]
        if not pools[domain]:
            alive.remove(domain)
    return chosen


def array_loop(rows: pl.DataFrame, n: int) -> list[int]:
    """The same on arrays of lengths and positions."""
    rng = np.random.default_rng(1)
    codes = rows.get_column("domain").rank("dense").to_numpy() - 1
    tokens = rows.get_column("tokens").to_numpy()
    members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    lengths = [tokens[rows_] for rows_ in members]
    alive, chosen = list(range(len(members))), []
    while len(chosen) < n:
        code = alive[rng.integers(len(alive))]
        ranks = len(lengths[code]) - 1 - np.argsort(np.argsort(lengths[code]))
        weights = np.power(2.0, -ranks)
        at = rng.choice(len(ranks), p=weights / weights.sum())
        chosen.append(int(members[code][at]))
        members[code] = np.delete(members[code], at)
        lengths[code] = np.delete(lengths[code], at)
        if not len(members[code]):
            alive.remove(code)
    return chosen


def cpu(work: Callable[[], object], times: int) -> float:
    """Least CPU seconds of a number of calls."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def peak_mb(work: Callable[[], object]) -> float:
    """Peak of what Python and numpy allocate, in MB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def line(what: str, seconds: float, against: str) -> None:
    print(f"  {what:<44}{seconds:9.4f} s  {against}")


def compare(rows: pl.DataFrame, *, to_the_end: bool) -> None:
    stage = get("keep_s1")(n=N, length_from="tokens")
    keys = stage.keys(rows).with_columns(preselected=pl.lit(False))

    def to_n() -> object:
        return list(itertools.islice(stage.draws(keys), N))

    def whole() -> object:
        return stage.ranks(keys, None)

    ours = cpu(to_n, 9)
    line(f"keep_s1's draws, to {N} rows", ours, f"peak {peak_mb(to_n):.1f} MB")
    for what, loop in (("the notebook's loop", notebook_loop), ("a loop on arrays", array_loop)):
        theirs = cpu(lambda: loop(rows, N), 3)  # noqa: B023 - called at once
        line(f"{what}, to {N} rows", theirs, f"{theirs / ours:.0f} times as long")
    ours = cpu(whole, 5)
    line(f"keep_s1, all {ROWS} rows, with evidence", ours, f"peak {peak_mb(whole):.1f} MB")
    if to_the_end:
        theirs = cpu(lambda: array_loop(rows, ROWS), 1)
        line(f"a loop on arrays, all {ROWS} rows", theirs, f"{theirs / ours:.0f} times as long")


def main() -> None:
    for name, fall in (("alike", 0.0), ("falling off as 1/k^2", 2.0)):
        rows = keys_frame(fall)
        sizes = rows.group_by("domain").len().get_column("len")
        print(f"{len(sizes)} domains, {name}: {sizes.min()} to {sizes.max()} rows")
        # Over domains of unlike size the loop takes two minutes to the end.
        compare(rows, to_the_end=fall == 0)


if __name__ == "__main__":
    main()
