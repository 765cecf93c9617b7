"""Runs beside each other: every figure told is that of the sets themselves, made here by hand."""

import json
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import s1data
from s1data.acting import cache_home
from s1data.cli import app
from s1data.comparing import compare
from s1data.embedding import VectorCache
from s1data.hub.staging import stage
from s1data.recipe import Pipeline
from s1data.stages import get
from tests.hub import sets as pushable

SOURCES = ("contest", "exam", "plain")
HOSTILE = "\x1b[31m<b>red</b>\u202e"
RECIPE = """
name: choices
version: 2026.11.0
sources: [{name: pool, columns: {domain: domain, size: size, right: right}}]
inputs: {attempts: {}}
stages:
  - drop_incomplete: {needs: [answer]}
  - add_recorded_attempts: {from: attempts}
  - drop_solved: {unknown: keep}
  - add_embedding: {encoder: tfidf-svd, dimensions: 8}
  - KEEP
"""
S1 = "keep_s1: {as: keep, n: 30, length_from: size, seed: 3, preselect: [{right: right, source_type: [contest]}]}"
CHOICES = {
    "s1": S1,
    "random": "keep_random: {as: keep, n: 30}",
    "longest": "keep_longest: {as: keep, n: 30, length_from: size}",
    "spread": "keep_kcenter: {as: keep, n: 30}",
}


def pool():
    draw = np.random.default_rng(4)
    verbs = ["counts", "paints", "sells", "hides"]
    things = ["sheep", "lamps", "coins", "boats", "tiles"]
    return pl.DataFrame(
        [
            {
                "question": f"Ada {verbs[i % 4]} {i} {things[i % 5]} and  gives {int(draw.integers(99))} away: how many {things[(i * 3) % 5]} are left?",
                "answer": None if i % 10 == 0 else str(i),
                "source_type": SOURCES[i % 3],
                "domain": HOSTILE if i % 5 == 4 else f"d{i % 5}",
                "size": int(draw.integers(1, 9000)),
                "right": bool(draw.integers(2)),
            }
            for i in range(200)
        ]
    )


def given(rows):
    attempts = pl.DataFrame(
        [
            {"question": q, "model": "small", "final_answer": None, "is_correct": i % 4 == 0}
            for i, q in enumerate(rows["question"].to_list())
        ]
    )
    return {"pool": rows, "attempts": attempts}


def run(home, choice, inputs=None, **sets):
    pipeline = Pipeline.from_yaml(RECIPE.replace("KEEP", CHOICES[choice]), "choices.yaml")
    return pipeline.with_set(sets).run(home, inputs=inputs or given(pool()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    return {name: run(home / name, name) for name in CHOICES}


@pytest.fixture(scope="module")
def said(runs):
    return compare([runs[name] for name in CHOICES], seed_count=3)


def line(frame, **where):
    (found,) = frame.filter(**where).to_dicts()
    return found


def test_two_sets_share_what_their_files_share(runs, said):
    for one, other in combinations(CHOICES, 2):
        shared = set(runs[one].selected["id"]) & set(runs[other].selected["id"])
        found = line(said.overlap, set=one, other=other)
        assert (found["ids"], found["share"]) == (len(shared), len(shared) / 30)


def test_questions_that_differ_in_spacing_only_are_shared_by_text_and_not_by_id(runs, tmp_path):
    rows = pool().with_columns(pl.col("question").str.replace_all("  ", " "))
    other = run(tmp_path / "spaced", "longest", given(rows))
    found = line(
        compare([runs["longest"], other], seed_count=0).overlap, set="longest", other="spaced"
    )
    assert (found["ids"], found["questions"]) == (0, 30)


def test_coverage_is_the_distance_of_each_row_to_the_nearest_chosen(runs):
    found = compare([runs["s1"]], population="pool", seed_count=0)
    assert (found.population, found.population_rows) == ("pool", 200)
    fields = {"encoder": "tfidf-svd", "dimensions": 8}
    keys = s1data.apply(get("add_embedding").model_validate(fields), pool()).kept["embedding"]
    vectors = VectorCache(cache_home() / "vectors", keys[0].partition(":")[0]).get(keys)
    ids = s1data.pool.question_ids(pool()["question"])
    ours = ids.is_in(runs["s1"].selected["id"].implode()).to_numpy()
    away = 1 - (vectors @ vectors[ours].T).max(axis=1)
    of_set = line(found.sets, set="s1")
    assert of_set["coverage_mean"] == pytest.approx(away.mean(), abs=1e-6)
    assert of_set["coverage_max"] == pytest.approx(away.max(), abs=1e-6)
    assert 0 < of_set["coverage_mean"] < of_set["coverage_max"]


def test_a_set_that_is_the_population_leaves_nothing_uncovered(tmp_path):
    everything = run(tmp_path / "all", "random", **{"keep.n": 5000})
    found = line(compare([everything], seed_count=0).sets, set="all")
    assert found["coverage_mean"] == pytest.approx(0, abs=1e-6)
    assert found["coverage_max"] == pytest.approx(0, abs=1e-6)


def test_rows_that_are_far_apart_cover_more_than_any_set_of_their_size(said):
    far = {s["set"]: s["coverage_max"] for s in said.sets.to_dicts() if s["rows"] == 30}
    others = [v for name, v in far.items() if name.endswith("after difficulty") or name == "random"]
    assert far["spread"] <= min(others)


def test_baselines_say_what_they_are_drawn_from_and_are_drawn_from_it(runs, said):
    baselines = said.sets.filter(pl.col("kind") != "run")
    assert baselines["set"].to_list() == [
        f"{kind}, {where}"
        for where in ("pool", "after quality", "after difficulty")
        for kind in ("random", "longest", "preselect plus random")
    ]
    rows = pool().with_columns(s1data.pool.question_ids(pool()["question"]))
    assert baselines["rows"].unique().to_list() == [30]
    top = rows.sort("size", descending=True)["size"].head(30).median()
    assert line(baselines, set="longest, pool")["median_length"] == top
    answered = rows.drop_nulls("answer").sort("size", descending=True)["size"].head(30).median()
    assert line(baselines, set="longest, after quality")["median_length"] == answered
    hard = rows.with_row_index().filter((pl.col("index") % 4 != 0) & pl.col("answer").is_not_null())
    longest = hard.sort("size", descending=True)["size"].head(30).median()
    assert line(baselines, set="longest, after difficulty")["median_length"] == longest
    first = hard.filter(pl.col("right") & (pl.col("source_type") == "contest")).height
    assert line(said.sets, set="s1")["preselected"] == first
    assert line(baselines, set="preselect plus random, after difficulty")["preselected"] == first


def test_without_a_difficulty_filter_there_is_no_population_after_it(tmp_path):
    text = RECIPE.replace("KEEP", CHOICES["random"]).replace(
        "  - drop_solved: {unknown: keep}\n", ""
    )
    only = Pipeline.from_yaml(text, "x.yaml").run(tmp_path / "run", inputs=given(pool()))
    said = compare([only], seed_count=0)
    assert set(said.sets["population"].drop_nulls()) == {"pool", "after quality"}
    assert said.population == "after quality"


def test_distributions_count_the_set(runs, said):
    chosen = runs["s1"].selected
    for what in ("domain", "source_type"):
        mine = said.distributions.filter(set="s1", what=what)
        assert dict(mine.select("name", "rows").iter_rows()) == dict(
            chosen[what].value_counts().iter_rows()
        )
    lengths = said.distributions.filter(set="s1", what="length")
    assert lengths["rows"].sum() == 30
    low = lengths["low"].to_list()
    assert low == sorted(low)
    hard = said.distributions.filter(set="s1", what="difficulty")
    assert dict(hard.select("name", "rows").iter_rows()) == {"none right": 30}
    assert set(said.distributions.filter(set="random, pool", what="difficulty")["name"]) > {
        "none right"
    }


@pytest.mark.parametrize("choice", ["s1", "random", "spread"])
def test_other_seeds_choose_what_the_recipe_with_that_seed_chooses(runs, said, tmp_path, choice):
    sets = [
        set(run(tmp_path / f"{seed}", choice, **{"keep.seed": seed}).selected["id"])
        for seed in range(3)
    ]
    counts = {i: sum(i in s for s in sets) for i in set.union(*sets)}
    assert dict(said.times.filter(set=choice).select("id", "times").iter_rows()) == counts
    found = line(said.stability, set=choice)
    assert (found["always"], found["ever"]) == (len(set.intersection(*sets)), len(counts))
    own = set(runs[choice].selected["id"])
    assert found["with_this"] == pytest.approx(np.mean([len(own & s) / 30 for s in sets]))
    assert found["shared"] == pytest.approx(
        np.mean([len(a & b) / 30 for a, b in combinations(sets, 2)])
    )


def test_a_selector_without_a_seed_gives_the_same_set_each_time(said):
    found = line(said.stability, set="longest")
    assert (found["shared"], found["always"], found["ever"]) == (1.0, 30, 30)
    assert "no seed" in found["note"]


def test_an_earlier_set_is_known_under_other_seeds(runs, tmp_path):
    keep = "keep_random: {as: keep, n: 40, preselect: [{in_input: first}]}"
    text = RECIPE.replace("KEEP", keep).replace("attempts: {}", "attempts: {}, first: {}")
    first = runs["longest"].selected.select("id")
    grown = Pipeline.from_yaml(text, "x.yaml").run(
        tmp_path / "grown", inputs=given(pool()) | {"first": first}
    )
    said = compare([grown, runs["longest"]], seed_count=4)
    assert line(said.stability, set="grown")["always"] >= 30
    assert set(first["id"]) <= set(said.times.filter(set="grown", times=4)["id"])
    assert line(said.overlap, set="grown", other="longest")["ids"] == 30


def test_near_duplicates_inside_are_counted(tmp_path):
    twice = pool().with_columns(pl.col("question").str.replace("Ada ", "The Ada "))
    both = pl.concat([pool(), twice])
    whole = run(tmp_path / "twice", "random", given(both), **{"keep.n": 5000})
    assert line(compare([whole], seed_count=0).sets, set="twice")["near_duplicates"] > 20


def test_tokens_and_hours_are_those_of_the_rows(tmp_path):
    counted = pool().rename({"size": "thinking_tokens"})
    text = RECIPE.replace("KEEP", S1).replace("size: size", "thinking_tokens: thinking_tokens")
    text = text.replace("length_from: size", "length_from: thinking_tokens")
    made = Pipeline.from_yaml(text, "x.yaml").run(tmp_path / "tokens", inputs=given(counted))
    found = line(compare([made], seed_count=0).sets, set="tokens")
    assert found["tokens"] == made.selected["thinking_tokens"].sum()
    assert found["gpu_hours"] == round(30 * 6.93 / 1000, 2)


def test_a_sum_over_a_part_of_the_rows_is_not_told_as_that_of_the_set(tmp_path):
    some = pl.when(pl.col("right")).then("size").alias("thinking_tokens")
    text = RECIPE.replace("KEEP", S1).replace("size: size", "thinking_tokens: thinking_tokens")
    text = text.replace("length_from: size", "length_from: thinking_tokens")
    counted = pool().with_columns(some)
    made = Pipeline.from_yaml(text, "x.yaml").run(tmp_path / "part", inputs=given(counted))
    part = line(compare([made], seed_count=0).sets, set="random, pool")
    assert part["tokens"] is None
    assert 0 < part["tokens_rows"] < 30
    shown = command(made.path, "--seeds", 0).stdout
    assert f"of {part['tokens_rows']} rows only" in shown


def test_a_set_that_has_no_domains_has_an_empty_cell_and_not_nought(runs, tmp_path):
    text = RECIPE.replace("KEEP", CHOICES["random"]).replace("domain: domain, ", "")
    rows = {"pool": pool().drop("domain"), "attempts": given(pool())["attempts"]}
    bare = Pipeline.from_yaml(text, "x.yaml").run(tmp_path / "bare", inputs=rows)
    shown = command(runs["longest"].path, bare.path, "--seeds", 0).stdout
    table = shown[shown.index("domain, shares") :].split("\n\n")[0]
    (of_d0,) = [row for row in table.splitlines() if row.strip().startswith("d0 ")]
    shares = of_d0.split()[1:]
    assert len(shares) == 3, "the longest and two random baselines; bare, beside them, has none"
    assert all(share.endswith("%") for share in shares)


def test_a_domain_of_white_space_is_no_domain(tmp_path):
    rows = pool().with_columns(domain=pl.when(pl.col("domain") != "d0").then("domain").otherwise(pl.lit(" ")))  # fmt: skip
    done = run(tmp_path / "run", "random", given(rows))
    found = line(compare([done], seed_count=0).sets, set="run")
    chosen = done.selected["domain"]
    assert (chosen == " ").any()
    assert found["domains"] == chosen.n_unique() - 1


def test_a_random_baseline_is_another_draw_than_a_run_of_keep_random(tmp_path):
    for seed in (0, 1, 2):
        made = run(tmp_path / str(seed), "random", **{"keep.seed": seed})
        found = compare([made], seed_count=0)
        where = {"set": str(seed), "other": "random, after difficulty"}
        assert line(found.overlap, **where)["share"] < 0.9


def test_every_line_of_the_tables_has_room_on_80_columns(runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = command(*(made.path for made in runs.values()), "--seeds", 2).stdout
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    for name in ("pre-selected", "near-doubles", "GPU hours"):
        assert any(name in row for row in lines), "a head that is folded cannot be read"
    # Seven sets are told by share in tables of four at most.
    assert shown.count("domain, shares of each set") == 2


def test_each_run_preselects_by_its_own_length_whatever_is_compared_as_length(runs, tmp_path):
    rule = "{source_type: [contest], length_over: 64}"
    keep = f"keep_s1: {{as: keep, n: 30, length_from: question, preselect: [{rule}]}}"
    other = Pipeline.from_yaml(RECIPE.replace("KEEP", keep), "x.yaml").run(
        tmp_path / "other", inputs=given(pool())
    )
    said = compare([runs["s1"], other], seed_count=0)
    assert said.length_of == "size"
    chosen = other.selected
    met = (chosen["source_type"] == "contest") & (chosen["question"].str.len_chars() > 64)
    assert line(said.sets, set="other")["preselected"] == met.sum() > 0


def test_a_pushed_folder_is_its_run(tmp_path):
    made = pushable.run(tmp_path / "pool", tmp_path / "run")
    stage(made, tmp_path / "pushed")
    (tmp_path / "pushed" / "pipeline.yaml").write_bytes((made.path / "pipeline.yaml").read_bytes())
    said = compare([made.path, tmp_path / "pushed"], seed_count=2)
    run_, pushed = said.sets.filter(kind="run").to_dicts()
    assert {k: v for k, v in run_.items() if k != "set"} == {
        k: v for k, v in pushed.items() if k != "set"
    }
    assert line(said.overlap, set="run", other="pushed")["share"] == 1.0


def command(*words):
    return CliRunner().invoke(app, ["compare", *map(str, words)], catch_exceptions=True)


def test_the_command_gives_tables_json_and_frames(runs, said, tmp_path):
    paths = [runs["s1"].path, runs["random"].path]
    done = command(*paths, "--seeds", 2)
    assert done.exit_code == 0, done.output
    assert "No figure here predicts the accuracy" in done.output
    assert "preselect plus random, after quality" in done.output
    assert "\x1b[31m" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "best" not in done.stdout
    out = command(*paths, "--seeds", 2, "--json", "--frames", tmp_path / "frames")
    found = json.loads(out.stdout)
    assert "predicts the accuracy" in found["note"]
    assert [s["set"] for s in found["sets"]][:2] == ["s1", "random"]
    assert found["overlap"][0]["ids"] == line(said.overlap, set="s1", other="random")["ids"]
    frames = {p.stem: pl.read_parquet(p) for p in (tmp_path / "frames").iterdir()}
    assert set(frames) == {"sets", "overlap", "distributions", "stability", "times"}
    assert frames["times"].height > 30


def test_a_stage_names_a_population_and_a_wrong_name_says_which_there_are(runs):
    said = compare([runs["s1"]], population="drop_incomplete", seed_count=0)
    left = runs["s1"].funnel().filter(stage="drop_incomplete")["rows_out"][0]
    assert (said.population, said.population_rows) == ("after drop_incomplete", left)
    with pytest.raises(
        s1data.RunError, match=r"wanted pool, quality, difficulty or the label.*qualty"
    ):
        compare([runs["s1"]], population="qualty", seed_count=0)


def test_the_same_run_twice_and_none_at_all_are_refused(runs):
    assert command().exit_code == 2
    with pytest.raises(s1data.RunError, match="more than once"):
        compare([runs["s1"], runs["s1"].path])
