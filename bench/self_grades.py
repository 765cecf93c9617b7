"""Every reference answer against itself through each grader alone, without equality before it.

Run as ``S1DATA_REAL=… python -m bench.self_grades``. Prints, by grader, how many answers it calls
right, and the rest by kind; math-verify works in batches and says how far it is.
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


def alone(references: list[str], grader: Grader) -> Counter[str]:
    """Outcomes of a grader that needs no worker."""
    grades = (grader(text, Extracted(text, "given")) for text in references)
    return Counter(
        "right" if g.right else "wrong" if g.right is False else g.method for g in grades
    )


def by_math_verify(references: list[str]) -> tuple[Counter[str], list[str]]:
    """Outcomes of math-verify on each answer with itself, and the answers it calls wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    started = time.perf_counter()
    waiting = iter(references)
    with workers.Workers() as processes:
        while batch := list(islice(waiting, BATCH)):
            tasks = [maths.task(text, text) for text in batch]
            asked = [task for task in tasks if not isinstance(task, str)]
            counts.update(task for task in tasks if isinstance(task, str))
            outcomes = processes.outcomes(asked)
            names = {True: "right", False: "wrong"}
            counts.update(o if isinstance(o, str) else names[o] for o in outcomes)
            pairs = zip(asked, outcomes, strict=True)
            wrong += [task["reference"] for task, outcome in pairs if outcome is False]
            seconds = time.perf_counter() - started
            print(f"  {counts.total():,} of {len(references):,}, {seconds:.0f} s", flush=True)
    return counts, wrong


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
    counts, wrong = by_math_verify(asked)
    print(f"math-verify, {len(asked):,} answers:", dict(counts.most_common()))
    print("\n".join(text[:100] for text in wrong[:40]))
    print(f"{cpu():.0f} CPU s")


if __name__ == "__main__":
    main()
