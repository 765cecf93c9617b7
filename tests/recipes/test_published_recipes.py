"""Every published recipe runs on generated rows: each filter finds work, exactly N come out."""

import polars as pl
import pytest
from click.testing import CliRunner

from s1data import PoolError, Run, published
from s1data.cli import app
from s1data.emulator import Script
from s1data.recipe import Pipeline, asked_for
from s1data.stage import Filter, GlobalFilter
from s1data.verify import verify
from tests.recipes import fixtures


@pytest.mark.parametrize("name", sorted(published.published()))
def test_recipe_on_its_fixture(name, tmp_path):
    given = getattr(fixtures, name.replace("-", "_").replace(".", "_"))(tmp_path)
    pipeline = Pipeline.load(name).with_set(fixtures.CHANGED.get(name, {}))
    options = {"inputs": given}
    if pipeline.models:
        options |= {"rehearse": True, "script": Script.of(fixtures.SCRIPT)}
    run = pipeline.run(tmp_path / "run", **options)
    assert run.ledger.height >= 200
    assert run.manifest["rehearsal"] == bool(pipeline.models)
    assert run.selected.height == (asked_for(pipeline) or run.funnel()["rows_out"][-1])
    funnel = {line["stage"]: line for line in run.funnel().iter_rows(named=True)}
    for stage in pipeline.stages:
        if isinstance(stage, Filter | GlobalFilter):
            assert funnel[stage.label]["dropped"] > 0, f"{stage.label} dropped nothing"
    assert run.ledger["row"].to_list() == list(range(run.ledger.height))
    assert run.ledger.filter(pl.col("outcome") == "selected").height == run.selected.height
    outcomes_lie_in_their_intervals(run.manifest)
    again = pipeline.run(tmp_path / "again", **options)
    assert again.selected.equals(run.selected)
    checked = verify(run)
    assert (checked.reached, checked.differences) == ("decisions", ())


def outcomes_lie_in_their_intervals(manifest):
    """What each stage was estimated to take before it asked, and what it took; all of it is new."""
    for stage in manifest["stages"]:
        for model, before in stage["figures"].get("expected", {}).items():
            after = stage["figures"]["models"][model]
            sent = stage["figures"]["sent"][model]
            took = {
                "prompt_tokens": after["prompt_tokens"],
                "output_tokens": after["thinking_tokens"] + after["answer_tokens"],
                "usd": sent["usd"],
            }
            assert before["cached"] == after["cached"] == 0
            assert before["requests"] <= after["requests"] <= sent["sent"]
            for what, value in took.items():
                if before[what] is not None:
                    low, high = before[what]
                    assert low <= value <= high, (stage["label"], model, what)


def test_the_gate_of_s1k_recorded_writes_down_what_it_finds_and_stops_nothing(tmp_path):
    run = Pipeline.load("s1k-recorded").run(
        tmp_path / "run", inputs=fixtures.s1k_recorded(tmp_path)
    )
    marked = pl.col("solution").str.contains(" Compare: ", literal=True)
    hit = pl.col("benchmark_hits").list.len() > 0
    assert run.selected.filter(marked).height > 0
    assert run.selected.filter(marked != hit).is_empty()
    hits = (
        run.selected.explode("benchmark_hits").drop_nulls("benchmark_hits").unnest("benchmark_hits")
    )
    assert set(hits["allowed"]) == {"report only"}
    assert set(hits["column"]) == {"solution"}


def test_published_counts_are_those_of_notebook_and_paper_in_every_recipe_of_s1():
    """s1's notebook as it printed them, and section 2.2 of the paper."""
    notebook = [59029, 54116, 51607, 24517, 1000]
    paper = [59029, 54116, 51581, 24496, 1000]
    steps = ["drop_duplicates", "drop_incomplete", "drop_malformed", "drop_solved", "keep"]
    for name in (
        "s1k",
        "s1k-recorded",
        "s1k-paper",
        "s1k-replay",
        "1k-random",
        "1k-diverse",
        "1k-longest",
        "59k-full",
    ):
        pipeline = Pipeline.load(name)
        there = [s for s in steps if s in {"drop_duplicates", *(x.label for x in pipeline.stages)}]
        for who, counts in (("notebook", notebook), ("paper", paper)):
            told = dict(dict(pipeline.expected)[who])
            told["drop_duplicates"] = told.pop("read", told.get("drop_duplicates"))
            assert told == {s: counts[steps.index(s)] for s in there}, (name, who)


def test_a_run_prints_expected_against_found_and_where_the_two_sources_differ(tmp_path):
    given = fixtures.s1k_replay(tmp_path)
    words = [w for name, path in given.items() for w in ("--input", f"{name}={path}")]
    done = CliRunner().invoke(
        app, ["run", "s1k-replay", *words, "--out", str(tmp_path / "r"), "--quiet"]
    )
    assert done.exit_code == 0, done.output
    left = {
        line["stage"]: line["rows_out"] for line in Run.open(tmp_path / "r").funnel().to_dicts()
    }
    assert (
        f"notebook: drop_malformed leaves 51,607; here {left['drop_malformed']:,} (" in done.output
    )
    assert f"paper: drop_solved leaves 24,496; here {left['drop_solved']:,} (" in done.output
    assert "notebook: keep leaves 1,000; here 1,000 (the same)" in done.output
    assert "notebook and paper differ by 26 after drop_malformed" in done.output
    assert "notebook and paper differ by 21 after drop_solved" in done.output
    assert "after keep" not in done.output
    told = [line.split()[1] for line in done.output.splitlines() if line.startswith("notebook: ")]
    assert told == ["read", "drop_incomplete", "drop_malformed", "drop_solved", "keep"]


@pytest.mark.parametrize(
    ("name", "column", "changed", "says"),
    [
        ("pool", "gemini_length", pl.col("gemini_length").cast(pl.String), "wanted numbers, got String"),
        ("pool", "isqwen7bcorrect", pl.lit("yes").alias("isqwen7bcorrect"), "wanted true and false, got String"),
        ("pool", "domain", pl.lit(3).alias("domain"), "wanted texts, got Int32"),
        ("traces", "thinking_trajectories", pl.lit("So it is 4.").alias("thinking_trajectories"), "wanted lists of texts, got texts"),
    ],
)  # fmt: skip
def test_the_replay_refuses_a_column_of_another_type(tmp_path, name, column, changed, says):
    given = fixtures.s1k_replay(tmp_path)
    pl.read_parquet(given[name]).with_columns(changed).write_parquet(given[name])
    recipe = Pipeline.load("s1k-replay")
    who = "source" if name == "pool" else "input"
    with pytest.raises(PoolError, match=f"{who} {name}: column '{column}'.*: {says}"):
        recipe.run(tmp_path / "run", inputs=given)


def test_the_replay_is_s1s_notebook_step_by_step(tmp_path):
    """The notebook's filters, written out here over the same rows."""
    given = fixtures.s1k_replay(tmp_path)
    run = Pipeline.load("s1k-replay").run(tmp_path / "run", inputs=given)
    features = ["domain", "isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "gemini_length"]
    rows = pl.read_parquet(given["pool"]).drop_nulls(features)
    left = {line["stage"]: line["rows_out"] for line in run.funnel().to_dicts()}
    assert left["drop_incomplete"] == rows.height
    rows = rows.filter(~pl.col("question").str.contains("![Image]", literal=True))
    assert left["drop_malformed"] == rows.height
    rows = rows.filter(~pl.col("isqwen7bcorrect") & ~pl.col("isqwen32bcorrect"))
    assert left["drop_solved"] == rows.height
    benchmark = pl.col("source_type").is_in(["Idavidrein/gpqa", "qq8933/AIME_1983_2024"])
    long = pl.col("source_type").str.contains("qfq/openaimath", literal=True) & (
        pl.col("gemini_length") > 5600
    )
    first = rows.filter(pl.col("isgeminicorrect") & (benchmark | long))
    assert set(first["question"]) <= set(run.selected["question"])
    assert run.selected["traces"].list.len().unique().to_list() == [1]
    assert run.selected["traces"].list[0].struct.field("thinking").str.starts_with("First").all()


def test_the_replay_without_a_pool_says_that_it_wants_one():
    done = CliRunner().invoke(app, ["plan", "s1k-replay", "--input", "traces=nowhere.parquet"])
    assert done.exit_code != 0
    with pytest.raises(PoolError, match="source pool has no place yet"):
        Pipeline.load("s1k-replay").run(
            "never",
            inputs={
                "traces": pl.DataFrame({"question": [], "thinking_trajectories": [], "attempt": []})
            },
        )
