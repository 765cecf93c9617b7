"""Every selector at 10,000, 59,000 and 500,000 rows: CPU seconds and peak memory for 1,000 chosen.

    python -m bench.selectors [ROWS…]

Rows and vectors (384 numbers, in 200 loose groups) are generated. Seconds are those of the whole
stage, keys and evidence for every row included; memory is the peak above what was there before,
vectors included where the selector reads them. `quotas` is `keep_random` within three quotas. At
10,000 rows the two greedy selectors stand beside plain loops: one product with all vectors for each
row chosen (k-center), and the whole matrix of similarities, which needs N x N numbers (facility
location).
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from s1data import memory
from s1data.acting import act
from s1data.embedding import keys_of
from s1data.engine import Batches
from s1data.stages import get

N, DIMENSIONS, GROUPS = 1_000, 384, 200
QUOTAS = {
    "domain": {"others": {"max": 30}, "d001": {"min": 10}},
    "source": {"one": {"share": 0.5}, "others": {"max": 300}},
    "tokens": {"bands": [2000, 8000], ">=8000": {"max": 250}, "<2000": {"min": 100}},
}
SELECTORS: dict[str, tuple[str, dict[str, object]]] = {
    "keep_random": ("keep_random", {}),
    "keep_longest": ("keep_longest", {"length_from": "tokens"}),
    "keep_top": ("keep_top", {"weights": {"tokens": 0.5, "score": 0.5}}),
    "keep_diverse": ("keep_diverse", {}),
    "keep_stratified": ("keep_stratified", {}),
    "keep_s1": ("keep_s1", {"length_from": "tokens"}),
    "quotas": ("keep_random", {"quota": QUOTAS}),
    "keep_kcenter": ("keep_kcenter", {}),
    "keep_facility_location": ("keep_facility_location", {}),
}


class Held:
    """An engine whose vectors are at hand, in the order of the keys that it was given."""

    def __init__(self, keys: pl.Series, vectors: np.ndarray) -> None:
        self._at = dict(zip(keys.to_list(), range(len(keys)), strict=True))
        self._vectors = vectors

    def put(self, frame: pl.DataFrame) -> Batches:
        return Batches([frame])

    def map(self, table: Batches, work: Callable[[pl.DataFrame], pl.DataFrame]) -> Batches:
        return Batches(work(batch) for batch in table)

    def collect(self, table: Batches) -> pl.DataFrame:
        return table[0]

    def vectors(self, encoder: str) -> Held:  # noqa: ARG002 - there is one
        return self

    def missing(self, keys: pl.Series) -> pl.Series:
        return pl.Series([key not in self._at for key in keys.to_list()])

    def get(self, keys: pl.Series) -> np.ndarray:
        return self._vectors[[self._at[key] for key in keys.to_list()]]

    def progress(self, done: int, of: int) -> None:
        """Nobody looks."""


def pool(rows: int) -> tuple[pl.DataFrame, Held]:
    rng = np.random.default_rng(7)
    group = np.minimum(rng.zipf(1.2, rows), GROUPS) - 1
    ids = [hashlib.sha256(str(i).encode()).hexdigest()[:16] for i in range(rows)]
    vectors = rng.normal(size=(rows, DIMENSIONS), scale=1.0).astype(np.float32)
    vectors += 1.5 * rng.normal(size=(GROUPS, DIMENSIONS)).astype(np.float32)[group]
    frame = pl.DataFrame(
        {
            "row": np.arange(rows, dtype=np.uint32),
            "id": ids,
            "domain": [f"d{g:03}" for g in group],
            "source": rng.choice(["one", "two", "three", "four"], rows),
            "tokens": np.exp(rng.normal(8, 1, rows)).astype(np.int64),
            "score": rng.random(rows),
            "embedding": keys_of("0" * 16, pl.Series(ids)),
        }
    )
    return frame, Held(frame["embedding"], vectors)


def cpu(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds, and peak memory in MB above what was there."""
    memory.reset_peak()
    before = memory.peak_mb()
    start = time.process_time()
    work()
    return time.process_time() - start, memory.peak_mb() - before


def plain_kcenter(vectors: np.ndarray) -> None:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = unit @ unit[0]
    for _ in range(N - 1):
        nearest = np.maximum(nearest, unit @ unit[int(nearest.argmin())])


def plain_facility_location(vectors: np.ndarray) -> None:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = np.maximum(unit @ unit.T, 0)
    best = np.zeros(len(unit), np.float32)
    bounds = near.mean(axis=1)
    for _ in range(N):
        fresh = np.zeros(len(unit), np.bool_)
        while not fresh[at := int(bounds.argmax())]:
            bounds[at] = np.maximum(near[at] - best, 0).mean()
            fresh[at] = True
        best = np.maximum(best, near[at])
        bounds[at] = -1


def main() -> None:
    for rows in [int(text) for text in sys.argv[1:]] or [10_000, 59_000, 500_000]:
        frame, engine = pool(rows)
        print(f"{rows:,} rows, {N:,} chosen", flush=True)
        taken = {}
        for label, (name, fields) in SELECTORS.items():
            stage = get(name).model_validate({"n": N} | fields)
            seconds, peak = cpu(lambda: act(stage, frame, engine))  # noqa: B023 - called at once
            taken[name] = seconds
            print(f"  {label:<26}{seconds:9.2f} s CPU  {peak:7.0f} MB more", flush=True)
        if rows > 10_000:
            continue
        vectors = engine.get(frame["embedding"])
        plain = {
            "keep_kcenter": plain_kcenter,
            "keep_facility_location": plain_facility_location,
        }
        for name, loop in plain.items():
            with threadpool_limits(1):
                seconds, peak = cpu(lambda: loop(vectors))  # noqa: B023 - called at once
            ratio = seconds / taken[name]
            what = f"a plain loop for {name}"
            print(f"  {what:<40}{seconds:9.2f} s CPU  {peak:7.0f} MB more, {ratio:.2f} x")


if __name__ == "__main__":
    main()
