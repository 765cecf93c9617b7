"""A round as batch jobs: the same replies for half the price, and an end for every job."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data.asking import Batching, waves
from s1data.asking.batching import Cost
from s1data.emulator import Emulator, Script
from s1data.errors import RecipeError
from s1data.models import ModelSpec, Outcome, Thinking
from s1data.pool import question_ids
from s1data.providers import open_batches, open_model
from s1data.stages.asked_traces import AddTraces
from s1data.store.replies import ReplyStore
from tests.asking import batches

ROWS = batches.rows(12)


def emulator(answers=ROWS, **told):
    return Emulator(Script.of(batches.SCRIPT | told), answers=answers)


def calls(server):
    return Counter(entry.call for entry in server.log)


def of_rows(server, pool=ROWS):
    """What was asked of the pool's questions; the check before paying asks something else."""
    ids = set(question_ids(pool["question"]))
    return [entry for entry in server.log if entry.question in ids]


def asked_for(server):
    """How often each request was answered, by what the service could tell them apart by."""
    return Counter(entry.material for entry in of_rows(server) if entry.answered)


def stored(home):
    with ReplyStore(home / "replies") as store:
        return store.narrow()


@pytest.mark.parametrize("count", [12, 80], ids=["inlined", "uploaded"])
@pytest.mark.parametrize("first", [True, False], ids=["batch first", "online first"])
def test_a_reply_is_the_same_in_batch_and_online_and_never_asked_for_in_both(
    tmp_path, count, first
):
    pool = batches.rows(count)
    with emulator(pool) as server:
        one, _ = batches.ask(tmp_path, server.url, pool, batch=first)
        kind = "batch" if first else "generate"
        assert [entry.call for entry in of_rows(server, pool)] == [kind] * 2 * count
        assert calls(server)["upload"] == (2 if first and count == 80 else 0)
        usd = server.bill["big"].usd
        other, _ = batches.ask(tmp_path, server.url, pool, batch=not first)
        assert server.bill["big"].usd == usd
        assert (one.open, other.open) == ({}, {})
        assert one.columns.equals(other.columns)
        # Asked anew the other way round, it is the same bytes at half, or double, the price.
        apart, _ = batches.ask(tmp_path / "apart", server.url, pool, batch=not first)
        assert apart.columns.equals(one.columns)
        ratio = 2.0 if first else 0.5
        assert apart.figures["big"]["usd"] == pytest.approx(one.figures["big"]["usd"] * ratio)


SETTINGS = {
    "all of them": {
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ("END",),
        "seed": 3,
        "thinking": Thinking(budget=100),
        "safety": "off",
        "extra": {"top_k": 4, "presence_penalty": 0.5, "frequency_penalty": 0.25},
    },
    "a level": {"thinking": Thinking(level="high", include=False)},
    "a field of one's own": {"extra": {"cachedContent": "none"}},
}


@pytest.mark.parametrize("count", [6, 40], ids=["inlined", "uploaded"])
@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_sent_in_a_job_is_what_is_sent_online(tmp_path, name, count):
    spec = ModelSpec(provider="gemini", model="big", max_tokens=200, **SETTINGS[name])
    pool = batches.rows(count)
    sent = {}
    with emulator(pool) as server:
        for batch in (True, False):
            before = len(server.log)
            batches.ask(tmp_path / str(batch), server.url, pool, spec=spec, batch=batch)
            sent[batch] = {one.material for one in of_rows(server, pool) if one.number > before}
    assert sent[True] == sent[False]
    assert len(sent[True]) == 2 * count


STUCK = {"stuck_after": 0.05}


@pytest.mark.parametrize(
    ("fate", "fallback", "settings", "made", "online", "opened"),
    [
        ("expires", "stop", {}, 1, 0, 24),
        ("fails", "stop", {}, 1, 0, 24),
        ("stuck", "stop", STUCK, 1, 0, 24),
        ("expires", "wait", {}, 2, 0, 0),
        ("fails", "wait", {}, 2, 0, 0),
        ("expires", "online", {}, 1, 24, 0),
        ("fails", "online", {}, 1, 24, 0),
        ("stuck", "online", STUCK, 1, 24, 0),
        ("partial", "stop", {}, 2, 0, 0),
        ("partial", "online", {"tries": 1}, 1, 12, 0),
        ("partial", "stop", {"tries": 1}, 1, 0, 12),
    ],
)
def test_every_job_that_ends_badly_has_its_fallback(
    tmp_path, fate, fallback, settings, made, online, opened
):
    with emulator(jobs=[fate]) as server:
        asked, budget = batches.ask(tmp_path, server.url, ROWS, fallback=fallback, **settings)
        assert calls(server)["batch_create"] == made
        assert sum(entry.call == "generate" for entry in of_rows(server)) == online
        assert len(asked.open) == opened
        assert (asked.stopped is not None) == (opened == 24)
        if asked.stopped is not None:
            assert asked.stopped.reason == "batch"
            assert "batches/" in asked.stopped.message
            assert "--batch-fallback" in asked.stopped.message
        assert calls(server)["batch_cancel"] == (
            1 if (fate, fallback) == ("stuck", "online") else 0
        )
        # What is over and has answered nothing holds no money; what may yet be answered does.
        assert (budget.reserved > 0) == ((fate, fallback) == ("stuck", "stop"))
        # The next run goes on from there, whatever it was.
        again, _ = batches.ask(tmp_path, server.url, ROWS, fallback="online", **settings)
        assert (again.open, again.stopped) == ({}, None)
        assert set(asked_for(server).values()) == {1}
    assert stored(tmp_path).height == 24
    assert not list((tmp_path / "replies" / "jobs").iterdir())


FAULTS = {
    "safety": Outcome.SAFETY,
    "recitation": Outcome.RECITATION,
    "prohibited": Outcome.PROHIBITED,
    "cut_answering": Outcome.CUT_ANSWERING,
    "empty_answer": Outcome.EMPTY,
    "no_candidates": Outcome.EMPTY,
}


def test_rows_that_fail_inside_a_job_get_the_outcome_that_they_get_online(tmp_path):
    planned = [
        {"fault": fault, "contains": f"What is {number} times", "times": None}
        for number, fault in enumerate(FAULTS)
    ]
    found = {}
    with emulator(planned=planned) as server:
        for batch in (True, False):
            asked, _ = batches.ask(tmp_path / str(batch), server.url, ROWS, batch=batch)
            assert asked.open == {}
            found[batch] = [
                [attempt["finish"] for attempt in row] for row in asked.columns["attempts"]
            ]
    assert found[True] == found[False]
    expected = [[outcome.value] * 2 for outcome in FAULTS.values()] + [["ok"] * 2] * 6
    assert found[True] == expected


def test_a_job_whose_making_was_not_answered_is_found_again_and_not_made_twice(tmp_path):
    with emulator(job_answer_seconds=2.5) as server:
        asked, budget = batches.ask(tmp_path, server.url, ROWS, timeout=1.5)
        assert asked.open == {}
        assert calls(server)["batch_create"] == 1
        assert calls(server)["batches"] >= 1
        assert budget.reserved == 0


def test_a_teacher_that_summarises_is_stopped_before_a_job_is_made(tmp_path):
    script = {"big": {"role": "teacher", "trace": "summary"}}
    spec = ModelSpec(
        provider="gemini", model="big", max_tokens=3000, thinking=Thinking(budget=1000)
    )
    with emulator(models=script) as server:
        told = {"asker": AddTraces(teachers=("big",)), "spec": spec}
        asked, _ = batches.ask(tmp_path, server.url, ROWS, **told)
        assert (asked.stopped.reason, calls(server)["batch_create"]) == ("not_accepted", 0)
        assert len(asked.open) == 4
        either = AddTraces(teachers=("big",), accept=("raw", "summary"))
        asked, _ = batches.ask(tmp_path, server.url, ROWS, **(told | {"asker": either}))
        assert (asked.open, calls(server)["batch_create"]) == ({}, 1)
        assert set(asked_for(server).values()) == {1}


@pytest.mark.parametrize("cap", [0.0005, 0.004, 0.02, 0.1])
def test_waves_keep_to_what_is_left_of_the_budget(tmp_path, cap):
    with emulator() as server:
        asked, budget = batches.ask(tmp_path, server.url, ROWS, cap=cap)
        assert budget.spent + budget.reserved <= cap
        assert sum(bill.usd for bill in server.bill.values()) <= cap
        made = calls(server)["batch_create"]
        assert (made > 1) == (cap in {0.004, 0.02})
        if cap == 0.1:
            assert (made, asked.open) == (1, {})
        else:
            assert asked.open == {} or asked.stopped.reason == "budget"
        more, _ = batches.ask(tmp_path, server.url, ROWS, cap=1.0)
        assert more.open == {}
        assert set(asked_for(server).values()) == {1}


def test_a_wave_is_no_larger_than_it_was_set_to_be(tmp_path):
    with emulator() as server:
        asked, _ = batches.ask(tmp_path, server.url, ROWS, wave_requests=10)
        assert asked.open == {}
        per_job = Counter(entry.job for entry in server.log if entry.call == "batch")
        assert sorted(per_job.values()) == [4, 10, 10]


COSTS = st.lists(
    st.builds(
        lambda most, share, size: Cost(most, most * share, size),
        st.floats(0, 5),
        st.floats(0, 1),
        st.integers(1, 100),
    ),
    max_size=30,
)


@given(COSTS, st.none() | st.floats(0, 40), st.none() | st.floats(0.1, 10), st.integers(1, 8))
def test_a_plan_of_waves_keeps_to_its_limits_and_leaves_out_nothing_that_fits(
    costs, room, most, requests
):
    batching = Batching(folder=Path("jobs"), wave_usd=most, wave_requests=requests, wave_bytes=300)
    found = waves(costs, room, batching)
    at, left = 0, room
    for wave in found:
        mine = costs[at : at + wave.requests]
        assert 1 <= len(mine) == wave.requests <= requests
        assert sum(one.size for one in mine) <= 300
        assert wave.maximum >= sum(one.maximum for one in mine)
        assert most is None or wave.maximum <= most or wave.requests == 1
        if left is not None:
            assert wave.maximum <= left
            left -= wave.expected
        at += wave.requests
    if at < len(costs):
        assert left is not None
        assert costs[at].maximum + 1e-9 > left


def test_a_service_without_batch_mode_says_so():
    spec = ModelSpec(provider="openai_compatible", model="m")
    with pytest.raises(RecipeError, match="batch mode is there for gemini only"):
        open_batches(spec, open_model(spec, ["http://127.0.0.1:1/v1"]))


def test_columns_do_not_depend_on_the_order_of_rows(tmp_path):
    with emulator() as server:
        one, _ = batches.ask(tmp_path, server.url, ROWS)
        shuffled = ROWS.with_row_index().sample(fraction=1.0, shuffle=True, seed=3)
        other, _ = batches.ask(tmp_path / "other", server.url, shuffled.drop("index"))
    back = shuffled.select("index").hstack(other.columns).sort("index").drop("index")
    assert back.equals(one.columns)
