"""The reply store through its door: what is acknowledged outlives a kill, a tear and a bad part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1data.errors import BudgetError, StoreError
from s1data.models import Outcome, Reply, joined
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending


def reply(key, answer="4", **parts):
    given_parts = {"provider": "p", "model": "m", "outcome": Outcome.OK} | parts
    return Reply(key=key, answer=answer, **given_parts)


def test_what_is_put_is_there_at_once_and_after_reopening(tmp_path):
    with ReplyStore(tmp_path) as store:
        store.put([reply("a", thinking="Hm."), reply("b", answer=None, outcome=Outcome.SAFETY)])
        assert store.get(["a", "b", "c"]).keys() == {"a", "b"}
        with ReplyStore(tmp_path) as other:
            assert other.get(["a"])["a"].thinking == "Hm."
    with ReplyStore(tmp_path) as store:
        assert store.get(["b"])["b"].outcome is Outcome.SAFETY
        texts = store.texts(pl.Series(["b", "a", "x"]))
        assert texts.to_list() == [None, joined("Hm.", "4"), None]


def test_an_open_reply_is_refused(tmp_path):
    with ReplyStore(tmp_path) as store, pytest.raises(StoreError, match="timeout"):
        store.put([reply("a", outcome=Outcome.TIMEOUT)])


@pytest.mark.parametrize(
    "text", ["\ud800", "a\x00b", "line\nbreak \u2028 \u202e", "\U0001d518" * 5000]
)
def test_any_text_comes_back_or_its_broken_half_is_replaced(tmp_path, text):
    with ReplyStore(tmp_path) as store:
        store.put([reply("a", answer=text)])
    with ReplyStore(tmp_path) as store:
        found = store.get(["a"])["a"].answer
    assert found == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_a_claim_holds_off_another_process_until_released_or_dead(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from s1data.store.replies import ReplyStore\n"
        "store = ReplyStore(Path(sys.argv[1])); store.claim(['a']); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        with ReplyStore(tmp_path) as store:
            assert store.claim(["a", "b"]) == {"b"}
            assert store.waiting(["a", "b"]) == {"a"}
            child.kill()
            child.wait()
            assert store.waiting(["a"]) == set()
            assert store.claim(["a"]) == {"a"}
    finally:
        child.kill()
        child.stdout.close()
        child.wait()


def test_every_acknowledged_reply_outlives_a_kill(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from s1data.models import Outcome, Reply; from s1data.store.replies import ReplyStore\n"
        "store = ReplyStore(Path(sys.argv[1])); first = int(sys.argv[2])\n"
        "for i in range(first, first + 100_000):\n"
        "    store.put([Reply(key=f'k{i}', provider='p', model='m', outcome=Outcome.OK,"
        " answer='x' * 2000)])\n"
        "    print(i, flush=True)\n"
        "    if i % 40 == 39: store.compact()\n"
    )
    acknowledged = 0
    for turn in range(6):
        command = [sys.executable, "-c", code, str(tmp_path), str(turn * 1000)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.15 + 0.11 * turn)
        os.kill(child.pid, signal.SIGKILL)
        seen = [f"k{turn * 1000}"] + [f"k{line.decode().strip()}" for line in child.stdout]
        child.stdout.close()
        child.wait()
        whole = [key for key in seen if len(key) > 1]
        acknowledged += len(whole)
        with ReplyStore(tmp_path) as store:
            assert set(store.get(whole)) == set(whole)
    assert acknowledged > 12


def test_a_damaged_part_is_named_and_only_its_replies_are_gone(tmp_path):
    for key in "ab":
        with ReplyStore(tmp_path) as store:
            store.put([reply(key)])
    parts = sorted(tmp_path.rglob("part-*.parquet"))
    assert len(parts) == 2
    parts[0].write_bytes(parts[0].read_bytes()[:50])
    with ReplyStore(tmp_path) as store:
        left = store.get(["a", "b"])
        assert len(left) == 1
        assert any(parts[0].name in one for one in store.damaged)
        (gone,) = {"a", "b"} - set(left)
        store.put([reply(gone)])
        assert set(store.get(["a", "b"])) == {"a", "b"}


def test_compaction_changes_nothing_that_can_be_read(tmp_path):
    for turn in range(3):
        with ReplyStore(tmp_path) as store:
            store.put([reply(f"k{turn}-{i}", answer=str(i)) for i in range(5)])
    keys = [f"k{turn}-{i}" for turn in range(3) for i in range(5)]
    with ReplyStore(tmp_path) as store:
        before = store.get(keys)
        store.compact()
        assert store.get(keys) == before
        assert len(before) == 15
    assert len(list(tmp_path.rglob("part-*.parquet"))) == 1


@settings(deadline=None, max_examples=40)
@given(moves=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 3)), max_size=30))
def test_the_cap_is_never_passed_and_reopening_changes_no_sum(tmp_path_factory, moves):
    path = tmp_path_factory.mktemp("spending") / "journal"
    open_items = {}
    with Spending(path, 5.0) as spending:
        for i, (key, usd) in enumerate(moves):
            item = f"{key}@{i}"
            try:
                spending.reserve([(item, usd)])
                open_items[item] = usd
            except BudgetError:
                assert spending.spent + spending.reserved + usd > 5.0
            if open_items and i % 3 == 2:
                settled, most = open_items.popitem()
                spending.settle([(settled, most / 2)])
            assert spending.spent + spending.reserved <= 5.0 + 1e-9
        sums = spending.spent, spending.reserved, spending.unsettled()
    with Spending(path, 5.0) as again:
        assert (again.spent, again.reserved, again.unsettled()) == sums


def test_a_torn_last_line_of_the_journal_is_passed_over(tmp_path):
    path = tmp_path / "journal"
    with Spending(path, None) as spending:
        spending.reserve([("a@1", 1.0), ("b@1", 2.0)])
        spending.settle([("a@1", 0.5)])
    with path.open("ab") as file:
        file.write(b'{"half": ')
    with Spending(path, None) as spending:
        assert spending.spent == 0.5
        assert spending.unsettled() == {"b@1": 2.0}
        spending.settle([("b@1", 1.0)])
    with Spending(path, None) as spending:
        assert spending.spent == 1.5


def test_of_two_copies_the_sound_one_outlives_a_compaction(tmp_path):
    for answer in ("first", "second"):
        with ReplyStore(tmp_path) as store:
            store.put([reply("a", answer=answer, asked=f"2026-01-0{len(answer)}T00:00:00+00:00")])
    parts = sorted(tmp_path.rglob("part-*.parquet"))
    assert len(parts) == 2
    with ReplyStore(tmp_path) as store:
        counts = store.get(["a"])["a"].answer
    for part in parts:
        whole = part.read_bytes()
        if counts in pl.read_parquet(part)["answer"].to_list():
            spoiled = bytearray(whole)
            spoiled[len(whole) // 3] ^= 0xFF
            part.write_bytes(bytes(spoiled))
    with ReplyStore(tmp_path) as store:
        store.compact()
        left = store.get(["a"])
        assert left["a"].answer == {"first": "second", "second": "first"}[counts]
        assert len(store.damaged) == 1
