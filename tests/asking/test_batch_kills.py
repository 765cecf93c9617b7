"""A process that waits for batch jobs is killed; another takes its jobs up and makes no second one.

The emulator's log is the witness: what it made jobs of, and what it answered.
"""

import random
import subprocess
import sys
import time
from collections import Counter

import polars as pl
import pytest

from s1data.emulator import Emulator, Script
from s1data.pool import question_ids
from s1data.store.jobs import records
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending
from tests.asking import batches

pytestmark = pytest.mark.slow

ROWS = 100


def script(**told):
    return Script.of(batches.SCRIPT | told)


def emulator(told):
    return Emulator(told, answers=batches.rows(ROWS))


def start(home, url, cap=1e9, fallback="stop", rows=ROWS, wave=1000):
    command = [sys.executable, "-m", "tests.asking.batches", home, url, str(rows), str(cap)]
    command += [fallback, str(wave)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return said.strip()


def wait_until(true):
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(process):
    process.kill()
    process.communicate()


def made(server):
    return sum(entry.call == "batch_create" for entry in server.log)


def answered(server):
    ids = set(question_ids(batches.rows(ROWS)["question"]))
    return Counter(e.material for e in server.log if e.answered and e.question in ids)


def jobs(home):
    return records(home / "replies" / "jobs")


def everything_is_there_once(server, home, rows=ROWS):
    assert answered(server).total() == len(answered(server)) == 2 * rows
    with ReplyStore(home / "replies") as store:
        frame = pl.concat(list(store.frames()))
        assert frame.height == frame["key"].n_unique() == 2 * rows
    assert pl.read_parquet(home / "out.parquet").height == rows
    assert jobs(home) == []


def test_the_poller_is_killed_and_another_process_polls_the_same_job(tmp_path):
    with emulator(script(job_seconds=1e6)) as server:
        process = start(tmp_path, server.url)
        wait_until(lambda: any(record.name for record in jobs(tmp_path)))
        name = jobs(tmp_path)[0].name
        kill(process)
        with Spending(tmp_path / "spending", None) as budget:
            assert len(budget.unsettled()) == 2 * ROWS
        second = start(tmp_path, server.url)
        looked = sum(entry.call == "batch_get" for entry in server.log)
        wait_until(lambda: sum(e.call == "batch_get" for e in server.log) > looked + 1)
        assert [record.name for record in jobs(tmp_path)] == [name]
        server.follow(script())
        assert finish(second) == "0"
        assert made(server) == 1
        everything_is_there_once(server, tmp_path)
        with Spending(tmp_path / "spending", None) as budget:
            assert budget.unsettled() == {}
            assert budget.spent == pytest.approx(sum(b.usd for b in server.bill.values()), rel=0.05)


def test_killed_between_the_making_of_a_job_and_its_name_on_disk_the_job_is_found_again(tmp_path):
    few = 30  # so that they are inlined: an upload would be answered late before
    with emulator(script(job_answer_seconds=30.0)) as server:
        process = start(tmp_path, server.url, rows=few)
        wait_until(lambda: made(server) == 1)
        kill(process)
        assert [record.name for record in jobs(tmp_path)] == [None]
        server.follow(script())
        assert finish(start(tmp_path, server.url, rows=few)) == "0"
        assert made(server) == 1
        everything_is_there_once(server, tmp_path, few)


def test_killed_before_the_job_is_made_it_is_made_once_and_nothing_stays_reserved(tmp_path):
    # The upload is the last thing before; a job of it was never asked for.
    with emulator(script(job_answer_seconds=30.0)) as server:
        process = start(tmp_path, server.url)
        wait_until(lambda: any(entry.call == "upload" for entry in server.log))
        kill(process)
        assert [record.name for record in jobs(tmp_path)] == [None]
        server.follow(script())
        assert finish(start(tmp_path, server.url)) == "0"
        assert made(server) == 1
        everything_is_there_once(server, tmp_path)
        with Spending(tmp_path / "spending", None) as budget:
            assert budget.unsettled() == {}


@pytest.mark.parametrize("fallback", ["wait", "online"])
def test_one_job_expires_and_its_poller_is_killed(tmp_path, fallback):
    with emulator(script(job_seconds=1e6, jobs=["expires"])) as server:
        process = start(tmp_path, server.url, fallback=fallback)
        wait_until(lambda: any(record.name for record in jobs(tmp_path)))
        kill(process)
        server.follow(script(jobs=["expires"]))
        assert finish(start(tmp_path, server.url, fallback=fallback)) == "0"
        assert made(server) == (2 if fallback == "wait" else 1)
        everything_is_there_once(server, tmp_path)


def test_two_processes_on_one_store_make_one_job(tmp_path):
    with emulator(script(job_seconds=3.0)) as server:
        processes = [start(tmp_path, server.url) for _ in range(2)]
        assert [finish(process) for process in processes] == ["0", "0"]
        assert made(server) == 1
        everything_is_there_once(server, tmp_path)


def test_over_kills_at_any_moment_the_bill_keeps_to_the_cap_and_no_job_is_made_twice(tmp_path):
    draw = random.Random(20261124)
    cap = 0.25
    kills = 0
    told = {"cap": cap, "fallback": "wait", "wave": 10}
    with emulator(script(job_seconds=0.3, job_answer_seconds=0.05)) as server:
        process = start(tmp_path, server.url, **told)
        while kills < 20:
            # After some more was asked of the service: a check, a job, a look at one, its results.
            until = len(server.log) + draw.choice((1, 2, 3, 4, 5, 8, 13))
            wait_until(lambda n=until, p=process: len(server.log) >= n or p.poll() is not None)
            if process.poll() is not None:
                said = finish(process)
                if "no answer to a tiny request" not in said:  # as a busy machine may have it
                    break
            else:
                kill(process)
                kills += 1
            process = start(tmp_path, server.url, **told)
        else:
            said = finish(process)
        assert kills >= 8
        assert sum(bill.usd for bill in server.bill.values()) <= cap
        with Spending(tmp_path / "spending", cap) as budget:
            assert budget.spent + budget.reserved <= cap
        assert set(answered(server).values()) == {1}
        # Every job that was made was waited for: none was made for nothing.
        asking = {entry.job for entry in server.log if entry.job}
        assert len(asking) == made(server)
        if said != "0":
            assert "budget" in said
            assert finish(start(tmp_path, server.url, 10.0)) == "0"
        everything_is_there_once(server, tmp_path)
