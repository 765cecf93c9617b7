"""Running: every row is accounted for, what is unchanged is not done again, nothing is mixed up."""

import asyncio
import json
import shutil

import polars as pl
import pytest
from filelock import FileLock

import s1data
from s1data import pool as columns
from s1data.checkpoint import open_checkpoint
from s1data.state import State
from tests import pools

RESULTS = ("selected.parquet", "ledger.parquet")


@pytest.fixture
def pool(tmp_path):
    pools.lay(tmp_path / "pool")
    return tmp_path / "pool"


@pytest.fixture
def pipeline(pool):
    return pools.pipeline(pool)


def results(run):
    return [(run.path / name).read_bytes() for name in RESULTS]


def what_ran(run):
    labels = ["read", *(s.label for s in run.pipeline.stages)]
    return [label for label in labels if label not in run.cached]


def test_every_input_row_has_exactly_one_line(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run")
    ledger = run.ledger
    assert ledger["row"].to_list() == list(range(120 + 4 + 40))
    assert set(ledger["outcome"]) == {"selected", "dropped"}
    dropped = ledger.filter(pl.col("outcome") == "dropped")
    assert dropped["stage"].null_count() == dropped["reason"].null_count() == 0
    chosen = ledger.filter(pl.col("outcome") == "selected")
    assert chosen["stage"].null_count() == chosen.height == 20
    assert sorted(chosen["id"]) == run.selected["id"].to_list()


def test_the_funnel_adds_up_and_agrees_with_the_ledger(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run")
    funnel = run.funnel()
    assert funnel["rows_in"][0] == run.ledger.height
    assert funnel["rows_in"][1:].to_list() == funnel["rows_out"][:-1].to_list()
    assert (funnel["rows_in"] - funnel["dropped"]).to_list() == funnel["rows_out"].to_list()
    assert all(dropped > 0 for dropped in funnel["dropped"])
    for line in funnel.iter_rows(named=True):
        lines = run.ledger.filter(pl.col("stage") == line["stage"])
        assert lines.height == line["dropped"]
        assert dict(lines["reason"].value_counts().iter_rows()) == {
            r["reason"]: r["rows"] for r in line["reasons"]
        }


def test_lines_that_are_no_row_are_in_the_ledger(pipeline, tmp_path):
    ledger = pipeline.run(tmp_path / "run").ledger
    unread = ledger.filter(pl.col("stage") == "read")
    assert unread["row"].to_list() == [120, 121, 122]
    assert unread["reason"].to_list() == ["unreadable_row", "unreadable_row", "no_question"]
    assert unread["id"].null_count() == 3
    assert json.loads(unread["evidence"][0])["line"] == 121


def test_a_second_run_does_nothing_again_and_changes_no_byte(pipeline, tmp_path):
    first = pipeline.run(tmp_path / "run")
    before = results(first)
    manifest = (first.path / "manifest.json").read_bytes()
    second = pipeline.run(tmp_path / "run")
    assert what_ran(second) == []
    assert results(second) == before
    assert (second.path / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize(
    ("field", "value", "again"),
    [
        ("keep.seed", 2, ["keep"]),
        ("drop_contaminated.n", 40, ["drop_contaminated", "keep"]),
        ("drop_malformed.max_chars", 299, ["drop_malformed"]),
        ("drop_malformed.max_chars", 30000, ["drop_malformed", "drop_contaminated", "keep"]),
    ],
)
def test_a_changed_field_runs_again_only_what_sees_a_difference(
    pipeline, tmp_path, field, value, again
):
    pipeline.run(tmp_path / "run")
    changed = pipeline.with_set({field: value})
    run = changed.run(tmp_path / "run")
    assert what_ran(run) == again
    fresh = changed.run(tmp_path / "fresh")
    assert results(run) == results(fresh)
    assert run.manifest["changed"] == fresh.manifest["changed"] != []


def test_a_stage_put_in_the_middle_moves_the_others_without_running_them(pipeline, pool, tmp_path):
    pipeline.run(tmp_path / "run")
    middle = pools.RECIPE.replace(
        "  - drop_contaminated",
        "  - drop_incomplete: {as: again, needs: [question]}\n  - drop_contaminated",
    )
    longer = pools.pipeline(pool, middle)
    run = longer.run(tmp_path / "run")
    assert what_ran(run) == ["again"]
    names = sorted(p.name for p in (run.path / "stages").iterdir())
    assert names == [
        "00-read", "01-drop_incomplete", "02-drop_malformed", "03-again", "04-drop_contaminated",
        "05-keep",
    ]  # fmt: skip


def test_another_run_lends_what_is_the_same(pipeline, tmp_path):
    first = pipeline.run(tmp_path / "one")
    second = pipeline.with_set({"keep.n": 5}).run(tmp_path / "two", borrow_from=tmp_path / "one")
    assert what_ran(second) == ["keep"]
    assert second.selected.height == 5
    shutil.rmtree(first.path)
    assert pipeline.with_set({"keep.n": 5}).run(tmp_path / "two").finished


def test_until_stops_after_a_stage_and_the_next_run_goes_on(pipeline, tmp_path):
    part = pipeline.run(tmp_path / "run", until="drop_malformed")
    assert not part.finished
    assert part.funnel()["stage"].to_list() == ["read", "drop_incomplete", "drop_malformed"]
    with pytest.raises(s1data.RunError, match="not finished"):
        part.selected  # noqa: B018 - reading the property is what is tested
    whole = pipeline.run(tmp_path / "run")
    assert what_ran(whole) == ["drop_contaminated", "keep"]
    assert pipeline.run(tmp_path / "run", until="drop_malformed").finished


def test_limit_reads_the_first_rows_of_each_source(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run", limit=10)
    assert run.ledger["source"].value_counts().sort("source")["count"].to_list() == [10, 10]
    assert run.manifest["limit"] == 10
    assert what_ran(pipeline.run(tmp_path / "run"))[0] == "read"


def test_shuffled_rows_give_the_same_set_byte_for_byte(pipeline, pool, tmp_path):
    straight = pipeline.run(tmp_path / "run")
    lines = (pool / "sums.jsonl").read_bytes().splitlines(keepends=True)
    (pool / "sums.jsonl").write_bytes(b"".join(lines[::-1]))
    more = pl.read_parquet(pool / "more.parquet").sample(fraction=1, shuffle=True, seed=3)
    more.write_parquet(pool / "more.parquet")
    shuffled = pipeline.run(tmp_path / "shuffled")
    assert results(shuffled)[0] == results(straight)[0]
    fates = [
        r.ledger.filter(pl.col("id").is_not_null())
        .sort("id")
        .select("id", "outcome", "stage", "reason")
        for r in (straight, shuffled)
    ]
    assert fates[0].equals(fates[1])


@pytest.mark.parametrize("victim", ["columns", "dropped", "artefact", "record"])
def test_a_damaged_checkpoint_is_made_again(pipeline, tmp_path, victim):
    run = pipeline.run(tmp_path / "run")
    before = results(run)
    (run.path / "manifest.json").unlink()
    hit = [p for p in (run.path / "stages").glob(f"*/{victim}.*") if "00-read" not in p.parts]
    for path in hit:
        path.write_bytes(path.read_bytes()[:-7])
    again = pipeline.run(tmp_path / "run")
    assert bool(hit) == bool(what_ran(again))
    assert results(again) == before


@pytest.mark.parametrize("name", RESULTS)
def test_a_damaged_result_is_made_again_from_the_checkpoints(pipeline, tmp_path, name):
    run = pipeline.run(tmp_path / "run")
    before = results(run)
    (run.path / name).write_bytes(b"PAR1 rubbish")
    again = pipeline.run(tmp_path / "run")
    assert what_ran(again) == []
    assert results(again) == before


def test_a_changed_source_is_read_again(pipeline, pool, tmp_path):
    pipeline.run(tmp_path / "run")
    with (pool / "sums.jsonl").open("ab") as file:
        file.write(b'{"question": "One more question, the last of them?", "answer": "yes"}\n')
    run = pipeline.run(tmp_path / "run")
    assert what_ran(run)[0] == "read"
    assert run.ledger.height == 120 + 4 + 40 + 1


def test_a_changed_input_runs_again_the_stage_that_reads_it(pipeline, pool, tmp_path):
    pipeline.run(tmp_path / "run")
    (pool / "bench.csv").write_text("question\nnothing of the kind\n", encoding="utf-8")
    run = pipeline.run(tmp_path / "run")
    assert what_ran(run) == ["drop_contaminated", "keep"]


def test_a_second_process_stops_with_a_clear_line(pipeline, tmp_path):
    home = tmp_path / "run"
    home.mkdir()
    with FileLock(home / ".lock"), pytest.raises(s1data.RunError, match="is running there now"):
        pipeline.run(home)
    assert pipeline.run(home).finished


@pytest.mark.parametrize("what", ["file", "folder", "other"])
def test_a_place_that_is_not_ours_is_left_alone(pipeline, tmp_path, what):
    home = tmp_path / "run"
    if what == "file":
        home.write_text("mine")
    elif what == "folder":
        home.mkdir()
        (home / "thesis.tex").write_text("mine")
    else:
        pipeline.model_copy(update={"name": "other"}).run(home)
    before = sorted(p.name for p in home.rglob("*")) if home.is_dir() else home.read_text()
    with pytest.raises(s1data.RunError, match="give another --out"):
        pipeline.run(home)
    assert before == (
        sorted(p.name for p in home.rglob("*")) if home.is_dir() else home.read_text()
    )


def test_fewer_rows_than_asked_for_come_out_and_it_is_in_the_manifest(pipeline, tmp_path):
    run = pipeline.with_set({"keep.n": 5000}).run(tmp_path / "run")
    selected = run.manifest["selected"]
    assert selected["asked_for"] == 5000
    assert 20 < selected["rows"] == run.selected.height < 164


def test_no_rows_at_all_are_a_run_too(pipeline, pool, tmp_path):
    (pool / "sums.jsonl").write_text("")
    pl.DataFrame(schema={"question": pl.String, "answer": pl.String}).write_parquet(
        pool / "more.parquet"
    )
    run = pipeline.run(tmp_path / "run")
    assert run.ledger.height == run.selected.height == 0
    assert run.funnel()["rows_out"].to_list() == [0] * 5


def test_frames_and_datasets_stand_in_for_files(pipeline, pool, tmp_path):
    import datasets

    more = pl.read_parquet(pool / "more.parquet")
    by_file = pipeline.run(tmp_path / "file")
    by_frame = pipeline.run(tmp_path / "frame", inputs={"more": more})
    dataset = datasets.Dataset.from_dict(more.to_dict(as_series=False))
    by_dataset = pipeline.run(tmp_path / "dataset", inputs={"more": dataset})
    assert results(by_file)[0] == results(by_frame)[0] == results(by_dataset)[0]
    assert what_ran(pipeline.run(tmp_path / "frame", inputs={"more": more})) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"": "x.jsonl"}, "has 2 sources"),
        ({"moer": "x.parquet"}, "nearest: more"),
        ({"more": "more.parqet"}, "more.parqet"),
    ],
)
def test_a_wrong_binding_is_one_line(pipeline, tmp_path, given, says):
    with pytest.raises(s1data.S1DataError, match=says) as error:
        pipeline.run(tmp_path / "run", inputs=given)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("needs: [answer]", "needs: [anser]", ["drop_incomplete", "'anser'", "nearest: answer"]),
        ("columns: [question]", "columns: {item: question}", ["drop_contaminated", "question"]),
        ("needs: [answer]", "needs: [solution]", ["drop_incomplete", "'solution'"]),
        (
            "  - keep_random",
            "  - drop_solved: {unknown: keep}\n  - add_recorded_attempts: {from: bench}\n  - keep_random",
            ["drop_solved", "'attempts'", "add_recorded_attempts adds it, but stands later"],
        ),
    ],
)
def test_columns_are_checked_before_anything_runs(pool, tmp_path, old, new, says):
    assert old in pools.RECIPE
    pipeline = pools.pipeline(pool, pools.RECIPE.replace(old, new))
    with pytest.raises(s1data.S1DataError) as error:
        pipeline.run(tmp_path / "run")
    for word in says:
        assert word in str(error.value)
    assert len(str(error.value).splitlines()) <= 4
    assert not (tmp_path / "run").exists()


def test_a_run_works_inside_a_running_event_loop(pipeline, tmp_path):
    async def cell():
        return pipeline.run(tmp_path / "run").selected.height

    assert asyncio.run(cell()) == 20


def test_the_record_says_what_was_done(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run")
    record = open_checkpoint(run.path / "stages" / "03-drop_contaminated").record
    assert record["payload"]["fields"]["n"] == 8
    assert set(record["payload"]["columns"]) >= {"question"}
    assert set(record["payload"]["inputs"]) == {"bench"}
    assert record["seconds"] >= 0
    assert record["peak_mb"] > 0


def test_the_manifest_names_sources_inputs_licences_and_versions(pipeline, tmp_path):
    manifest = pipeline.run(tmp_path / "run").manifest
    assert manifest["format"] == 1
    assert manifest["rehearsal"] is False
    assert set(manifest["sources"]) == {"sums", "more"}
    assert len(manifest["sources"]["more"]["files"][0]["sha256"]) == 64
    assert sum(manifest["selected"]["licences"].values()) == 20
    assert manifest["seeds"] == {"keep": 1}
    assert "polars" in manifest["versions"]


def test_results_say_their_format(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run")
    for name in RESULTS:
        assert pl.read_parquet_metadata(run.path / name)["s1data.format"] == "1"
    assert run.ledger.schema == {
        "row": pl.UInt32, "id": pl.String, "source": pl.String, "outcome": pl.String,
        "stage": pl.String, "reason": pl.String, "evidence": pl.String,
    }  # fmt: skip


def test_one_stage_alone_on_a_frame():
    from s1data.stages.malformed import DropMalformed

    frame = pl.DataFrame({"question": ["What is 2 + 2?", "word " * 99]})
    outcome = s1data.apply(DropMalformed(rules="general", max_chars=100), frame)
    assert outcome.kept["question"].to_list() == ["What is 2 + 2?"]
    assert outcome.dropped["row"].to_list() == [1]
    with pytest.raises(s1data.StageError, match="question"):
        s1data.apply(DropMalformed(rules="general"), pl.DataFrame({"text": ["x"]}))


def test_a_stage_that_looks_at_all_rows_refuses_rows_without_a_question():
    from s1data.stages.selection import KeepRandom

    with pytest.raises(s1data.StageError, match="1 rows have no question"):
        s1data.apply(KeepRandom(n=1), pl.DataFrame({"question": ["What is 2 + 2?", None]}))


def test_a_finished_run_with_a_damaged_checkpoint_is_mended(pipeline, tmp_path):
    run = pipeline.run(tmp_path / "run")
    before = results(run)
    rows = run.path / "stages" / "00-read" / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:100])
    with pytest.raises(s1data.RunError, match=r"rows.parquet: is gone or damaged"):
        run.why(row=2)
    again = pipeline.run(tmp_path / "run")
    assert what_ran(again) == ["read"]
    assert results(again) == before
    assert again.why(row=2)


def test_all_that_is_wrong_with_data_is_said_at_once_with_its_place(pool, tmp_path):
    text = pools.RECIPE.replace("[answer]", "[anser]").replace("[question]", "[qestion]")
    with pytest.raises(s1data.S1DataError) as error:
        pools.pipeline(pool, text).run(tmp_path / "run")
    assert "small.yaml:7:" in str(error.value)
    with pytest.raises(s1data.S1DataError) as error:
        pools.pipeline(pool, pools.RECIPE.replace("[answer]", "[anser]")).run(tmp_path / "run")
    assert str(error.value).startswith("small.yaml:9:")
    (pool / "sums.jsonl").unlink()
    (pool / "bench.csv").unlink()
    with pytest.raises(s1data.PoolError) as error:
        pools.pipeline(pool).run(tmp_path / "run")
    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == [
        "small.yaml:4:5", "small.yaml:7:3",
    ]  # fmt: skip


def test_a_frame_without_questions_is_refused():
    from s1data.stages import KeepRandom

    with pytest.raises(s1data.StageError, match="a column question"):
        s1data.apply(KeepRandom(n=1), pl.DataFrame({"text": ["x"]}))


def test_what_a_global_counted_stands_in_the_manifest_when_cached_too(tmp_path):
    recipe = s1data.Pipeline.from_yaml(
        "name: counted\nversion: 2026.1.0\nsources: [{name: pool, path: pool.parquet}]\n"
        "inputs: {bench: {path: bench.parquet}}\n"
        "stages:\n  - drop_contaminated: {against: [bench], methods: [normalised]}\n"
        "  - keep_random: {n: 1, seed: 1}\n"
    )
    inputs = {
        "pool": pl.DataFrame({"question": ["What is one?", "What is two?"]}),
        "bench": pl.DataFrame({"question": ["What is  one?"]}),
    }
    for seed in (1, 2):
        changed = recipe.with_set({"keep_random.seed": seed})
        run = changed.run(tmp_path / "run", inputs=inputs)
        (stage,) = [s for s in run.manifest["stages"] if s["label"] == "drop_contaminated"]
        found = stage["figures"]["benchmarks"]["bench"]["normalised"]
        assert (stage["cached"], found["rows"], found["items"]) == (seed == 2, 1, 1)


def test_a_shortlist_and_a_final_set_are_two_selectors_of_one_recipe(pool, tmp_path):
    """The first keeps what a teacher would be asked, the second chooses among it."""
    two_digits = len("What is left of 50 apples when 10 are eaten by the 10 birds?")
    bands = f"bands: [{two_digits}], groups: {{<{two_digits}: "
    text = pools.RECIPE.replace(
        "  - keep_random: {as: keep, n: 20, seed: 1}\n",
        "  - keep_longest: {as: shortlist, n: 30, length_from: question, "
        f"quota: {{question: {{{bands}{{min: 5}}}}}}}}}}\n"
        f"  - keep_random: {{as: keep, n: 20, quota: {{question: {{{bands}4}}}}}}}}\n",
    )
    run = pools.pipeline(pool, text).run(tmp_path / "run")
    funnel = {line["stage"]: line for line in run.funnel().iter_rows(named=True)}
    assert funnel["shortlist"]["rows_out"] == funnel["keep"]["rows_in"] == 30
    short = run.selected["question"].str.len_chars() < two_digits
    assert (short.len(), short.sum()) == (20, 4)
    lines = run.ledger.filter(pl.col("outcome") == "selected")
    assert all(json.loads(e).keys() >= {"rank", "in_order"} for e in lines["evidence"])
    dropped = run.ledger.filter(stage="shortlist").row(0, named=True)
    words = str(run.why(dropped["id"])[0])
    assert "shortlist                dropped not_among_longest" in words
    assert "keep                     not known: it looks at all rows at once" in words


def test_quotas_that_cannot_be_met_stop_the_run_with_the_arithmetic(pool, tmp_path):
    text = pools.RECIPE.replace("seed: 1}", "quota: {source: {more: {min: 50}}}}")
    with pytest.raises(s1data.StageError, match=r"stage keep: quota of source more: .* got \d+"):
        pools.pipeline(pool, text).run(tmp_path / "run")


def test_where_no_setting_is_known_that_would_keep_a_row_nothing_is_promised(pool, tmp_path):
    """How far n must rise for k-center to reach a row is not computed: it may well reach it."""
    text = pools.RECIPE.replace(
        "  - keep_random: {as: keep, n: 20, seed: 1}\n",
        "  - add_embedding: {encoder: tfidf-svd, dimensions: 8}\n"
        "  - keep_kcenter: {as: keep, n: 20, quota: {source: {sums: {max: 20}}}}\n",
    )
    run = pools.pipeline(pool, text).run(tmp_path / "run")
    out = run.ledger.filter(stage="keep", reason="covered").row(0, named=True)
    words = str(run.why(out["id"])[0])
    assert "is chosen and near it" in words
    assert "no setting is known with which it would be kept" in words
    assert "no setting of this stage" not in words


def test_a_canonical_column_that_nothing_made_is_null_of_its_own_type(tmp_path):
    pl.DataFrame({"row": [0, 1, 2], "question": ["a", "b", "c"]}).cast(
        {"row": pl.UInt32}
    ).write_parquet(tmp_path / "rows.parquet")
    state = State(tmp_path / "rows.parquet")
    state.drop(pl.Series([1], dtype=pl.UInt32))
    shown = state.load(["question", "traces"])
    assert shown.schema["traces"] == columns.COLUMNS["traces"]
    assert shown.rows() == [(0, "a", None), (2, "c", None)]
