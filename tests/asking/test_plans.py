"""What a plan says that asking would cost, and how that compares with what it did cost."""

from __future__ import annotations

import polars as pl
import pytest

import s1data
from s1data import rehearsing
from s1data.emulator import Emulator, Script
from s1data.serving import Means
from tests.asking.test_runs import POOL, RECIPE, ROWS, SCRIPT, asked

PRICES = "\n".join(
    f'[[price]]\nprovider = "openai_compatible"\nmodel = "{name}"\nprompt = 1.0\noutput = 10.0\n'
    'date = "2026-11"\nsource = "a test"\n'
    for name in ("small-8b", "big-70b")
)


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def means(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)

    def made(server=None):
        ends = dict.fromkeys(("small", "teacher"), (server.openai_url,)) if server else {}
        return Means(endpoints=ends, max_usd=50.0, prices=[prices])

    return made


def plan(home, **options):
    pipeline = s1data.Pipeline.from_yaml(RECIPE)
    return rehearsing.plan(pipeline, home, inputs={"pool": POOL}, **options)


def run(home, **options):
    return s1data.Pipeline.from_yaml(RECIPE).run(home, inputs={"pool": POOL}, **options)


def test_counts_what_would_be_sent_and_sends_nothing(tmp_path, means):
    with Emulator(SCRIPT, answers=POOL) as server:
        found = plan(tmp_path / "run", means=means(server))
        assert list(server.log) == []
    attempts, traces = found.asking
    (small,) = attempts.estimates
    assert (attempts.label, attempts.rows, attempts.exact) == ("add_attempts", ROWS, False)
    assert (small.requests, small.cached) == (2 * ROWS, 0)
    assert small.output_tokens == (0.0, 2 * ROWS * 400.0)
    assert "limits of the requests alone" in small.basis
    assert small.usd is not None
    assert small.usd[1] > 2 * ROWS * 400 * 10 / 1e6
    assert (traces.rows, traces.exact) == (ROWS, False)
    assert not (tmp_path / "cache").exists()


def test_a_pilot_is_paid_once_and_its_interval_holds_the_outcome(tmp_path, means):
    with Emulator(SCRIPT, answers=POOL) as server:
        pilot = plan(tmp_path / "run", means=means(server), pilot=8)
        few = len(asked(server))
        assert few == 8 * 2 + 8
        small = pilot.asking[0].estimates[0]
        assert (small.requests, small.cached) == (2 * ROWS, 16)
        assert pilot.spent > 0
        done = run(tmp_path / "run", means=means(server))
        told = done.manifest["models"]
        taught = told["teacher"]["requests"]
        by_pilot = told["teacher"]["cached"]
        assert len(asked(server)) == few + 2 * ROWS - 16 + taught - by_pilot
    for name in ("small", "teacher"):
        low, high = told[name]["expected_usd"]
        assert low <= told[name]["sent_usd"] <= high
        assert high < 10 * told[name]["sent_usd"], "from replies; the limits alone say 30 times"
    assert done.manifest["spent"]["usd"] > pilot.spent


def test_after_a_run_nothing_is_left_to_send(tmp_path, means):
    with Emulator(SCRIPT, answers=POOL) as server:
        run(tmp_path / "run", means=means(server))
        assert plan(tmp_path / "run", means=means(server)).asking == ()
        other = plan(tmp_path / "other", means=means(server))
    assert [e.requests - e.cached for e in other.asking[0].estimates] == [0]


def test_a_pilot_notices_a_teacher_that_shows_a_summary(tmp_path, means):
    shows = Script.of(
        {"models": {"big-70b": {"role": "teacher", "trace": "summary"}, "small-8b": {}}}
    )
    with Emulator(shows, answers=POOL) as server:
        found = plan(tmp_path / "run", means=means(server), pilot=10)
        taught = [model for model, _ in asked(server) if model == "big-70b"]
    assert "summary of the chain of thought" in found.asking[1].said
    assert len(taught) <= 10


def test_a_stage_after_others_is_counted_exactly_once_they_ran(tmp_path, means):
    with Emulator(SCRIPT, answers=POOL) as server:
        run(tmp_path / "run", means=means(server), until="drop_solved")
        found = plan(tmp_path / "run", means=means(server))
    (traces,) = found.asking
    left = pl.read_parquet(tmp_path / "run/stages/03-drop_solved/dropped.parquet").height
    assert (traces.exact, traces.rows) == (True, ROWS - left)
