"""Every published recipe runs on generated rows: each filter finds work, exactly N come out."""

import polars as pl
import pytest

from s1data import published
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
    again = pipeline.run(tmp_path / "again", **options)
    assert again.selected.equals(run.selected)
    checked = verify(run)
    assert (checked.reached, checked.differences) == ("decisions", ())


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
