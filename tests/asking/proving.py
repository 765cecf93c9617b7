"""Whole runs in processes of their own, against an emulator in another, and what bears witness.

The processes are forked from one that has everything imported: fifty kills are fifty starts.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import google.genai  # noqa: F401 - imported once, for every process that is forked
import openai  # noqa: F401 - as above
import orjson
import polars as pl

import s1data
from s1data import rehearsing, running  # noqa: F401 - as above
from s1data.cli import main
from s1data.errors import S1DataError
from s1data.pool import question_ids
from s1data.serving import Means
from s1data.store.files import unsealed
from s1data.store.replies import ReplyStore

RECIPE = """
name: proved
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  small: {provider: openai_compatible, model: small-8b, max_tokens: 400}
  teacher: {provider: openai_compatible, model: big-70b, max_tokens: 1200}
stages:
  - add_attempts: {solvers: [small], samples: 2}
  - add_grades: {of: attempts}
  - drop_solved: {rule: all, unknown: keep}
  - add_traces: {teachers: [teacher]}
  - keep_random: {as: keep, n: 200, seed: 0}
"""
SCRIPT = """
[models.small-8b]
role = "solver"
skill = 0.5
thinking_tokens = 120
price = [1.0, 10.0]
[models.big-70b]
role = "teacher"
skill = 0.9
price = [1.0, 10.0]
"""
PRICES = "\n".join(
    f'[[price]]\nprovider = "openai_compatible"\nmodel = "{model}"\nprompt = 1.0\noutput = 10.0\n'
    'date = "2026-11"\nsource = "a test"'
    for model in ("small-8b", "big-70b")
)

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__])


def rows(count):
    """Questions and their answers."""
    questions = [f"What is {i} times {i + 3}?" for i in range(count)]
    return pl.DataFrame({"question": questions, "answer": [str(i * (i + 3)) for i in range(count)]})


def run(out, pool, told):
    """In a child: one run; what ended it, if not its end, goes to a file beside it."""
    means = Means(**{**told["means"], "store": Path(told["means"]["store"])})
    pipeline = s1data.Pipeline.from_yaml(told.get("recipe", RECIPE))
    try:
        pipeline.run(out, inputs={"pool": pool}, borrow_from=told.get("borrow_from"), means=means)
    except S1DataError as error:
        Path(f"{out}.said").write_text(f"{error}", encoding="utf-8")
        sys.exit(1)


def command(arguments, place, environment):
    """In a child: the command line in a folder, with all that it says going to ``heard`` there."""
    os.chdir(place)
    os.environ.update(environment)
    with Path("heard").open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    main([str(word) for word in arguments])


def start(target, *given):
    """A process forked for this."""
    process = _FORKING.Process(target=target, args=given)
    process.start()
    return process


def start_run(out, pool, url, **told):
    """Starts a run of small and teacher at one address into the store beside it."""
    (prices := out.parent / "prices.toml").write_text(PRICES, encoding="utf-8")
    means = {
        "endpoints": {"small": (url,), "teacher": (url,)},
        "prices": [prices],
        "max_usd": told.pop("cap", 1e6),
        "store": str(told.pop("store", out.parent / "store")),
        "roll_bytes": told.pop("roll_bytes", 32_000_000),
        "timeout": 120.0,
    }
    return start(run, str(out), pool, {"means": means, **told})


def end(process, seconds=400):
    """Waits for a process; its exit code."""
    process.join(seconds)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def kill(process):
    """SIGKILL, and nothing left of it when this returns."""
    process.kill()
    process.join()


@contextmanager
def emulator(folder, pool, script=SCRIPT):
    """`s1data emulate` in a process of its own; yields it and its URL."""
    answers, told = folder / "answers.parquet", folder / "script.toml"
    pool.write_parquet(answers)
    told.write_text(script, encoding="utf-8")
    code = "from s1data.cli import main; main()"
    options = ["--port", "0", "--answers", answers, "--script", told, "--log", folder / "log"]
    server = subprocess.Popen(
        [sys.executable, "-c", code, "emulate", *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield server, server.stdout.readline().split()[-1]
    finally:
        server.send_signal(signal.SIGCONT)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)


class Log:
    """The emulator's log, read as it grows."""

    def __init__(self, path, pool):
        self._path, self._at = path, 0
        self._ids = set(question_ids(pool["question"]))
        self.lines = []
        self.billed = 0.0
        """Dollars of all that was generated, the checks before paying too."""

    def read(self):
        """Its lines of the pool's questions that were answered."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._at += whole
        for line in data[:whole].splitlines():
            entry = orjson.loads(line)
            self.billed += entry["usd"] or 0.0
            if entry["answered"] and entry["question"] in self._ids:
                self.lines.append(entry)
        return self.lines

    def answers(self):
        """How often each request was answered, by model, question and sample."""
        return Counter((e["model"], e["question"], e["sample"]) for e in self.read())


class Journal:
    """A run's spending journal, read as it grows: what was sent, and what was acknowledged."""

    def __init__(self, path):
        self._path, self._at = path, 0
        self.sent = Counter()
        self.settled = set()
        """Keys whose cost is known, since their reply is stored."""

    def read(self):
        """Keys of requests whose sending was noted since the last look."""
        if not self._path.exists():
            return Counter()
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._at += whole
        new = Counter()
        for line in data[:whole].splitlines():
            event = json.loads(unsealed(line))
            key = event["key"].partition("@")[0]
            if key.startswith("check"):
                continue
            if event["event"] == "reserve":
                new[key] += 1
            elif event["event"] == "settle" and event["nano_usd"]:
                self.settled.add(key)
        self.sent += new
        return new


def stored(home):
    """The keys that a store has."""
    with ReplyStore(home) as store:
        return set(store.narrow()["key"]) if home.exists() else set()


def results(out):
    """The bytes of what a run made."""
    return [(out / name).read_bytes() for name in ("selected.parquet", "ledger.parquet")]


def used(out):
    """(model, question, sample) by key, of what a run's stages asked."""
    found = {}
    names = {"small": "small-8b", "teacher": "big-70b"}
    read = pl.read_parquet(out / "stages/00-read/rows.parquet", columns=["row", "question"])
    ids = dict(zip(read["row"], question_ids(read["question"]), strict=True))
    for label, column, who in (("01", "attempts", "solver"), ("04", "traces", "teacher")):
        (folder,) = (out / "stages").glob(f"{label}-*")
        table = pl.read_parquet(folder / "columns.parquet", columns=["row", column])
        for row, said in table.iter_rows():
            for one in said:
                found[one["reply_key"]] = (names[one[who]], ids[row], one["sample"])
    return found


def drafts(place, pattern):
    """Files of a pattern as they are now; one that a kill left is told from a new one."""
    found = set()
    for path in place.glob(pattern):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found.add((path.name, stat.st_ino, stat.st_mtime_ns))
    return found


def kill_inside(process, place, pattern):
    """Kills at the first new file of a pattern; whether the kill came before it was gone.

    None: the process ended by itself before.
    """
    old = drafts(place, pattern)
    while process.exitcode is None:
        if drafts(place, pattern) - old:
            process.kill()
            process.join()
            return bool(drafts(place, pattern) - old)
    return None


def wait_until(true, process, seconds=300):
    """Waits for something while a process lives; whether it still does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never got there"
        if process.exitcode is not None:
            return False
        time.sleep(0.003)
    return process.exitcode is None
