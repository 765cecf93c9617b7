"""Askers through a session to the emulator, by the real SDK, into the real store and budget."""

from __future__ import annotations

from contextlib import contextmanager

import polars as pl
import pytest

from s1data import pool
from s1data.asking import Backoff, Limits, Price, Served, Session, ask_in_rounds
from s1data.emulator import Emulator, Script
from s1data.models import ModelSpec
from s1data.providers import open_model
from s1data.stages.asked_attempts import AddAttempts
from s1data.stages.asked_traces import AddTraces
from s1data.store.replies import ReplyStore
from s1data.store.spending import Spending

QUESTIONS = [f"What is {i} + {i + 1}?" for i in range(60)]
ROWS = pl.DataFrame(
    {
        "question": [*QUESTIONS, None, " "],
        "answer": [str(2 * i + 1) for i in range(60)] + [None] * 2,
    }
)
SMALL = ModelSpec(provider="openai_compatible", model="small", max_tokens=400, seed=1)
TEACHER = ModelSpec(provider="openai_compatible", model="teacher", max_tokens=4000)
SPECS = {"small": SMALL, "teacher": TEACHER}
PRICE = Price(
    provider="openai_compatible", model="small", prompt=1.0, output=10.0, date="d", source="s"
)
ATTEMPTS = AddAttempts(solvers=("small",), samples=2)
TRACES = AddTraces(teachers=("teacher",))


@pytest.fixture(scope="module")
def script():
    return Script().with_models("solver", {"small": 0.5}).with_models("teacher", {"teacher": 0.9})


@contextmanager
def session(home, url, cap=None, price=None, **limits):
    with ReplyStore(home / "replies") as store, Spending(home / "spending", cap) as budget:
        served = [
            Served(
                name=name,
                spec=spec,
                model=open_model(spec, [url], "a-key", 5.0),
                limits=Limits(**limits),
                price=price,
            )
            for name, spec in SPECS.items()
        ]
        with Session(served, store, budget, backoff=Backoff(first=0.01, most=0.05)) as opened:
            yield opened, budget


def answered(emulator):
    """What was answered of the questions; the check before paying asks something else."""
    ids = {pool.question_id(question) for question in QUESTIONS}
    return [entry for entry in emulator.log if entry.answered and entry.question in ids]


@pytest.mark.parametrize(("asker", "sends"), [(ATTEMPTS, 120), (TRACES, 60)], ids=["a", "t"])
def test_every_question_is_asked_once_and_never_again(tmp_path, script, asker, sends):
    with Emulator(script, answers=ROWS.drop_nulls()) as emulator:
        with session(tmp_path, emulator.openai_url) as (opened, _):
            first = ask_in_rounds(asker, ROWS, SPECS, opened)
        assert first.open == {}
        assert first.stopped is None
        assert len(first.keys) == sends
        before = len(emulator.log)
        with session(tmp_path, emulator.openai_url) as (opened, _):
            again = ask_in_rounds(asker, ROWS, SPECS, opened)
            shuffled = ROWS.sample(fraction=1.0, shuffle=True, seed=3)
            other = ask_in_rounds(asker, shuffled, SPECS, opened)
        assert len(emulator.log) == before
    assert again.columns.equals(first.columns)
    name = first.columns.columns[0]
    by_question = dict(zip(ROWS["question"], first.columns[name].to_list(), strict=True))
    assert other.columns[name].to_list() == [by_question[q] for q in shuffled["question"]]
    assert by_question[None] == by_question[" "] == []


def test_one_more_row_sends_one_more_request(tmp_path, script):
    with Emulator(script, answers=ROWS.drop_nulls()) as emulator:
        with session(tmp_path, emulator.openai_url) as (opened, _):
            ask_in_rounds(TRACES, ROWS.head(20), SPECS, opened)
        before = len(answered(emulator))
        with session(tmp_path, emulator.openai_url) as (opened, _):
            ask_in_rounds(TRACES, ROWS.head(21), SPECS, opened)
        assert len(answered(emulator)) == before + 1


def test_under_faults_every_row_ends_in_a_reply_or_a_named_outcome(tmp_path, script):
    faults = {"overloaded": 0.1, "server_error": 0.05, "drop_before": 0.05, "empty_answer": 0.05}
    stormy = script.with_faults(faults)
    with Emulator(stormy, answers=ROWS.drop_nulls()) as emulator:
        for _ in range(4):
            with session(tmp_path, emulator.openai_url) as (opened, _):
                asked = ask_in_rounds(ATTEMPTS, ROWS, SPECS, opened)
            if not asked.open:
                break
    assert asked.open == {}
    lists = asked.columns["attempts"].to_list()
    assert [len(attempts) for attempts in lists] == [2] * 60 + [0, 0]
    for attempt in (attempt for attempts in lists for attempt in attempts):
        assert (attempt["extracted"] is not None) <= (attempt["finish"] == "ok")


@pytest.mark.parametrize("cap", [0.0005, 0.02, 0.05])
def test_the_bill_never_passes_the_cap(tmp_path, script, cap):
    with Emulator(script, answers=ROWS.drop_nulls()) as emulator:
        opened_with = {"cap": cap, "price": PRICE}
        with session(tmp_path, emulator.openai_url, **opened_with) as (opened, budget):
            asked = ask_in_rounds(ATTEMPTS, ROWS, SPECS, opened)
            assert budget.spent + budget.reserved <= cap
        billed = sum(
            PRICE.usd(sums.prompt_tokens, sums.thinking_tokens + sums.answer_tokens)
            for sums in emulator.bill.values()
        )
        assert billed <= cap
    assert (asked.stopped is not None) == bool(asked.open)
    if asked.stopped is not None:
        assert asked.stopped.reason == "budget"


def test_a_budget_too_small_for_the_check_sends_nothing_at_all(tmp_path, script):
    with Emulator(script, answers=ROWS.drop_nulls()) as emulator:
        with session(tmp_path, emulator.openai_url, cap=1e-6, price=PRICE) as (opened, budget):
            asked = ask_in_rounds(ATTEMPTS, ROWS, SPECS, opened)
            assert budget.spent == budget.reserved == 0
        assert [entry for entry in emulator.log if entry.call == "chat"] == []
    assert asked.stopped.reason == "budget"
    assert len(asked.open) == 120


def test_columns_do_not_depend_on_how_many_are_asked_at_once(tmp_path, script):
    found = []
    with Emulator(script, answers=ROWS.drop_nulls()) as emulator:
        for width in (1, 16):
            home = tmp_path / str(width)
            with session(home, emulator.openai_url, concurrency=width) as (opened, _):
                rows = ROWS.with_row_index().sample(fraction=1.0, shuffle=True, seed=width)
                asked = ask_in_rounds(ATTEMPTS, rows.drop("index"), SPECS, opened)
            found.append(rows.select("index").hstack(asked.columns).sort("index"))
    assert found[0].equals(found[1])


@pytest.mark.parametrize(("rows", "sent"), [(8, 8), (60, 8)])
def test_a_teacher_that_returns_summaries_is_stopped_after_the_first_rows(tmp_path, rows, sent):
    summarising = Script.of({"models": {"teacher": {"role": "teacher", "trace": "summary"}}})
    with Emulator(summarising, answers=ROWS.drop_nulls()) as emulator:
        with session(tmp_path, emulator.openai_url) as (opened, _):
            asked = ask_in_rounds(TRACES, ROWS.head(rows), SPECS, opened)
        assert len(answered(emulator)) == sent
        assert asked.stopped.reason == "not_accepted"
        assert "summary" in asked.stopped.message
        assert len(asked.open) == rows - sent
        either = AddTraces(teachers=("teacher",), accept=("raw", "summary"))
        with session(tmp_path, emulator.openai_url) as (opened, _):
            asked = ask_in_rounds(either, ROWS.head(rows), SPECS, opened)
        assert (asked.stopped, asked.open) == (None, {})
        assert len(answered(emulator)) == rows
