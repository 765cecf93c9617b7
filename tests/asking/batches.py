"""Attempts of a generated pool in batch jobs, in this process or in one to be killed.

python -m tests.asking.batches HOME URL ROWS CAP FALLBACK WAVE
"""

import sys
from pathlib import Path

import polars as pl

from s1data.asking import Backoff, Batching, Price, Served, Session, ask_in_rounds
from s1data.models import ModelSpec
from s1data.providers import open_batches, open_model
from s1data.stages.asked_attempts import AddAttempts
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending

SPEC = ModelSpec(provider="gemini", model="big", max_tokens=300)
ASKER = AddAttempts(solvers=("big",), samples=2)
PRICE = Price(
    provider="gemini", model="big", prompt=1.0, output=10.0, batch=0.5, date="d", source="s"
)
SCRIPT = {"models": {"big": {"role": "solver", "skill": 0.5, "price": [1.0, 10.0]}}}


def rows(count):
    questions = [f"What is {i} times {i + 3}?" for i in range(count)]
    answers = [str(i * (i + 3)) for i in range(count)]
    return pl.DataFrame({"question": questions, "answer": answers})


def ask(home, url, pool, *, asker=ASKER, spec=SPEC, cap=1e9, batch=True, timeout=30.0, **settings):
    """What came of it, and what the budget says after."""
    told = {"poll": 0.02, "poll_most": 0.1, **settings}
    batching = Batching(folder=home / "replies" / "jobs", **told) if batch else None
    with (
        ReplyStore(home / "replies") as store,
        Spending(home / "spending", cap) as budget,
    ):
        model = open_model(spec, [url], "a-secret-key", timeout)
        served = Served(
            name="big", spec=spec, model=model, price=PRICE, batches=open_batches(spec, model)
        )
        backoff = Backoff(first=0.01, most=0.05)
        with Session([served], store, budget, backoff=backoff, batch=batching) as session:
            asked = ask_in_rounds(asker, pool, {"big": spec}, session)
        return asked, budget


if __name__ == "__main__":
    home = Path(sys.argv[1])
    settings = {"fallback": sys.argv[5], "wave_requests": int(sys.argv[6])}
    asked, _ = ask(home, sys.argv[2], rows(int(sys.argv[3])), cap=float(sys.argv[4]), **settings)
    asked.columns.write_parquet(home / "out.parquet")
    why = asked.stopped.message if asked.stopped else ""
    sys.stdout.write(f"{len(asked.open)} {why}\n")
