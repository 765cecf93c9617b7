"""`drop_contaminated` on the real pool, against two loops in plain Python.

    python -m bench.ngram8

* plain: a dict from each 8-tuple of ``question.lower().split()`` to the set of pool rows, built
  over the pool as s1's script does, then one look-up per benchmark n-gram.
* by benchmark: the cheaper way round, a set of the benchmarks' 8-tuples that the pool is held to.

Each form runs in fresh processes, which take turns; figures are the least CPU seconds (of all
threads), and the peak of resident memory above that with the pool read. The stage's time covers
its keys, its global work and its verdicts with evidence. That all give the same verdicts is
checked. Needs the real questions in ../shared/data or $S1DATA_REAL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from s1data import digest, memory
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages import get

REAL = Path(os.environ.get("S1DATA_REAL") or Path(__file__).parents[2] / "shared" / "data")
N = 8
LIMIT_RATIO, LIMIT_MB = 8, 500
ROUNDS = {"plain": 1, "by benchmark": 2, "drop_contaminated": 3}
Inputs = dict[str, pl.DataFrame]


def tuples(question: str) -> Iterator[tuple[str, ...]]:
    """The 8-grams of a question."""
    words = question.lower().split()
    return (tuple(words[at : at + N]) for at in range(len(words) - N + 1))


def plain(pool: pl.DataFrame, inputs: Inputs) -> list[int]:
    """Rows to drop, by an index of the pool."""
    index: dict[tuple[str, ...], set[int]] = {}
    for row, question in enumerate(pool["question"].to_list()):
        for gram in tuples(question):
            index.setdefault(gram, set()).add(row)
    found: set[int] = set()
    for items in inputs.values():
        for question in items["question"].drop_nulls().to_list():
            for gram in tuples(question):
                found |= index.get(gram, set())
    return sorted(found)


def by_benchmark(pool: pl.DataFrame, inputs: Inputs) -> list[int]:
    """Rows to drop, by an index of the benchmarks."""
    items = (q for frame in inputs.values() for q in frame["question"].drop_nulls().to_list())
    index = {gram for question in items for gram in tuples(question)}
    return [
        row
        for row, question in enumerate(pool["question"].to_list())
        if any(gram in index for gram in tuples(question))
    ]


def stage(pool: pl.DataFrame, inputs: Inputs) -> list[int]:
    """Rows to drop, by the stage."""
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=REAL)  # it has no use for vectors
    kind = get("drop_contaminated")
    contaminated = kind.model_validate({"against": tuple(inputs), "n": N})
    return act(contaminated, pool, engine).dropped["row"].to_list()


FORMS: dict[str, Callable[[pl.DataFrame, Inputs], list[int]]] = {
    "plain": plain,
    "by benchmark": by_benchmark,
    "drop_contaminated": stage,
}


def measure(form: str) -> dict[str, object]:
    """One form, in this process."""
    pool = with_places(pl.read_parquet(REAL / "pool.parquet", columns=["question"]))
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question", "benchmark"])
        for path in sorted((REAL / "benchmarks").glob("*.parquet"))
    }
    get("drop_contaminated")  # its imports are no part of the work
    memory.reset_peak()
    before, start = memory.peak_mb(), time.process_time()
    rows = FORMS[form](pool, inputs)
    return {
        "seconds": time.process_time() - start,
        "mb": memory.peak_mb() - before,
        "pool": pool.height,
        "rows": len(rows),
        "verdicts": digest.of_value(rows),
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    if not (REAL / "pool.parquet").exists():
        print(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
        return
    runs: dict[str, list[dict[str, object]]] = {form: [] for form in FORMS}
    for turn in range(max(ROUNDS.values())):
        for form in (form for form in FORMS if ROUNDS[form] > turn):
            command = [sys.executable, "-m", "bench.ngram8", form]
            runs[form].append(json.loads(subprocess.check_output(command)))
    report(runs)


def report(runs: dict[str, list[dict[str, object]]]) -> None:
    """Prints the table; ends with an error where verdicts differ."""
    seconds = {form: min(float(str(run["seconds"])) for run in runs[form]) for form in FORMS}
    peak = {form: max(float(str(run["mb"])) for run in runs[form]) for form in FORMS}
    ours, first = seconds["drop_contaminated"], runs["plain"][0]
    if {run["verdicts"] for form in FORMS for run in runs[form]} != {first["verdicts"]}:
        sys.exit("bench.ngram8: the forms give different verdicts")
    print(f"{first['pool']} rows, {first['rows']} dropped, the same ones by every form")
    for form in FORMS:
        print(
            f"  {form:<18} {seconds[form]:7.2f} s CPU {seconds[form] / ours:6.1f} x"
            f" {peak[form]:8.0f} MB above the pool"
        )
    print(f"  wanted: plain at least {LIMIT_RATIO} x, drop_contaminated under {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
