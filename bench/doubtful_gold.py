"""What solvers agree on: how often it is the reference, and how often the reference is in doubt.

Run as ``S1DATA_REAL=… python -m bench.doubtful_gold``. Prints what docs/traces.md quotes, beside
the classes of ``tests/audit/doubtful_gold.csv``.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from s1data import apply
from s1data.graders import cascade, workers
from s1data.stages.attempts import AddRecordedAttempts
from s1data.stages.doubtful import AddConsensus, AddDoubtfulGold
from s1data.stages.grading import AddGrades

READ = Path(__file__).parents[1] / "tests" / "audit" / "doubtful_gold.csv"


def attempted(home: Path) -> pl.DataFrame:
    """The questions with attempts, reference and consensus; verdicts are the graders' own."""
    given = pl.read_parquet(home / "attempts_math.parquet")
    questions = given.group_by("question").agg(answer=pl.col("reference_answer").first())
    tries = AddRecordedAttempts.model_validate({"from": "attempts", "verdict": ""})
    rows = apply(tries, questions.sort("question"), {"attempts": given}).kept
    return apply(AddConsensus(), rows.drop("id", "row")).kept


def doubtful(rows: pl.DataFrame) -> pl.DataFrame:
    """The questions whose reference solvers speak against, once the attempts are graded."""
    graded = apply(AddGrades(), rows.drop("id", "row")).kept.drop("id", "row")
    return apply(AddDoubtfulGold(), graded).kept.drop_nulls("doubtful_gold")


def main() -> None:
    rows = attempted(Path(os.environ["S1DATA_REAL"]))
    agreed = rows.drop_nulls("consensus").unnest("consensus", separator="_")
    pairs = [
        cascade.Pair(reference, said)
        for reference, said in agreed.select("answer", "consensus_answer").iter_rows()
    ]
    with workers.Workers() as processes:
        right = [grade.right for grade in cascade.grade_pairs(pairs, processes)]
    several = pl.col("consensus_families").list.len() > 1
    table = agreed.with_columns(right=pl.Series(right, dtype=pl.Boolean), several=several)
    print(f"{rows.height:,} questions, {agreed.height:,} with a consensus; it is the reference:")
    print(table.group_by("several", "right").len().sort("several", "right"))
    found = doubtful(rows).select("id", pl.col("doubtful_gold").struct.field("status"))
    read = pl.read_csv(READ).select("id", "class")
    print(found.join(read, on="id", how="left").group_by("status", "class").len().sort("status"))


if __name__ == "__main__":
    main()
