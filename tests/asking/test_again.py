"""Replies that are none, asked again because somebody says so."""

from __future__ import annotations

import polars as pl
import pytest

from s1data import rehearsing
from s1data.cli import main
from s1data.emulator import Emulator
from s1data.emulator.script import Fault, Planned
from s1data.models import Outcome, Reply
from s1data.recipe import Pipeline
from s1data.serving import Means
from s1data.store import ReplyStore
from tests.asking.test_runs import POOL, RECIPE, ROWS, SCRIPT, asked, means, run

NONE = SCRIPT.model_copy(
    update={
        "planned": (
            Planned(fault=Fault.EMPTY_BODY, contains="What is 3 + 4?", times=None),
            Planned(fault=Fault.SAFETY, contains="What is 5 + 6?", times=None),
        )
    }
)


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))


def exit_code(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def outcomes(done):
    return done.manifest["models"]["small"]["outcomes"]


def test_a_finished_run_asks_once_more_only_what_it_is_told_to(tmp_path):
    home = tmp_path / "run"
    with Emulator(NONE, answers=POOL) as server:
        done = run(home, means=means(server))
        assert outcomes(done) == {"empty": 2, "ok": 2 * ROWS - 4, "safety": 2}
        server.follow(SCRIPT)
        before = len(asked(server))
        assert outcomes(run(home, means=means(server))) == outcomes(done)
        assert len(asked(server)) == before
        planned = rehearsing.plan(
            Pipeline.from_yaml(RECIPE),
            home,
            inputs={"pool": POOL},
            means=means(server, ask_again=[Outcome.EMPTY]),
        )
        first = planned.asking[0].estimates[0]
        assert (first.requests, first.cached) == (2 * ROWS, 2 * ROWS - 2)
        means_again = means(server, ask_again=[Outcome.EMPTY, Outcome.MALFORMED])
        done = run(home, means=means_again)
        assert outcomes(done) == {"ok": 2 * ROWS - 2, "safety": 2}
        small = [model for model, _ in asked(server)[before:] if model == "small-8b"]
        assert len(small) == 2
        sent = len(server.log)
        assert outcomes(run(home, means=means_again)) == outcomes(done)
        assert outcomes(run(home, means=means(server))) == outcomes(done)
        assert len(server.log) == sent


def test_what_is_none_again_counts_in_place_of_what_was_there_and_an_answer_is_kept(tmp_path):
    home = tmp_path / "run"
    with Emulator(NONE, answers=POOL) as server:
        run(home, means=means(server))
        before = len(asked(server))
        again = run(home, means=means(server, ask_again=[Outcome.SAFETY]))
        assert outcomes(again) == {"empty": 2, "ok": 2 * ROWS - 4, "safety": 2}
        assert len([m for m, _ in asked(server)[before:] if m == "small-8b"]) == 2
    with ReplyStore(tmp_path / "cache" / "replies") as store:
        kept = store.narrow()
        assert kept["key"].is_unique().all()


def test_an_answer_that_came_meanwhile_is_never_hidden(tmp_path):
    from s1data.asking.again import AskedAgain

    none = Reply(key="k", provider="p", model="m", outcome=Outcome.EMPTY, asked="2026-01-01")
    good = Reply(key="k", provider="p", model="m", outcome=Outcome.OK, asked="2026-01-02")
    with ReplyStore(tmp_path / "replies") as store:
        store.put([none])
        shown = AskedAgain(store, [Outcome.EMPTY])
        assert shown.get(["k"]) == {}
        assert shown.has(["k"]) == set()
        store.put([good])
        assert shown.get(["k"])["k"].outcome is Outcome.OK
        assert shown.has(["k"]) == {"k"}


@pytest.mark.parametrize("word", ["ok", "summary", "timeout", "emty"])
def test_answers_and_open_requests_are_refused(tmp_path, monkeypatch, capsys, word):
    monkeypatch.chdir(tmp_path)
    code = exit_code("run", "quickstart", "--ask-again", f"empty,{word}")
    told = capsys.readouterr().err
    assert code == 2
    assert told.count("\n") == 1
    assert f"--ask-again {word}" in told


def test_the_same_stage_twice_counts_its_requests_once(tmp_path):
    recipe = RECIPE.replace(
        "  - add_grades",
        "  - add_attempts: {as: again, solvers: [small], samples: 2}\n  - add_grades",
    )
    with Emulator(SCRIPT, answers=POOL) as server:
        done = run(tmp_path / "run", recipe=recipe, means=means(server))
    small = done.manifest["models"]["small"]
    assert (small["requests"], small["sent"]) == (2 * ROWS, 2 * ROWS)
    assert sum(small["outcomes"].values()) == 2 * ROWS


def test_a_pilot_asks_the_models_that_are_served_and_fails_where_none_is(tmp_path):
    recipe = RECIPE.replace("solvers: [small]", "solvers: [small, other]").replace(
        "  teacher:", "  other: {provider: openai_compatible, model: other-8b}\n  teacher:"
    )
    pipeline = Pipeline.from_yaml(recipe)

    def plan(name, **given):
        options = {"inputs": {"pool": POOL}, "pilot": 4}
        return rehearsing.plan(pipeline, tmp_path / name, means=Means(**given), **options)

    with Emulator(SCRIPT, answers=POOL) as server:
        served = {"small": (server.openai_url,)}
        found = plan("run", endpoints=served, no_price=True)
        assert {model for model, _ in asked(server)} == {"small-8b"}
        assert len(asked(server)) == 8
    assert found.failed == ""
    assert "model other: start a server" in found.asking[0].said
    assert "no pilot was asked of add_attempts" in plan("none").failed


def test_a_pilot_that_gets_no_reply_ends_with_one_line_and_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    POOL.write_parquet("pool.parquet")
    (tmp_path / "mine.yaml").write_text(RECIPE.replace("unused.parquet", "pool.parquet"))
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    refuses = SCRIPT.model_copy(
        update={"planned": (Planned(fault=Fault.UNAUTHORISED, times=None),)}
    )
    with Emulator(refuses, answers=POOL) as server:
        small = f"small={server.openai_url}"
        code = exit_code("plan", "mine.yaml", "--pilot", "2", "--no-price", "--model", small)
    told = capsys.readouterr()
    assert code == 1
    (line,) = told.err.splitlines()
    assert line.startswith("s1data: ")
    assert "OPENAI_API_KEY" in line


def test_ask_asks_once_more_for_the_rows_that_it_is_told_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    POOL.write_parquet("q.parquet")

    def column():
        return dict(pl.read_parquet("t.parquet")["trace_outcome"].value_counts().iter_rows())

    with Emulator(NONE, answers=POOL) as server:
        model = f"openai_compatible:big-70b@{server.openai_url}"
        call = ["ask", "q.parquet", "--no-price", "--out", "t.parquet", "--model", model]
        exit_code(*call)
        first, before = column(), len(asked(server))
        assert first == {"ok": ROWS - 2, "empty": 1, "safety": 1}
        server.follow(SCRIPT)
        exit_code(*call)
        assert (column(), len(asked(server))) == (first, before)
        assert exit_code(*call, "--ask-again", "empty") == 0
        assert column() == {"ok": ROWS - 1, "safety": 1}
        assert len(asked(server)) == before + 1
        assert exit_code(*call, "--ask-again", "empty,safety") == 0
        assert column() == {"ok": ROWS}
        assert len(asked(server)) == before + 2


def test_a_batch_job_asks_once_more_only_what_it_is_told_to(tmp_path):
    recipe = Pipeline.from_yaml(
        RECIPE.replace("openai_compatible, model: small-8b", "gemini, model: gemini-2.5-flash")
        .replace("max_tokens: 400}", "max_tokens: 4000}")
        .replace("  - add_traces: {teachers: [teacher]}\n", "")
        .replace("  teacher: {provider: openai_compatible, model: big-70b, max_tokens: 4000}\n", "")
    )
    unlike = NONE.model_copy(update={"planned": NONE.planned[1:]})

    def run(server, **more):
        given = Means(endpoints={"small": (server.url,)}, max_usd=1.0, batch=True, **more)
        return outcomes(recipe.run(tmp_path / "run", inputs={"pool": POOL}, means=given))

    def jobs(server):
        return [entry.call for entry in server.log].count("batch")

    with Emulator(unlike, answers=POOL) as server:
        assert run(server) == {"ok": 2 * ROWS - 2, "safety": 2}
        server.follow(SCRIPT)
        before = jobs(server)
        assert before == 2 * ROWS
        assert run(server, ask_again=[Outcome.SAFETY]) == {"ok": 2 * ROWS}
        assert jobs(server) == before + 2
