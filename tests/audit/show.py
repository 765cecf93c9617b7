"""Prints the cases of tests/audit/NAME.csv with their texts from the real pool.

    python -m tests.audit.show [NAME…]

Any CSV will do: columns `id` and those that end in `_id` are looked up by question id, `sha256` by
the text of a trace or the two texts of a graded pair; the rest is printed as it is. Needs the real questions in ../shared/data or $S1DATA_REAL.
"""

import hashlib
import os
import sys
from pathlib import Path

import polars as pl

from s1data import digest, pool
from s1data.models import joined

HERE = Path(__file__).parent
REAL = Path(os.environ.get("S1DATA_REAL") or HERE.parents[2] / "shared" / "data")


def texts():
    """Id to question, over the pool and the benchmarks."""
    files = [
        REAL / "pool.parquet",
        REAL / "s1k_selected.parquet",
        *sorted((REAL / "benchmarks").glob("*.parquet")),
    ]
    frames = [pl.read_parquet(path, columns=["question"]) for path in files]
    questions = pl.concat(frames)["question"].drop_nulls()
    return dict(zip(pool.question_ids(questions).to_list(), questions.to_list(), strict=True))


def pairs():
    """Digest of a graded pair to its two texts, as grades.csv names them."""
    equal = pl.read_parquet(REAL / "answer_equivalence.parquet").select("reference", "candidate")
    attempts = pl.read_parquet(REAL / "attempts_math.parquet")
    tried = attempts.select(reference="reference_answer", candidate="final_answer").drop_nulls()
    return {
        hashlib.sha256(
            f"{one}\0{other}".encode()
        ).hexdigest(): f"reference {one}\nanswer    {other}"
        for one, other in pl.concat([equal, tried]).unique(maintain_order=True).iter_rows()
    }


def more_texts():
    """Questions of the attempts by id, and traces by the sha256 of their text."""
    attempts = pl.read_parquet(REAL / "attempts_math.parquet", columns=["question"])
    asked = attempts["question"].unique()
    traces = pl.read_parquet(REAL / "traces.parquet", columns=["thinking", "answer"])
    whole = [joined(*pair) for pair in traces.iter_rows()]
    return dict(zip(pool.question_ids(asked).to_list(), asked.to_list(), strict=True)) | {
        digest.of_value(text): text for text in whole
    }


def main():
    if not (REAL / "pool.parquet").exists():
        sys.exit(f"no real questions in {REAL}: put them there or set S1DATA_REAL")
    known = more_texts() | texts() | pairs()
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.csv"))
    for name in names:
        for case in pl.read_csv(HERE / f"{name}.csv", infer_schema=False).iter_rows(named=True):
            ids = [
                column for column in case if column in ("id", "sha256") or column.endswith("_id")
            ]
            print(f"== {name}: " + ", ".join(f"{k} {v}" for k, v in case.items() if k not in ids))
            for column in ids:
                print(f"-- {column} {case[column]}\n{known.get(case[column], '(not in the data)')}")


if __name__ == "__main__":
    main()
