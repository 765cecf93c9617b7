"""The reply store against one JSON file for each reply, and how fast keys are looked up.

    python -m bench.store [REPLIES]

Wall and CPU seconds of one process, in one run: replies of 20 KB written 64 at a time (each time
durable), looked up after opening anew, compacted. A JSON file is written and synced one by one.
Then the narrow look-up of 1,000,000 keys of which all are there.
"""

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from s1data.models import Outcome, Reply
from s1data.store.replies import ReplyStore

REPLIES = int(sys.argv[1]) if len(sys.argv) > 1 else 59_000
MANY = 1_000_000


def reply(number: int, size: int = 20_000) -> Reply:
    """A reply that compresses to a half, as text does."""
    return Reply(
        key=f"{number * 11400714819323198485 % 2**64:016x}{number:048x}",
        provider="p",
        model="m",
        outcome=Outcome.OK,
        thinking=random.Random(number).randbytes(size // 2).hex(),
        answer=str(number),
        thinking_tokens=5000,
        answer_tokens=3,
    )


def timed(name: str, work: Callable[[], None]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<44} {wall:8.2f} s wall {cpu:8.2f} s CPU", flush=True)


def fill(home: Path, count: int, size: int = 20_000) -> None:
    with ReplyStore(home) as store:
        for start in range(0, count, 64):
            store.put([reply(i, size) for i in range(start, min(start + 64, count))])


def look_up(home: Path, keys: list[str]) -> None:
    with ReplyStore(home) as store:
        found = 0
        for start in range(0, len(keys), 4096):
            found += len(store.get(keys[start : start + 4096]))
        assert found == len(keys)


def known(home: Path, keys: pl.Series) -> None:
    with ReplyStore(home) as store:
        assert store.known(keys).drop_nulls("outcome").height == len(keys)


def compact(home: Path) -> None:
    with ReplyStore(home) as store:
        store.compact()


def files(home: Path, count: int) -> None:
    home.mkdir()
    for i in range(count):
        one = reply(i)
        with (home / f"{one.key}.json").open("w", encoding="utf-8") as file:
            json.dump({"key": one.key, "thinking": one.thinking, "answer": one.answer}, file)
            file.flush()
            os.fsync(file.fileno())


def read_files(home: Path, keys: list[str]) -> None:
    for key in keys:
        json.loads((home / f"{key}.json").read_text(encoding="utf-8"))


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench-store-"))
    try:
        keys = [reply(i, 0).key for i in range(REPLIES)]
        narrow = pl.Series("key", keys)
        print(f"{REPLIES:,} replies of 20 KB")
        timed("store: written, durable by 64", lambda: fill(folder / "store", REPLIES))
        timed("store: narrow look-up, opened anew", lambda: known(folder / "store", narrow))
        timed("store: texts of all, opened anew", lambda: look_up(folder / "store", keys))
        timed("store: compacted", lambda: compact(folder / "store"))
        timed("store: narrow look-up, compacted", lambda: known(folder / "store", narrow))
        timed("files: written, durable one by one", lambda: files(folder / "files", REPLIES))
        timed("files: read", lambda: read_files(folder / "files", keys))
        size = sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file())
        other = sum(f.stat().st_size for f in (folder / "files").iterdir())
        print(f"on disk: store {size / 1e6:,.0f} MB, files {other / 1e6:,.0f} MB")
        shutil.rmtree(folder / "files")
        many = pl.Series("key", [reply(i, 0).key for i in range(MANY)])
        print(f"{MANY:,} replies of a line")
        timed("store: written, durable by 4,096", lambda: fill_many(folder / "many"))
        timed("store: narrow look-up, opened anew", lambda: known(folder / "many", many))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the whole process: {peak:,.0f} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill_many(home: Path) -> None:
    with ReplyStore(home) as store:
        for start in range(0, MANY, 4096):
            store.put([reply(i, 0) for i in range(start, min(start + 4096, MANY))])


if __name__ == "__main__":
    main()
