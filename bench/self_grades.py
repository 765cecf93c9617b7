"""Every reference answer against itself through math-verify alone, without equality before it.

Run as ``S1DATA_REAL=… python -m bench.self_grades``. Prints how many are right, and why the others
are not.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import polars as pl

from s1data.graders import cascade, maths, workers


def main() -> None:
    answers = pl.read_parquet(Path(os.environ["S1DATA_REAL"]) / "pool.parquet")["answer"]
    references = [
        a for a in answers.drop_nulls().unique().sort().to_list() if cascade.kind(a) == "maths"
    ]
    tasks = [maths.task(a, a) for a in references]
    asked = [task for task in tasks if not isinstance(task, str)]
    with workers.Workers() as processes:
        outcomes = processes.outcomes(asked)
    print(f"{len(references):,} references of kind maths:", Counter(map(str, outcomes)))
    wrong = [t["reference"] for t, o in zip(asked, outcomes, strict=True) if o is False]
    print("\n".join(text[:100] for text in wrong[:25]))


if __name__ == "__main__":
    main()
