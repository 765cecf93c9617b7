"""Whole runs, killed, doubled and out of money: nothing is lost, nothing is paid twice.

The emulator runs in a process of its own; its log, written before each reply goes out, says what
was answered. The spending journal, on disk before anything is sent, says what was in flight.
"""

import logging
import random
from collections import Counter

import pytest

from s1data.store.spending import Spending
from tests.asking import proving

pytestmark = pytest.mark.slow

IN_FLIGHT = 64
ROLL_BYTES = 100_000
INSIDE = {
    "roll": "store/writers/*/draft.tmp",
    "compaction": "store/compacting.tmp",
    "manifest": "*/manifest.json.part",
    "ledger": "*/ledger.parquet.part",
}
"""Files that are there only while these are written."""


class Killing:
    """Runs that are killed and go on, and what was sure at each kill."""

    def __init__(self, home, pool, url, recipes):
        self.home, self.pool, self.url, self.recipes = home, pool, url, recipes
        self.log = proving.Log(home / "log", pool)
        self.journals = {name: proving.Journal(home / name / "spending.jsonl") for name in recipes}
        self.kills = dict.fromkeys(("anywhere", *INSIDE), 0)
        self.kept = set()
        """Keys that the store had at the last kill."""

    def start(self, name):
        told = {"roll_bytes": ROLL_BYTES, "recipe": self.recipes[name]}
        return proving.start_run(self.home / name, self.pool, self.url, **told)

    def after_a_kill(self, where):
        """What is acknowledged is stored; what was stored before was not asked again."""
        self.kills[where] += 1
        kept = proving.stored(self.home / "store")
        assert self.kept <= kept
        for journal in self.journals.values():
            sent = journal.read()
            # Since the last kill at most once each, and none that was stored by then.
            assert set(sent.values()) <= {1}
            assert not set(sent) & self.kept
            assert journal.settled <= kept
        self.kept = kept

    def answers(self):
        return self.log.answers().total()

    def anywhere(self, name, draw, most):
        """Kills the run some answers later; whether it was still at work."""
        process, until = self.start(name), self.answers() + draw.randrange(most)
        if not proving.wait_until(lambda: self.answers() >= until, process):
            return False
        proving.kill(process)
        self.after_a_kill("anywhere")
        return True

    def inside(self, name, draw, most, where):
        """Kills the run inside a writing some answers later; whether it was still at work."""
        process, until = self.start(name), self.answers() + draw.randrange(most)
        if not proving.wait_until(lambda: self.answers() >= until, process):
            return False
        hit = proving.kill_inside(process, self.home, INSIDE[where])
        if hit is not None:
            self.after_a_kill(where if hit else "anywhere")
        return hit is not None

    def in_a_compaction(self):
        """Kills `s1data replies compact`."""
        words = ("replies", "compact", "--store", str(self.home / "store"))
        process = proving.start(proving.command, words, self.home, {})
        if proving.kill_inside(process, self.home, INSIDE["compaction"]):
            self.after_a_kill("compaction")

    def finish(self, name):
        process = self.start(name)
        assert proving.end(process) == 0, (self.home / f"{name}.said").read_text()

    def everything_is_there_once(self):
        """The witness: nothing was answered more often than it was sent, all of it is stored."""
        answers = self.log.answers()
        for journal in self.journals.values():
            journal.read()
        asked = {key: what for name in self.recipes for key, what in
                 proving.used(self.home / name).items()}  # fmt: skip
        sent = sum((journal.sent for journal in self.journals.values()), Counter())
        again = 0
        for key, what in asked.items():
            assert 1 <= answers[what] <= sent[key]
            again += answers[what] - 1
        assert set(answers) == set(asked.values())
        assert proving.stored(self.home / "store") == set(asked)
        assert again <= sum(self.kills.values()) * IN_FLIGHT
        return again


def same_as_uninterrupted(killing, folder, url):
    for name, recipe in killing.recipes.items():
        whole = folder / f"{name}-uninterrupted"
        process = proving.start_run(whole, killing.pool, url, recipe=recipe,
                                    store=folder / f"{name}-other")  # fmt: skip
        assert proving.end(process) == 0
        assert proving.results(whole) == proving.results(killing.home / name)


def finishing(killing, name, wanted):
    """Kills the run inside the writing of its ledger and its manifest, so often."""
    for where, count in wanted.items():
        for _ in range(20 * count):
            if killing.kills[where] >= count:
                break
            # Without its manifest it is as a kill just before leaves it.
            (killing.home / name / "manifest.json").unlink(missing_ok=True)
            if proving.kill_inside(killing.start(name), killing.home, INSIDE[where]):
                killing.after_a_kill(where)
        assert killing.kills[where] >= count
    killing.finish(name)


def told(*said):
    """Figures for whoever looks: --log-cli-level=info."""
    logging.getLogger("proofs").info(" ".join(map(str, said)))


def test_fifty_kills_over_five_thousand_requests(tmp_path):
    draw = random.Random(20261124)
    pool = proving.rows(2250)
    (home := tmp_path / "home").mkdir()
    with proving.emulator(home, pool) as (_, url):
        killing = Killing(home, pool, url, {"out": proving.RECIPE})
        kills = killing.kills
        while kills["roll"] < 10 or kills["anywhere"] < 27 or kills["compaction"] < 8:
            if kills["roll"] < 10 and kills["roll"] * 5 <= kills["anywhere"] * 2:
                alive = killing.inside("out", draw, 40, "roll")
            else:
                alive = killing.anywhere("out", draw, 110)
            assert alive, f"the run ended after {kills}"
            if kills["compaction"] < 8:
                killing.in_a_compaction()
        killing.finish("out")
        finishing(killing, "out", {"ledger": 2, "manifest": 5})
        again = killing.everything_is_there_once()
        count = len(proving.used(home / "out"))
    told(count, "requests; kills", kills, again, "answered again")
    assert count >= 5000
    assert sum(kills.values()) >= 50
    with proving.emulator(tmp_path, pool) as (_, url):
        same_as_uninterrupted(killing, tmp_path, url)


def test_two_recipes_writing_at_once_are_killed_and_share_what_both_ask(tmp_path):
    draw = random.Random(7)
    pool = proving.rows(600)
    other = proving.RECIPE.replace("name: proved", "name: other").replace(
        "samples: 2", "samples: 3"
    )
    recipes = {"one": proving.RECIPE, "two": other}
    (home := tmp_path / "home").mkdir()
    with proving.emulator(home, pool) as (_, url):
        killing = Killing(home, pool, url, recipes)
        for _ in range(12):
            both = [killing.start(name) for name in recipes]
            until = killing.answers() + draw.randrange(10, 120)
            first, second = draw.sample(both, 2)
            assert proving.wait_until(lambda n=until: killing.answers() >= n, first)
            proving.kill(first)
            # The other goes on alone for a while, with what the first one had claimed.
            proving.wait_until(lambda n=until: killing.answers() >= n + 10, second)
            proving.kill(second)
            killing.after_a_kill("anywhere")
        both = [killing.start(name) for name in recipes]
        assert [proving.end(process) for process in both] == [0, 0]
        again = killing.everything_is_there_once()
        told(killing.log.answers().total(), "answers;", again, "of them again")
    with proving.emulator(tmp_path, pool) as (_, url):
        same_as_uninterrupted(killing, tmp_path, url)


def test_two_processes_on_one_recipe_and_store_ask_nothing_twice(tmp_path):
    pool = proving.rows(920)
    with proving.emulator(tmp_path, pool) as (_, url):
        rivals = [proving.start_run(tmp_path / name, pool, url) for name in ("one", "two")]
        assert [proving.end(rival) for rival in rivals] == [0, 0]
        answers = proving.Log(tmp_path / "log", pool).answers()
    shares = []
    for name in ("one", "two"):
        journal = proving.Journal(tmp_path / name / "spending.jsonl")
        shares.append(journal.read().total())
    told(answers.total(), "requests, shared", shares)
    assert set(answers.values()) == {1}
    assert answers.total() == sum(shares) >= 2000
    assert min(shares) > 0
    assert proving.results(tmp_path / "one") == proving.results(tmp_path / "two")


def test_over_twenty_kills_with_64_in_flight_the_bill_never_passes_the_cap(tmp_path):
    draw = random.Random(20261125)
    cap = 8.0
    pool = proving.rows(1500)
    with proving.emulator(tmp_path, pool) as (_, url):
        log = proving.Log(tmp_path / "log", pool)
        for number in range(20):
            process = proving.start_run(tmp_path / "out", pool, url, cap=cap)
            until = log.answers().total() + draw.randrange(1, 60)
            working = proving.wait_until(lambda n=until: log.answers().total() >= n, process)
            assert working, f"the budget ended after {number} kills"
            proving.kill(process)
            assert log.billed <= cap
        assert proving.end(proving.start_run(tmp_path / "out", pool, url, cap=cap)) == 1
        log.read()
    assert "would pass the cap" in (tmp_path / "out.said").read_text(encoding="utf-8")
    with Spending(tmp_path / "out" / "spending.jsonl", cap) as budget:
        told("billed", log.billed, "of", cap, "reserved", budget.reserved, "spent", budget.spent)
        assert log.billed <= budget.spent + budget.reserved <= cap
    tokens = {line["thinking_tokens"] + line["answer_tokens"] for line in log.lines}
    assert len(tokens) > 50
    assert log.billed > 0.4 * cap
