"""The last gate: a test item in what goes out stops the run, unless the row is allowed by name."""

import json

import polars as pl
import pytest

from s1data import apply
from s1data.errors import StageError
from s1data.pool import question_id
from s1data.stages.last_gate import CheckContaminated
from tests import pools

ITEM = "How many legs have three spiders and one blackbird together in the barn?"
INPUTS = {"test": pl.DataFrame({"question": [ITEM]})}
ROWS = pl.DataFrame(
    {
        "question": ["What is 2 + 2?", "Count the legs."],
        "solution": ["It is 4.", f"The question was: {ITEM} There are 26."],
    }
)


def test_a_hit_in_a_solution_stops_the_run_in_one_line_that_names_the_row():
    with pytest.raises(StageError) as error:
        apply(CheckContaminated(against=("test",)), ROWS, INPUTS)
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert question_id("Count the legs.") in said
    assert "solution matches item 0 of test" in said
    assert question_id("What is 2 + 2?") not in said


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"report_only": True}, "report only"),
        ({"allow": {question_id("Count the legs."): "kept on purpose"}}, "kept on purpose"),
    ],
)
def test_a_known_hit_goes_on_with_its_reason(fields, reason):
    outcome = apply(CheckContaminated(against=("test",), **fields), ROWS, INPUTS)
    clean, hit = outcome.kept["benchmark_hits"].to_list()
    assert clean == []
    assert {entry["allowed"] for entry in hit} == {reason}
    assert {entry["benchmark"] for entry in hit} == {"test"}


def test_a_clean_set_passes():
    outcome = apply(CheckContaminated(against=("test",)), ROWS.head(1), INPUTS)
    assert outcome.kept.height == 1


@pytest.mark.parametrize(
    ("bench", "said"),
    [
        (pl.DataFrame({"question": []}, schema={"question": pl.String}), "benchmark test: has no"),
        (pl.DataFrame({"question": [None, " ", "\u200b"]}), "benchmark test: has no question"),
        (
            pl.DataFrame({"question": [ITEM, None], "benchmark": ["a", "b"]}),
            "benchmark b: has no question",
        ),
        (
            pl.DataFrame({"problem": [ITEM]}),
            "wanted a String column question in input test, got columns problem",
        ),
        (pl.DataFrame({"question": [ITEM], "item_id": [[1]]}), "wanted plain values in item_id"),
    ],
)
def test_a_benchmark_that_can_find_nothing_is_refused_in_one_line(bench, said):
    with pytest.raises(StageError, match=said) as error:
        apply(CheckContaminated(against=("test",)), ROWS, {"test": bench})
    assert len(str(error.value).splitlines()) == 1


def test_a_list_that_holds_no_replies_is_refused_in_one_line():
    rows = ROWS.with_columns(traces=pl.lit(["a"]))
    with pytest.raises(StageError, match="wanted texts, or a list with reply_key, in traces"):
        apply(CheckContaminated(against=("test",)), rows, INPUTS)


def test_a_set_needs_neither_solutions_nor_traces():
    outcome = apply(CheckContaminated(against=("test",)), ROWS.select("question"), INPUTS)
    assert outcome.kept["benchmark_hits"].to_list() == [[], []]


def test_an_allowance_needs_a_reason():
    with pytest.raises(ValueError, match="wanted a reason"):
        CheckContaminated(against=("test",), allow={"0123456789abcdef": " "})


GATED = """\
name: gated
version: 2026.11.0
sources:
  - {name: sums, path: sums.jsonl}
inputs:
  bench: {path: bench.csv, columns: [question]}
  traces: {path: traces.parquet}
stages:
  - drop_incomplete: {needs: [answer]}
  - drop_contaminated: {against: [bench], methods: [normalised]}
  - add_recorded_traces: {from: traces}
  - keep_random: {as: keep, n: 500, seed: 1}
  - check_contaminated:
      as: gate
      against: [bench]
      methods: [normalised, fuzzy]
"""


def test_a_test_item_in_the_trace_of_a_chosen_row_stops_the_run(tmp_path):
    pools.lay(tmp_path)
    said = [f"We are asked: {pools.question(10)} So count." if i == 1 else "Count them."
            for i in range(120)]  # fmt: skip
    asked = [pools.question(i) for i in range(120)]
    traces = {"question": asked, "model": "t", "thinking": said, "answer": "Many."}
    pl.DataFrame(traces).write_parquet(tmp_path / "traces.parquet")
    text = GATED.replace("traces.parquet", json.dumps(str(tmp_path / "traces.parquet")))
    with pytest.raises(StageError, match="traces matches item") as error:
        pools.pipeline(tmp_path, text).run(tmp_path / "run")
    row_id = question_id(pools.question(1))
    assert row_id in str(error.value)
    allowed = f'{text}      allow: {{"{row_id}": known}}\n'
    run = pools.pipeline(tmp_path, allowed).run(tmp_path / "run")
    assert run.finished
    (hits,) = run.selected.filter(pl.col("id") == row_id)["benchmark_hits"].to_list()
    assert {(hit["column"], hit["allowed"]) for hit in hits} == {("traces", "known")}
    (gate,) = [s for s in run.manifest["stages"] if s["label"] == "gate"]
    assert gate["figures"]["allowed"] == {row_id: "known"}
