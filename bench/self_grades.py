"""Every reference answer against itself through each grader alone, without equality before it.

Run as ``S1DATA_REAL=… python -m bench.self_grades``. Prints, by grader, how many answers it calls
right, and the rest by kind; math-verify works in batches and says how far it is. One batch is slow
for what stands in it: sums of matrices, which its grammar takes seconds each to read.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import polars as pl

from bench.grading import cpu
from s1data.graders import cascade, choice, maths, numbers, workers
from s1data.graders.extraction import Extracted
from s1data.graders.protocol import Grader

BATCH = 500
NAMES = {True: "right", False: "wrong"}


def alone(references: list[str], grader: Grader) -> Counter[str]:
    """Outcomes of a grader that needs no worker."""
    grades = (grader(text, Extracted(text, "given")) for text in references)
    return Counter(
        "right" if g.right else "wrong" if g.right is False else g.method for g in grades
    )


def by_math_verify(references: list[str]) -> dict[str, list[str]]:
    """The answers by outcome of math-verify on each with itself."""
    found: dict[str, list[str]] = {}
    started = time.perf_counter()
    waiting = iter(references)
    with workers.Workers() as processes:
        while batch := list(islice(waiting, BATCH)):
            tasks = [maths.task(text, text) for text in batch]
            outcomes = iter(processes.outcomes([t for t in tasks if not isinstance(t, str)]))
            for text, task in zip(batch, tasks, strict=True):
                outcome = task if isinstance(task, str) else next(outcomes)
                name = outcome if isinstance(outcome, str) else NAMES[outcome]
                found.setdefault(name, []).append(text)
            done = sum(map(len, found.values()))
            seconds = time.perf_counter() - started
            sizes = {name: len(texts) for name, texts in found.items()}
            print(f"  {done:,} of {len(references):,}, {seconds:.0f} s, {sizes}", flush=True)
    return found


def main() -> None:
    """Prints the counts that docs/grading.md quotes."""
    answers = pl.read_parquet(Path(os.environ["S1DATA_REAL"]) / "pool.parquet")["answer"]
    distinct = [a for a in answers.drop_nulls().unique().sort().to_list() if a.strip()]
    of = {text: cascade.kind(text) for text in distinct}
    print(f"{len(distinct):,} distinct answers:", dict(Counter(of.values()).most_common()))
    for name, grader in (("number", numbers.grade), ("choice", choice.grade)):
        asked = [text for text, kind in of.items() if kind == name]
        print(f"{name}, {len(asked):,} answers:", dict(alone(asked, grader).most_common()))
    asked = [text for text, kind in of.items() if kind == "maths"]
    found = by_math_verify(asked)
    sizes = {name: len(texts) for name, texts in found.items()}
    print(f"math-verify, {len(asked):,} answers:", dict(Counter(sizes).most_common()))
    for name, texts in found.items():
        for text in texts[:: len(texts) // 20 + 1] if name != "right" else ():
            print(f"  {name}: {text[:100]!r}")
    print(f"{cpu():.0f} CPU s")


if __name__ == "__main__":
    main()
