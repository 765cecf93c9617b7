"""Asks the attempts of a generated pool in a process of its own, to be killed or doubled.

python -m tests.asking.child HOME URL ROWS CAP
"""

import sys
from pathlib import Path

import polars as pl

from s1data.asking import Backoff, Limits, Price, Served, Session, ask_in_rounds
from s1data.models import ModelSpec
from s1data.providers import open_model
from s1data.stages.asked_attempts import AddAttempts
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending

SPEC = ModelSpec(provider="openai_compatible", model="small", max_tokens=300, seed=1)
ASKER = AddAttempts(solvers=("small",), samples=2)
PRICE = Price(
    provider="openai_compatible", model="small", prompt=1.0, output=10.0, date="d", source="s"
)


def rows(count):
    questions = [f"What is {i} times {i + 3}?" for i in range(count)]
    answers = [str(i * (i + 3)) for i in range(count)]
    return pl.DataFrame({"question": questions, "answer": answers})


def ask(home, url, count, cap, name="out"):
    with (
        ReplyStore(home / "replies", roll_bytes=200_000) as store,
        Spending(home / "spending", cap) as budget,
    ):
        served = Served(
            name="small",
            spec=SPEC,
            model=open_model(SPEC, [url], "a-key", 30.0),
            limits=Limits(concurrency=64),
            price=PRICE,
        )
        with Session([served], store, budget, backoff=Backoff(first=0.01, most=0.05)) as session:
            asked = ask_in_rounds(ASKER, rows(count), {"small": SPEC}, session)
        if not asked.open:
            store.compact()
            asked.columns.write_parquet(home / f"{name}.parquet")
        return asked


if __name__ == "__main__":
    asked = ask(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
    why = asked.stopped.message if asked.stopped else ""
    sys.stdout.write(f"{len(asked.open)} {why}\n")
