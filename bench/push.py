"""What a push costs, against ``Dataset.push_to_hub`` of the same rows.

    python -m bench.push [ROWS] [POOL]

Wall and CPU seconds and peak memory of a process each, to a Hub on the loopback: 1,000 rows with
traces of 20 KB and a ledger of 59,000 lines. Ours sends replay, card and recipe as well, decides
everything anew before, and reads every file back; theirs sends set and ledger as two configs.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from s1data.recipe import Pipeline
from tests.hub.client import environment
from tests.hub.loopback_hub import TOKEN, hosting

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
POOL = int(sys.argv[2]) if len(sys.argv) > 2 else 59_000
RECIPE = """
name: bench
version: 2026.11.0
sources: [{{name: pool, path: {pool}, licence: mit}}]
inputs: {{traces: {{path: {traces}}}}}
stages:
  - drop_malformed: {{rules: general}}
  - drop_duplicates
  - add_recorded_traces: {{from: traces, thinking_tokens: tokens}}
  - keep_longest: {{as: keep, n: {rows}, length_from: traces.thinking_tokens}}
"""
OURS = "from s1data.cli import main; main(['push', {run!r}, 'org/ours', '--json'])"
THEIRS = """
from datasets import Dataset
Dataset.from_parquet({run!r} + '/selected.parquet').push_to_hub('org/theirs')
Dataset.from_parquet({run!r} + '/ledger.parquet').push_to_hub('org/theirs', config_name='ledger')
"""
NOTHING = "import datasets"
# What wait4 says of memory begins with that of the process that forked, so each says its own.
PEAK = """
import atexit, pathlib
def peak():
    lines = pathlib.Path('/proc/self/status').read_text().splitlines()
    pathlib.Path('peak').write_text(next(x for x in lines if x.startswith('VmHWM')).split()[1])
atexit.register(peak)
"""


def words(number: int, size: int) -> str:
    """Text that compresses about as prose does."""
    draw = random.Random(number)
    known = [f"w{draw.randrange(20_000)}" for _ in range(min(size // 12, 400))]
    return " ".join(draw.choices(known, k=size // 6))


def lay(home: Path) -> Path:
    """A finished run of ``POOL`` lines and ``ROWS`` chosen rows."""
    questions = [f"Question {i}: {words(i, 300)}?" for i in range(POOL)]
    pl.DataFrame({"question": questions}).write_parquet(home / "pool.parquet")
    traced = range(0, POOL, max(POOL // (ROWS * 2), 1))
    lines = {
        "question": [questions[i] for i in traced],
        "model": "teacher",
        "thinking": [words(-i - 1, 20_000) for i in traced],
        "answer": "So it is.",
        "tokens": [5_000 + i % 97 for i in traced],
    }
    pl.DataFrame(lines).write_parquet(home / "traces.parquet")
    paths = {name: home / f"{name}.parquet" for name in ("pool", "traces")}
    return Pipeline.from_yaml(RECIPE.format(rows=ROWS, **paths)).run(home / "run").path


def spent(name: str, code: str, url: str, home: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds and peak MB of a child process that runs the code."""
    place = home / name
    place.mkdir()
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PEAK + code],
        env=environment(url, place, TOKEN),
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    assert status == 0, f"{name} failed"
    wall = time.perf_counter() - start
    return wall, used.ru_utime + used.ru_stime, int((place / "peak").read_text()) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-push-") as place, hosting() as hub:
        home = Path(place)
        run = str(lay(home))
        costs = {}
        for name, code in (("imports", NOTHING), ("theirs", THEIRS), ("ours", OURS)):
            costs[name] = spent(name, code.format(run=run), hub.url, home)
        again = spent("again", OURS.format(run=run), hub.url, home)
        sent = {
            name: sum(len(d) for d in hub.repositories[f"org/{name}"].files().values()) / 2**20
            for name in ("theirs", "ours")
        }
        commits = len(hub.repositories["org/ours"].history())
    names = {
        "imports": "importing datasets alone",
        "theirs": "Dataset.push_to_hub, set and ledger",
        "ours": "s1data push",
    }
    for name, (wall, cpu, peak) in costs.items():
        size = f"{sent[name]:6.1f} MB sent" if name in sent else ""
        print(f"{names[name]:<36} {wall:6.1f} s wall {cpu:6.1f} s CPU {peak:6.0f} MB peak  {size}")
    print(
        f"{'the same again':<36} {again[0]:6.1f} s wall {again[1]:6.1f} s CPU, commits: {commits}"
    )
    ratios = [a / b for a, b in zip(costs["ours"], costs["theirs"], strict=True)]
    print("ours / theirs: wall {:.2f}, CPU {:.2f}, peak {:.2f}".format(*ratios))


if __name__ == "__main__":
    main()
