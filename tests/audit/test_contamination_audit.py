"""The matches with benchmarks that were read: well formed, still found, and of fuzzy all of them."""

from pathlib import Path

import polars as pl
import pytest

from s1data import apply, pool
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.annotating import AddContamination
from s1data.stages.matching import METHODS
from s1data.stages.vectors import AddEmbedding

CASES = pl.read_csv(Path(__file__).with_name("contamination.csv"))
PAIR = ["id", "item_question_id", "benchmark"]
FRESH = ("s1k_selected", "attempts_math")
"""Questions that stood in for a benchmark, so that fuzzy met pairs on which nothing was chosen."""
IS_FRESH = pl.col("benchmark").is_in(FRESH)
NEAR = pl.col("method") == "embedding"
DEFAULT = AddContamination(against=("any",)).embedding_score


def test_each_method_has_a_hundred_cases_and_every_case_a_class_and_a_reason():
    assert set(CASES["class"]) == {"same question", "different question", "ambiguous"}
    assert CASES["reason"].null_count() == 0
    assert CASES.select(*PAIR, "item", "method").is_unique().all()
    read = dict(CASES.group_by("method").len().iter_rows())
    assert set(read) == {*METHODS, "template", "embedding"}
    assert min(read.values()) >= 100
    assert CASES.filter(IS_FRESH).height >= 100
    assert CASES.filter(NEAR, pl.col("score") >= DEFAULT).height >= 100


def found_in(questions, inputs, methods):
    """Method and `PAIR` of all matches, and whether the texts are the very same."""
    stage = AddContamination(against=tuple(inputs), methods=methods)
    found = apply(stage, questions, inputs).artefact
    items = pl.concat(
        frame.select(
            benchmark=pl.lit(name),
            item=pl.int_range(pl.len(), dtype=pl.UInt32),
            item_question_id=pool.question_ids(frame["question"]),
        )
        for name, frame in inputs.items()
    )
    ids = pool.question_ids(questions["question"]).to_frame("id").with_row_index("row")
    return found.join(items, on=["benchmark", "item"]).join(ids, on="row")


def unlike(found):
    """The matches of other methods than normalised whose texts are not equal by it."""
    same = found.filter(pl.col("method") == "normalised").select(PAIR)
    return found.join(same, on=PAIR, how="anti")


@pytest.mark.real
def test_the_methods_still_find_what_was_read_and_fuzzy_nothing_else(real_data):
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question"])
        for path in sorted((real_data / "benchmarks").glob("*.parquet"))
    }
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question"])
    found = found_in(questions, inputs, (*METHODS, "template"))
    cases = CASES.filter(~IS_FRESH, ~NEAR)
    equal = pl.col("method") == "normalised"
    others, read = unlike(found), cases.filter(~equal)
    assert read.join(others, on=[*PAIR, "method"], how="anti").is_empty()
    assert cases.filter(equal).join(found, on=[*PAIR, "method"], how="anti").is_empty()
    assert cases.filter(equal, pl.col("id") == pl.col("item_question_id")).is_empty()
    fuzzy, known = (f.filter(pl.col("method") == "fuzzy").select(PAIR) for f in (others, read))
    assert fuzzy.join(known, on=PAIR, how="anti").is_empty()


@pytest.mark.real
def test_fuzzy_still_finds_the_fresh_pairs(real_data):
    attempts = pl.read_parquet(real_data / "attempts_math.parquet", columns=["question"])
    inputs = {
        "s1k_selected": pl.read_parquet(real_data / "s1k_selected.parquet", columns=["question"]),
        "attempts_math": attempts.unique().sort("question"),
    }
    inputs = {name: frame.drop_nulls("question") for name, frame in inputs.items()}
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question"])
    others = unlike(found_in(questions, inputs, ("normalised", "fuzzy")))
    assert CASES.filter(IS_FRESH).join(others, on=[*PAIR, "method"], how="anti").is_empty()


@pytest.mark.real
def test_the_vectors_of_what_was_read_are_still_as_near(real_data, tmp_path):
    cases = CASES.filter(NEAR)
    whole = [pl.read_parquet(real_data / "pool.parquet", columns=["question"])]
    whole += [
        pl.read_parquet(path, columns=["question"])
        for path in sorted((real_data / "benchmarks").glob("*.parquet"))
    ]
    known = pl.concat(whole).unique("question", maintain_order=True)
    known = known.with_columns(id=pool.question_ids(known["question"]))
    rows = known.join(cases.select("id").unique(), on="id", how="semi", maintain_order="left")
    of = cases.select(id="item_question_id").unique()
    inputs = {"items": known.join(of, on="id", how="semi", maintain_order="left")}
    engine = LocalEngine(read=inputs.__getitem__, vectors_home=tmp_path)
    made = act(AddEmbedding(also=("items",)), with_places(rows.select("question")), engine).kept
    stage = AddContamination(against=("items",), methods=("embedding",), embedding_score=0.8)
    found = act(stage, made, engine).artefact.join(made.select("row", "id"), on="row")
    items = inputs["items"].select(item_question_id="id").with_row_index("item")
    near = found.select("id", "item", now="score").join(items, on="item")
    both = cases.join(near, on=["id", "item_question_id"])
    assert both.height == cases.height
    assert (both["score"] - both["now"]).abs().max() < 0.001
