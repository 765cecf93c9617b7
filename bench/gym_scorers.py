"""The scorers of reasoning-gym's families against the scores recorded with real attempts.

Run as ``S1DATA_REAL=… python -m bench.gym_scorers``. The record has no metadata, so scorers that
need any are left out; the table says how many attempts that is.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from s1data.graders import gym, workers


def main() -> None:
    rows = pl.read_parquet(Path(os.environ["S1DATA_REAL"]) / "attempts_reasoning_gym.parquet")
    rows = rows.drop_nulls(["final_answer", "reference_answer"])
    tasks: list[workers.Task] = [
        {
            "grader": gym.METHOD,
            "reference": reference,
            "answer": answer,
            "question": question,
            "more": {"family": dataset.rpartition("/")[2], "metadata": {}},
        }
        for reference, answer, question, dataset in rows.select(
            "reference_answer", "final_answer", "question", "dataset"
        ).iter_rows()
    ]
    with workers.Workers() as processes:
        outcomes = processes.outcomes(tasks)
    table = rows.with_columns(
        outcome=pl.Series([o if isinstance(o, str) else "scored" for o in outcomes]),
        right=pl.Series([o if isinstance(o, bool) else None for o in outcomes], dtype=pl.Boolean),
        family=pl.col("dataset").str.split("/").list.last(),
        full=pl.col("score") >= 1.0,
    )
    print(f"{rows.height:,} attempts with an answer")
    for outcome, count in table.group_by("outcome").len().sort("len", descending=True).iter_rows():
        print(f"  {outcome}: {count:,}")
    scored = table.filter(pl.col("right").is_not_null())
    same = int((scored["right"] == scored["full"]).sum())
    print(f"scored {scored.height:,}, as recorded {same:,} ({same / scored.height:.2%})")
    off = scored.filter(pl.col("right") != pl.col("full")).group_by("family").len()
    print("disagreements by family:", dict(off.sort("len", descending=True).head(12).iter_rows()))


if __name__ == "__main__":
    main()
