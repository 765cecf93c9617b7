"""The main job on 83,481 real questions, twice: what is unsolved, and 1,000 of what may be.

The recipes stand beside this file. Expected counts are those of this data and these rules; a change
of any rule that matters on real text shows here.
"""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from s1data.progress import Lines
from s1data.recipe import Pipeline
from s1data.stage import Selector
from tests import kills

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
QWEN = ["Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"]


@pytest.fixture(scope="module")
def given(real_data):
    return {
        "pool": real_data / "pool.parquet",
        "attempts": real_data / "attempts_math.parquet",
        "benchmarks": real_data / "benchmarks",
    }


@pytest.fixture(scope="module")
def unsolved(given, tmp_path_factory):
    pipeline = Pipeline.load(HERE / "unsolved.yaml")
    return pipeline.run(tmp_path_factory.mktemp("unsolved") / "run", inputs=given)


@pytest.fixture(scope="module")
def thousand(given, tmp_path_factory):
    pipeline = Pipeline.load(HERE / "longest.yaml")
    return pipeline.run(tmp_path_factory.mktemp("thousand") / "run", inputs=given)


@pytest.fixture(params=["unsolved", "thousand"])
def run(request):
    return request.getfixturevalue(request.param)


def test_every_row_has_one_line_and_the_funnel_adds_up(run):
    assert run.ledger["row"].to_list() == list(range(83_481))
    funnel = run.funnel()
    assert funnel["rows_in"][1:].to_list() == funnel["rows_out"][:-1].to_list()
    assert run.selected.height == funnel["rows_out"][-1]
    fates = run.ledger.filter(pl.col("outcome") == "dropped").group_by("stage").len()
    assert dict(fates.iter_rows()) == dict(
        funnel.filter(pl.col("dropped") > 0).select("stage", "dropped").iter_rows()
    )


def test_the_funnels_are_those_in_the_documentation(run):
    page = (HERE.parents[1] / "docs" / "real-runs.md").read_text(encoding="utf-8")
    for line in run.funnel().iter_rows(named=True):
        row = f"| {line['stage']} | {line['rows_in']:,} | {line['dropped']:,} | {line['rows_out']:,} |"
        assert row in page


def ngrams(text):
    words = text.lower().split()
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}


def test_no_benchmark_item_is_left_by_the_rule(run, real_data):
    items = pl.concat(
        [
            pl.read_parquet(p, columns=["question"])
            for p in (real_data / "benchmarks").glob("*.parquet")
        ]
    )
    kept = run.ledger.filter(
        pl.col("stage").is_null() | pl.col("stage").is_in(["drop_solved", "keep"])
    )
    pool = pl.read_parquet(
        run.path / "stages" / "00-read" / "rows.parquet", columns=["row", "question"]
    )
    texts = pool.join(kept.select("row"), on="row", how="semi")["question"].to_list()
    assert len(texts) > 20_000
    grams = {gram for item in items["question"].drop_nulls() for gram in ngrams(item)}
    assert [text for text in texts if not grams.isdisjoint(ngrams(text))] == []


def test_what_is_left_was_tried_and_not_solved(unsolved):
    verdicts = (
        unsolved.selected.select("id", pl.col("attempts")).explode("attempts").unnest("attempts")
    )
    assert sorted(verdicts["solver"].unique()) == sorted(QWEN)
    assert not verdicts["verdict"].any()
    assert verdicts["verdict"].null_count() == 0
    assert verdicts.group_by("id").len()["len"].unique().to_list() == [2]


def test_exactly_a_thousand_out_of_more_than_fifteen_thousand(thousand):
    assert thousand.selected.height == 1000
    assert thousand.funnel()["rows_in"][-1] > 15_000
    lengths = thousand.selected["solution"].str.len_chars()
    population = thousand.ledger.filter((pl.col("stage") == "keep") | pl.col("stage").is_null())
    pool = pl.read_parquet(
        thousand.path / "stages/00-read/rows.parquet", columns=["row", "solution"]
    )
    all_ = pool.join(population.select("row"), on="row", how="semi")["solution"].str.len_chars()
    assert lengths.median() > 2 * all_.median()


def test_the_same_again_and_from_shuffled_input(run, given, tmp_path):
    again = run.pipeline.run(tmp_path / "again", inputs=given)
    for name in ("selected.parquet", "ledger.parquet"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
    pool = pl.read_parquet(given["pool"]).sample(fraction=1, shuffle=True, seed=11)
    pool.write_parquet(tmp_path / "shuffled.parquet")
    shuffled = run.pipeline.run(
        tmp_path / "shuffled", inputs={**given, "pool": tmp_path / "shuffled.parquet"}
    )
    assert (shuffled.path / "selected.parquet").read_bytes() == (
        run.path / "selected.parquet"
    ).read_bytes()
    fates = [
        r.ledger.sort("id").select("id", "outcome", "stage", "reason") for r in (run, shuffled)
    ]
    assert fates[0].equals(fates[1])


def test_a_killed_run_goes_on_to_the_same_bytes(run, given, tmp_path):
    recipe = HERE / ("unsolved.yaml" if run.pipeline.name == "real-unsolved" else "longest.yaml")
    binds = [f"--input={name}={path}" for name, path in given.items()]
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "run", str(recipe), "--out", "run", "--quiet", *binds]
    env = os.environ | {"S1DATA_CACHE": str(tmp_path / "cache")}

    def start():
        return subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL)

    kills.kill_often(start, 6, 7, 8.0, lambda: kills.forget(tmp_path / "run"))
    subprocess.run(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, check=True, timeout=600
    )
    for name in ("selected.parquet", "ledger.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (run.path / name).read_bytes()


def test_a_sentence_encoder_on_a_seeded_sample(given, tmp_path, real_all):
    """3,000 of the pool by the packaged encoder; all that reach it under ``make real``."""
    pipeline = Pipeline.load(HERE / "longest.yaml").with_set(
        {"add_embedding.encoder": "all-MiniLM-L6-v2"}
    )
    if not real_all:
        source = pipeline.sources[0].model_copy(update={"cap": 9000, "cap_seed": 3})
        pipeline = pipeline.model_copy(update={"sources": (source,)}).with_set({"keep.n": 200})
    run = pipeline.run(tmp_path / "run", inputs=given, tell=Lines(sys.stdout))
    selector = next(s for s in pipeline.stages if isinstance(s, Selector))
    assert run.selected.height == selector.n
    embedded = run.funnel().filter(pl.col("stage") == "add_embedding")["rows_in"][0]
    assert embedded > (20_000 if real_all else 2_000)
    assert run.selected["domain"].n_unique() > 30


def test_the_report_holds_every_row_and_stays_under_60_mb(thousand):
    from s1data.report import html

    page = html.write(thousand)
    assert page.stat().st_size < 60_000_000
    assert "All 83,481 rows are in this file with their full texts." in page.read_text("utf-8")


def test_a_report_with_less_room_says_what_is_left_out(unsolved, tmp_path):
    from s1data.report import html

    page = html.write(unsolved, tmp_path / "small.html", most_bytes=12_000_000)
    assert page.stat().st_size < 13_500_000
    said = page.read_text("utf-8")
    assert "In full: 182 of 182 selected and " in said
