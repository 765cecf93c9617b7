"""Whole runs that ask models: what is asked, what is asked again, and where a run stops."""

from __future__ import annotations

import json
from typing import ClassVar

import polars as pl
import pytest

import s1data
from s1data.emulator import Emulator, Script
from s1data.emulator.script import Planned
from s1data.errors import BudgetError, RecipeError, RunStopped
from s1data.models import ModelError
from s1data.serving import Means
from s1data.stages.asked_attempts import AddAttempts

RECIPE = """
name: asked
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  small: {provider: openai_compatible, model: small-8b, max_tokens: 400}
  teacher: {provider: openai_compatible, model: big-70b, max_tokens: 4000}
stages:
  - add_attempts: {solvers: [small], samples: 2}
  - add_grades: {of: attempts}
  - drop_solved: {rule: all, unknown: keep}
  - add_traces: {teachers: [teacher]}
  - keep_random: {as: keep, n: 5, seed: 0}
"""
ROWS = 30


def pool(numbers):
    return pl.DataFrame(
        {
            "question": [f"What is {i} + {i + 1}?" for i in numbers],
            "answer": [str(2 * i + 1) for i in numbers],
        }
    )


POOL = pool(range(ROWS))


class LoudAttempts(AddAttempts):
    """Reads the same replies another way."""

    revision: ClassVar[int] = 2

    def columns(self, rows, known):
        said = (pl.lit("!") + pl.field("extracted")).alias("extracted")
        loud = pl.element().struct.with_fields(said)
        return super().columns(rows, known).with_columns(pl.col("attempts").list.eval(loud))


SCRIPT = Script().with_models("solver", {"small-8b": 0.5}).with_models("teacher", {"big-70b": 0.9})


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def emulator():
    with Emulator(SCRIPT, answers=pool(range(ROWS + 1))) as server:
        yield server


def means(server, *names, **more):
    url = server if isinstance(server, str) else server.openai_url
    names = names or ("small", "teacher")
    return Means(**({"endpoints": dict.fromkeys(names, (url,)), "no_price": True} | more))


def run(home, frame=POOL, recipe=RECIPE, **options):
    return s1data.Pipeline.from_yaml(recipe).run(home, inputs={"pool": frame}, **options)


def asked(server):
    """Questions of the pool that were sent, with their model; not the check before paying."""
    return [(e.model, e.question) for e in server.log if "+" in prompts(server).get(e.question, "")]


def prompts(server):
    from s1data.emulator.words import text_id

    return {text_id(q): q for q in pool(range(ROWS + 1))["question"]}


def test_from_questions_to_a_set_with_its_texts(tmp_path, emulator):
    done = run(tmp_path / "run", means=means(emulator))
    assert done.finished
    assert done.selected.height == 5
    for traces in done.selected["traces"].to_list():
        (trace,) = traces
        assert trace["teacher"] == "teacher"
        assert trace["thinking"]
        assert trace["answer"]
    said = done.manifest
    assert said["rehearsal"] is False
    assert said["open"] == 0
    assert said["models"]["small"]["requests"] == 2 * ROWS
    assert said["models"]["small"]["outcomes"] == {"ok": 2 * ROWS}
    assert said["models"]["teacher"]["origins"] == {"live": said["models"]["teacher"]["requests"]}
    taught = said["stages"][-1]["rows_in"]
    assert len(asked(emulator)) == 2 * ROWS + taught


def test_what_is_in_the_store_is_not_asked_again(tmp_path, emulator):
    """One row more: its requests only. Another order, another parser, another run: none."""
    first = run(tmp_path / "first", means=means(emulator))
    before, sent = len(emulator.log), len(asked(emulator))
    again = run(tmp_path / "again")  # no model, no key: everything is in the store
    assert again.finished
    assert again.selected.equals(first.selected)
    shuffled = run(tmp_path / "shuffled", POOL.sample(fraction=1.0, shuffle=True, seed=3))
    assert shuffled.selected.equals(first.selected)
    stages = s1data.Pipeline.from_yaml(RECIPE).stages
    parsed = s1data.Pipeline.from_yaml(RECIPE).model_copy(
        update={"stages": (LoudAttempts(solvers=("small",), samples=2, as_="loud"), *stages[1:])}
    )
    parsed.run(tmp_path / "parsed", inputs={"pool": POOL}, until="loud")
    heard = pl.read_parquet(tmp_path / "parsed/stages/01-loud/columns.parquet")["attempts"]
    assert set(heard.explode().struct["extracted"].str.slice(0, 1)) == {"!"}
    assert len(emulator.log) == before
    one_more = run(tmp_path / "more", pool(range(ROWS + 1)), means=means(emulator))
    taught = one_more.manifest["models"]["teacher"]["sent"]
    assert one_more.manifest["models"]["small"]["sent"] == 2
    assert taught in (0, 1)
    assert len(asked(emulator)) == sent + 2 + taught


def test_stops_before_the_model_that_nobody_serves(tmp_path, emulator):
    with pytest.raises(
        RunStopped, match=r"stopped before add_traces.*--model teacher=http"
    ) as stop:
        run(tmp_path / "run", means=means(emulator, "small"))
    assert "big-70b" in str(stop.value)
    assert {model for model, _ in asked(emulator)} == {"small-8b"}
    assert not (tmp_path / "run" / "manifest.json").exists()
    before = len(asked(emulator))
    done = run(tmp_path / "run", means=means(emulator, "teacher"))
    assert done.finished
    assert {model for model, _ in asked(emulator)[before:]} == {"big-70b"}


def test_says_before_anything_runs_what_cannot_be_asked(tmp_path):
    class Heard(s1data.progress.Silent):
        def __init__(self):
            self.said = []

        def say(self, text):
            self.said.append(text)

    heard = Heard()
    with pytest.raises(RunStopped, match="0 of 60 requests have a reply"):
        run(tmp_path / "run", tell=heard)
    assert len([text for text in heard.said if "start a server for" in text]) == 2


def test_a_rehearsal_stays_in_its_run_and_says_so(tmp_path, emulator):
    home = tmp_path / "run"
    rehearsed = run(home, rehearse=True)
    assert rehearsed.manifest["rehearsal"] is True
    assert set(rehearsed.manifest["models"]["small"]["origins"]) == {"rehearsal"}
    assert (home / "rehearsal" / "replies").is_dir()
    assert not (tmp_path / "cache" / "replies").exists()
    # Now for real, in the same directory: every key is asked, and nothing rehearsed comes out.
    live = run(home, means=means(emulator))
    assert live.manifest["rehearsal"] is False
    taught = live.manifest["models"]["teacher"]["requests"]
    assert len(asked(emulator)) == 2 * ROWS + taught
    assert set(live.manifest["models"]["teacher"]["origins"]) == {"live"}
    # And a rehearsal of what was paid for asks its own models, not the store of paid replies.
    again = run(tmp_path / "second", rehearse=True)
    assert set(again.manifest["models"]["small"]["origins"]) == {"rehearsal"}


def test_a_recipe_may_be_a_rehearsal_of_itself(tmp_path, emulator):
    recipe = RECIPE.replace("version: 2026.11.0", "version: 2026.11.0\nrehearsal: true")
    assert run(tmp_path / "a", recipe=recipe).manifest["rehearsal"] is True
    assert "rehearsal: true" in (tmp_path / "a" / "pipeline.yaml").read_text()
    live = run(tmp_path / "b", recipe=recipe, means=means(emulator))
    assert live.manifest["rehearsal"] is False


def test_a_given_up_request_is_named_and_taken_up_by_the_next_run(tmp_path):
    silent = SCRIPT.model_copy(
        update={"planned": (Planned(fault="hang", contains="What is 7 + 8?", times=None),)}
    )
    with Emulator(silent, answers=POOL) as server:
        one = means(server, timeout=1.0)
        done = run(tmp_path / "run", means=one)
        assert done.finished
        assert done.manifest["open"] >= 2
        assert done.manifest["models"]["small"]["open"] == {"timeout": 2}
        attempts = pl.read_parquet(tmp_path / "run/stages/01-add_attempts/columns.parquet")
        finishes = attempts.filter(row=7)["attempts"].to_list()[0]
        assert [attempt["finish"] for attempt in finishes] == ["timeout", "timeout"]
        server.follow(SCRIPT)
        before = len(server.log)
        whole = run(tmp_path / "run", means=one)
        assert whole.manifest["open"] == 0
        again = {e.question for e in server.log[before:]} & set(prompts(server))
        assert len(again) == 1
    fresh = tmp_path / "cache2"
    with Emulator(SCRIPT, answers=POOL) as server:
        uninterrupted = run(tmp_path / "other", means=means(server, store=fresh))
    assert whole.selected.equals(uninterrupted.selected)


def test_money_is_asked_for_before_it_is_spent(tmp_path, emulator):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai_compatible"\nmodel = "big-70b"\nprompt = 1.0\noutput = 10.0\n'
        'date = "2026-11"\nsource = "a test"\n'
        '[[price]]\nprovider = "openai_compatible"\nmodel = "small-8b"\nprompt = 0.0\noutput = 0.0\n'
        'date = "2026-11"\nsource = "a test"\n'
    )
    priced = {"no_price": False, "prices": [prices]}
    with pytest.raises(BudgetError, match="no price is known for small-8b"):
        run(tmp_path / "run", means=means(emulator, no_price=False))
    with pytest.raises(BudgetError, match=r"costs \$1 a million prompt tokens.*--max-usd"):
        run(tmp_path / "run", means=means(emulator, **priced))
    assert list(emulator.log) == []
    with pytest.raises(RunStopped, match=r"would pass the cap of 0\.03: nothing was sent"):
        run(tmp_path / "run", means=means(emulator, max_usd=0.03, **priced))
    done = run(tmp_path / "run", means=means(emulator, max_usd=5.0, **priced))
    spent = done.manifest["spent"]
    assert spent["cap"] == 5.0
    assert 0 < done.manifest["models"]["teacher"]["usd"] < spent["usd"] < 5.0


def test_nothing_is_sent_when_one_model_cannot_answer(tmp_path, emulator):
    with pytest.raises(ModelError, match=r"model teacher at .*see that the server runs"):
        run(
            tmp_path / "run",
            means=means(
                emulator,
                endpoints={
                    "small": (emulator.openai_url,),
                    "teacher": ("http://127.0.0.1:9/v1",),
                },
            ),
        )
    assert asked(emulator) == []
    with pytest.raises(RecipeError, match="nearest: small"):
        run(tmp_path / "run", means=means(emulator, "smal"))


def test_the_record_lists_every_key_that_was_used(tmp_path, emulator):
    done = run(tmp_path / "run", means=means(emulator))
    folder = tmp_path / "run/stages/01-add_attempts"
    listed = pl.read_parquet(folder / "replies.parquet")
    used = pl.read_parquet(folder / "columns.parquet")["attempts"].explode().struct["reply_key"]
    assert set(listed["key"]) == set(used)
    assert listed["open"].null_count() == listed.height
    record = json.loads((folder / "record.json").read_text())
    assert record["open"] == {}
    assert "small" in record["payload"]["models"]
    assert done.manifest["models"]["small"]["requests"] == listed.height
