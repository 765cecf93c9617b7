"""What asking holds in memory: while 20,000 are asked, and when 59,000 rows have all their replies.

    python -m bench.asking_memory [ROWS]

Megabytes of resident memory, each case in a process of its own. Asked: one reply of 20 KB a row,
from a server of its own, into a new store. There already: two attempts of 50 KB a row, 5.9 GB of
texts in the store, taken through the same Asker; nothing is sent.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from bench.parts.answering import server
from s1data.asking import Served, Session, ask_in_rounds
from s1data.asking.known import Replies
from s1data.models import ModelSpec, Outcome, Reply, Request
from s1data.providers import open_model
from s1data.stages.asked_attempts import AddAttempts
from s1data.stages.asked_traces import AddTraces
from s1data.store.replies import ReplyStore

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 59_000
ASKED = min(ROWS, 20_000)
SPECS = {
    name: ModelSpec(provider="openai_compatible", model=f"{name}-thinking")
    for name in ("small", "large")
}
ATTEMPTS = AddAttempts(solvers=("small", "large"))


def rows(count: int) -> pl.DataFrame:
    questions = [f"What is the sum of the first {n} odd numbers?" for n in range(count)]
    return pl.DataFrame({"question": questions, "answer": [str(n * n) for n in range(count)]})


def resident() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("bench.asking_memory: no VmRSS in /proc/self/status; it needs Linux")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def session(store: ReplyStore, url: str) -> Session:
    return Session(
        [
            Served(name=name, spec=spec, model=open_model(spec, [f"{url}/v1"], "a-key"))
            for name, spec in SPECS.items()
        ],
        store,
    )


def ask(told: Connection, home: Path, url: str, count: int) -> None:
    """Tells (rows done, MB) as it goes, then the peak."""
    step = max(1, count // 8)

    last = 0

    def progress(done: int, _: int) -> None:
        nonlocal last
        if done // step > last:
            last = done // step
            told.send((done, resident()))

    asker = AddTraces(teachers=("small",))
    with ReplyStore(home) as store, session(store, url) as asking:
        asked = ask_in_rounds(asker, rows(count), SPECS, asking, progress)
    assert not asked.open
    told.send((None, peak()))


def reply(request: Request, number: int) -> Reply:
    return Reply(
        key=request.key,
        provider=request.provider,
        model=request.model,
        outcome=Outcome.OK,
        thinking=random.Random(number).randbytes(25_000).hex(),
        answer=f"So it is \\boxed{{{number}}}.",
        thinking_tokens=15_000,
        answer_tokens=9,
    )


def fill(told: Connection, home: Path, count: int) -> None:
    """Stores both attempts at every row."""
    pool, number = rows(count), 0
    with ReplyStore(home) as store:
        for start in range(0, count, 32):
            requests = ATTEMPTS.requests(pool.slice(start, 32), Replies(SPECS))
            store.put([reply(one, number + at) for at, one in enumerate(requests)])
            number += len(requests)
    told.send((number, peak()))


def take(told: Connection, home: Path, count: int) -> None:
    """Takes what is there through the Asker."""
    with ReplyStore(home) as store, session(store, "http://127.0.0.1:9") as asking:
        asked = ask_in_rounds(ATTEMPTS, rows(count), SPECS, asking)
    attempts = asked.columns.get_column("attempts")
    assert not asked.open
    told.send((int(attempts.list.len().sum()), peak()))


def in_a_process(work: Callable[..., None], *given: object) -> list[tuple[int | None, float]]:
    """What the work told, up to its end."""
    spawn = multiprocessing.get_context("spawn")
    mine, its = spawn.Pipe()
    process = spawn.Process(target=work, args=(its, *given))
    started = time.perf_counter()
    process.start()
    its.close()
    told = []
    while True:
        try:
            told.append(mine.recv())
        except EOFError:
            break
    process.join()
    if process.exitcode:
        raise SystemExit(f"bench.asking_memory: {work} ended with {process.exitcode}")
    print(f"  ({time.perf_counter() - started:.0f} s)")
    return told


def main() -> None:
    """Prints the figures."""
    folder = Path(tempfile.mkdtemp(prefix="bench-asking-memory-"))
    try:
        print(f"asked: {ASKED:,} rows, one reply of 20 KB each")
        with server(0.0, 20_000) as url:
            for done, held in in_a_process(ask, folder / "asked", url, ASKED):
                print(f"  {f'{done:,} rows' if done else 'peak':>12} {held:8,.0f} MB")
        print(f"there already: {ROWS:,} rows, two attempts of 50 KB each")
        ((stored, _),) = in_a_process(fill, folder / "there", ROWS)
        size = sum(f.stat().st_size for f in (folder / "there").rglob("*") if f.is_file())
        print(f"  {stored:,} replies stored, {size / 1e9:.1f} GB on disk")
        ((found, held),) = in_a_process(take, folder / "there", ROWS)
        print(f"  {found:,} attempts taken, peak {held:,.0f} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
