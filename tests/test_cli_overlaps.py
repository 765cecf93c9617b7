"""`s1data overlaps`: counts, pairs for reading and their export, from a run's directory."""

import json
import shutil

import polars as pl
import pytest
from click.testing import CliRunner

from s1data import cli
from tests import pools

HELD = pools.RECIPE.replace(
    "  - drop_contaminated: {against: [bench]}",
    "  - add_contamination: {as: noted, against: [bench], methods: [normalised, template]}\n"
    "  - drop_contaminated: {against: [bench], methods: [ngram8, normalised]}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlaps")
    pools.lay(folder)
    pools.pipeline(folder, HELD).run(folder / "run")
    return folder


def call(*arguments):
    done = CliRunner().invoke(cli.app, ["overlaps", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def counts(told, stage):
    return {line["method"]: line for line in told[stage]["counts"]}


def test_each_stage_tells_items_rows_and_what_only_one_method_found(folder):
    told = json.loads(call(folder / "run", "--json").stdout)
    assert list(told) == ["noted", "drop_contaminated"]
    noted = counts(told, "noted")
    assert noted["normalised"]["only_this_method"] == 0
    assert noted["template"]["rows"] > noted["normalised"]["rows"] > 0
    record = json.loads((folder / "run" / "manifest.json").read_text())
    (stage,) = [s for s in record["stages"] if s["label"] == "drop_contaminated"]
    figures = stage["figures"]["benchmarks"]["bench"]
    assert {
        method: {name: line[name] for name in ("items", "rows", "only_this_method")}
        for method, line in counts(told, "drop_contaminated").items()
    } == figures
    shown = call(folder / "run").stdout
    assert f"{figures['ngram8']['rows']:,}" in shown
    assert "only this method" in shown


def test_what_only_one_method_found_does_not_depend_on_which_is_shown(folder):
    whole = counts(json.loads(call(folder / "run", "--json").stdout), "noted")
    some = json.loads(call(folder / "run", "--json", "--method", "normalised").stdout)
    assert counts(some, "noted") == {"normalised": whole["normalised"]}


def test_borderline_pairs_come_least_alike_first_with_both_texts(folder):
    told = json.loads(
        call(folder / "run", "--json", "--method", "template", "--borderline", 5).stdout
    )
    pairs = told["noted"]["borderline"]
    scores = [pair["score"] for pair in pairs]
    assert len(pairs) == 5
    assert scores == sorted(scores)
    assert scores[0] < 1
    for pair in pairs:
        assert pair["question"] != pair["item_question"]
        assert pair["question"][:9] == pair["item_question"][:9] == "A farmer "
    assert told["drop_contaminated"]["borderline"] == []
    shown = call(folder / "run", "--method", "template", "--borderline", 5).stdout
    assert pairs[0]["id"] in shown
    assert pairs[0]["item_question"] in shown


def test_every_pair_is_exported(folder, tmp_path):
    out = tmp_path / "pairs.parquet"
    assert call(folder / "run", "--out", out).exit_code == 0
    pairs = pl.read_parquet(out)
    assert set(pairs["stage"]) == {"noted", "drop_contaminated"}
    assert set(pairs["method"]) == {"normalised", "template", "ngram8"}
    assert pairs["id"].null_count() == 0
    dropped = pairs.filter(stage="drop_contaminated")["row"].n_unique()
    ledger = pl.read_parquet(folder / "run" / "ledger.parquet")
    assert dropped == ledger.filter(stage="drop_contaminated").height


def test_items_of_a_benchmark_that_asks_for_it_are_not_shown(tmp_path):
    pools.lay(tmp_path)
    bench = pl.read_csv(tmp_path / "bench.csv")
    bench.with_columns(benchmark=pl.lit("gpqa_diamond")).write_csv(tmp_path / "bench.csv")
    recipe = HELD.replace("columns: [question]}", "columns: [question, benchmark]}")
    pools.pipeline(tmp_path, recipe).run(tmp_path / "run")
    told = json.loads(call(tmp_path / "run", "--json", "--borderline", 3).stdout)
    pairs = told["drop_contaminated"]["borderline"] + told["noted"]["borderline"]
    assert {pair["item_question"] for pair in pairs} == {None}
    assert all(pair["span"].startswith("sha256:") for pair in pairs)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "ngram9"], "nearest: ngram8"),
        (["--benchmark", "bensh"], "nearest: bench"),
        (["--borderline", "0"], "--borderline"),
        (["--out", "no/such/folder/pairs.parquet"], "no/such/folder"),
    ],
)
def test_a_wrong_call_is_one_line(folder, arguments, says):
    done = call(folder / "run", *arguments)
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("damaged", "named"),
    [
        ("stages/*-noted/artefact.parquet", "artefact.parquet"),
        ("stages/*-noted/items.parquet", "items.parquet"),
        ("stages/*-noted/record.json", "-noted"),
        ("stages/*-read/rows.parquet", "rows.parquet"),
        ("stages/*-read/record.json", "-read"),
        ("pipeline.yaml", "pipeline.yaml"),
    ],
)
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
def test_of_a_damaged_run_one_line_says_which_file(folder, tmp_path, capsys, damaged, named, how):
    shutil.copytree(folder / "run", tmp_path / "run")
    (path,) = (tmp_path / "run").glob(damaged)
    if how == "gone":
        path.unlink()
    elif how == "cut" and path.suffix == ".yaml":  # whole lines, which may be a recipe still
        path.write_text(path.read_text().partition("- drop_contaminated")[0].rstrip())
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif path.suffix == ".parquet":
        pl.DataFrame({"some": [1]}).write_parquet(path)
    else:
        path.write_text("[1]")
    with pytest.raises(SystemExit) as end:
        cli.main(["overlaps", str(tmp_path / "run")])
    said = capsys.readouterr()
    assert end.value.code in (1, 2)
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("s1data: ")
    assert named in line


def test_a_run_that_holds_nothing_against_benchmarks_says_so(tmp_path):
    pools.lay(tmp_path)
    line = "  - drop_contaminated: {against: [bench]}\n"
    run = pools.pipeline(tmp_path, pools.RECIPE.replace(line, "")).run(tmp_path / "run")
    assert "holds rows against benchmarks" in call(run.path).stdout
    shutil.rmtree(tmp_path)
