"""Killed at any moment, or with a rival at work, nothing acknowledged is lost or paid twice.

The emulator runs in a process of its own; its log, written before each reply goes out, says what
was answered. What was in flight at a kill may be answered again, and nothing else.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import polars as pl
import pytest

from s1data import pool
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending
from tests.asking import child

pytestmark = pytest.mark.slow

ROWS = 600
IN_FLIGHT = 64
SCRIPT = """
[models.small]
role = "solver"
skill = 0.5
price = [1.0, 10.0]
"""


@contextmanager
def emulator(tmp_path):
    answers, script = tmp_path / "answers.parquet", tmp_path / "script.toml"
    child.rows(ROWS).write_parquet(answers)
    script.write_text(SCRIPT, encoding="utf-8")
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    options = ["--port", "0", "--answers", answers, "--script", script, "--log", tmp_path / "log"]
    command = [sys.executable, "-c", code, "emulate", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().split()[-1]
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)


def log(tmp_path):
    """What was answered of the questions, by (question, sample)."""
    ids = set(pool.question_ids(child.rows(ROWS)["question"]))
    lines = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    return [line for line in lines if line["answered"] and line["question"] in ids]


def start(home, url, cap=1e9, name="out"):
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.asking.child", home, url, str(ROWS), str(cap), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return said.strip()


def test_twenty_kills_lose_nothing_and_pay_nothing_twice(tmp_path):
    draw = random.Random(20261124)
    kills = 0
    with emulator(tmp_path) as url:
        home = tmp_path / "home"
        process = start(home, url)
        before = 0
        while kills < 20:
            # Anywhere from before the first request to some hundred answers later.
            until = before + draw.choice((0, 1, 5, 20, 40, 60))
            deadline = time.monotonic() + 60
            while process.poll() is None and len(log(tmp_path)) < until:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            if process.poll() is not None:
                break
            process.kill()
            process.communicate()
            kills += 1
            before = len(log(tmp_path))
            process = start(home, url)
        assert finish(process) == "0"
        answered = Counter((line["question"], line["sample"]) for line in log(tmp_path))
        assert len(answered) == 2 * ROWS
        again = sum(count - 1 for count in answered.values())
        assert kills >= 12
        assert again <= kills * IN_FLIGHT
        with ReplyStore(home / "replies") as store:
            keys = store.narrow()["key"]
            assert len(keys) == keys.n_unique() == 2 * ROWS
            stored = store.get(keys.to_list())
        with Spending(home / "spending", None) as budget:
            in_flight = {name.partition("@")[0] for name in budget.unsettled()}
        # Each answer beyond the first went to a process that died before it could keep it.
        lost = again
        assert lost <= len(budget.unsettled())
        assert in_flight <= set(stored) | {n for n in in_flight if n.startswith("check")}
        straight = tmp_path / "straight"
        assert finish(start(straight, url)) == "0"
    results = [pl.read_parquet(where / "out.parquet") for where in (home, straight)]
    assert results[0].equals(results[1])


def test_two_processes_share_one_store_and_both_finish(tmp_path):
    with emulator(tmp_path) as url:
        home = tmp_path / "home"
        rivals = [start(home, url, name=name) for name in ("one", "two")]
        assert [finish(rival) for rival in rivals] == ["0", "0"]
        answered = Counter((line["question"], line["sample"]) for line in log(tmp_path))
    assert len(answered) == 2 * ROWS
    assert set(answered.values()) == {1}
    results = [pl.read_parquet(home / f"{name}.parquet") for name in ("one", "two")]
    assert results[0].equals(results[1])


def test_over_kills_and_resumes_the_bill_never_passes_the_cap(tmp_path):
    draw = random.Random(7)
    cap = 0.9
    with emulator(tmp_path) as url:
        home = tmp_path / "home"
        for _ in range(8):
            process = start(home, url, cap)
            try:
                process.communicate(timeout=draw.uniform(1.2, 3.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        said = finish(start(home, url, cap))
        assert not said.startswith("0")
        lines = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
        billed = sum(line["usd"] or 0 for line in lines)
        assert 0.3 * cap < billed <= cap


def test_ctrl_c_keeps_what_came_and_ends_within_seconds(tmp_path):
    with emulator(tmp_path) as url:
        home = tmp_path / "home"
        process = start(home, url)
        while len(log(tmp_path)) < 50:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode != 0
        answered = {(line["question"], line["sample"]) for line in log(tmp_path)}
        with ReplyStore(home / "replies") as store:
            assert store.narrow().height == len(answered)
        assert finish(start(home, url)) == "0"
        assert len(log(tmp_path)) == 2 * ROWS
