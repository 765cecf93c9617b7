"""Whole runs in batch mode, by the library and the command line: planned, rehearsed, taken up."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

import s1data
from s1data import rehearsing
from s1data.acting import replies_home
from s1data.asking.served import place
from s1data.emulator import Emulator, Script
from s1data.errors import RecipeError, RunError, RunStopped
from s1data.models import Request
from s1data.serving import Means
from s1data.store.jobs import JobRecord, end_answered, records

RECIPE = """
name: asked
version: 2026.11.0
sources: [{name: pool, path: pool.parquet}]
models:
  flash: {provider: gemini, model: gemini-2.5-flash, max_tokens: 1000}
stages:
  - add_attempts: {solvers: [flash], samples: 2}
  - keep_random: {as: keep, n: 5, seed: 0}
"""
ROWS = 40
POOL = pl.DataFrame(
    {
        "question": [f"What is {i} + {i + 1}?" for i in range(ROWS)],
        "answer": [str(2 * i + 1) for i in range(ROWS)],
    }
)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def pipeline():
    return s1data.Pipeline.from_yaml(RECIPE)


def run(home, server, **told):
    endpoints = {"flash": (server.url,)}
    means = Means(**({"endpoints": endpoints, "max_usd": 1.0, "batch": True} | told))
    return pipeline().run(home, inputs={"pool": POOL}, means=means)


def calls(server):
    return Counter(entry.call for entry in server.log)


def test_a_run_stops_at_a_job_that_expired_and_the_next_makes_another(tmp_path):
    with Emulator(Script(jobs=("expires",)), answers=POOL) as server:
        with pytest.raises(RunStopped, match="ended as expired without results"):
            run(tmp_path / "run", server)
        assert calls(server)["batch_create"] == 1
        done = run(tmp_path / "run", server)
        assert done.finished
        assert sum(done.manifest["models"]["flash"]["outcomes"].values()) == 2 * ROWS
        assert calls(server)["batch_create"] == 2
        # And now everything is there for a run that asks online.
        sent = len(server.log)
        assert pipeline().run(tmp_path / "online", inputs={"pool": POOL}).finished
        assert len(server.log) == sent


def test_a_run_without_batch_mode_does_not_pay_for_what_a_job_is_under_way_for(tmp_path):
    spec = pipeline().models["flash"]
    request = Request(**dict(spec), prompt="What is 1 + 2?")
    jobs = replies_home() / "jobs"
    JobRecord.begin(jobs, [request], place(spec), datetime.now(UTC).isoformat()).let_go()
    with Emulator(answers=POOL) as server:
        with pytest.raises(RunError, match="1 requests are under way in batch jobs"):
            run(tmp_path / "other", server, batch=False)
        assert len(server.log) == 0


def test_a_rehearsal_in_batch_mode_asks_in_jobs_and_starts_afresh(tmp_path):
    log = tmp_path / "log"
    done = rehearsing.run(
        pipeline(),
        tmp_path / "run",
        rehearse=True,
        inputs={"pool": POOL},
        log=log,
        means=Means(batch=True),
    )
    assert done.finished
    assert done.manifest["rehearsal"] is True
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert sum(line["call"] == "batch_create" for line in lines) == 1
    assert sum(line["call"] == "batch" for line in lines) == 2 * ROWS


def test_batch_mode_is_refused_where_no_model_has_it(tmp_path):
    other = RECIPE.replace("provider: gemini", "provider: openai_compatible")
    with pytest.raises(RecipeError, match="--batch: none of the models"):
        s1data.Pipeline.from_yaml(other).run(
            tmp_path, inputs={"pool": POOL}, means=Means(batch=True)
        )


def command(folder, *words):
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_plans_waves_at_half_the_price(tmp_path):
    POOL.write_parquet(tmp_path / "pool.parquet")
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    plans = {}
    for words in ((), ("--batch",), ("--batch", "--max-usd", "0.05")):
        code, out, err = command(tmp_path, "plan", "r.yaml", "--json", *words)
        assert code == 0, err
        (plans[words],) = json.loads(out)["asking"][0]["estimates"]
    online, batch, capped = plans.values()
    assert online["waves"] is None
    assert batch["usd"][1] == pytest.approx(online["usd"][1] / 2)
    assert [wave["requests"] for wave in batch["waves"]] == [2 * ROWS]
    assert all(wave["maximum"] <= 0.05 for wave in capped["waves"])
    assert len(capped["waves"]) > 1
    _, out, _ = command(tmp_path, "plan", "r.yaml", "--batch", "--max-usd", "0.05")
    assert "batch jobs: " in out
    code, _, err = command(tmp_path, "run", "r.yaml", "--batch-fallback", "online")
    assert code == 2
    assert "add --batch" in err


def test_a_job_whose_replies_are_all_there_is_over_whoever_was_killed_before_it_said_so(tmp_path):
    jobs = tmp_path / "jobs"
    requests = [Request(provider="gemini", model="m", prompt=f"What is {i} + 1?") for i in range(3)]
    JobRecord.begin(
        jobs, requests, ("gemini", "m", None, None), "2026-11-24T10:00:00+00:00"
    ).let_go()
    end_answered(jobs, lambda keys: keys[:2])
    assert [record.count for record in records(jobs)] == [3], "one reply is still to come"
    end_answered(jobs, lambda keys: keys)
    assert records(jobs) == []
