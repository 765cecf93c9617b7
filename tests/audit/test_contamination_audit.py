"""The matches with benchmarks that were read: well formed, and still all that fuzzy finds."""

from pathlib import Path

import polars as pl
import pytest

from s1data import apply, pool
from s1data.stages.contamination import DropContaminated
from s1data.stages.matching import METHODS

CASES = pl.read_csv(Path(__file__).with_name("contamination.csv"))
PAIR = ["id", "item_question_id", "benchmark"]


def test_every_case_has_a_class_and_a_reason_and_stands_once():
    assert set(CASES["class"]) == {"same question", "different question", "ambiguous"}
    assert CASES["reason"].null_count() == 0
    assert CASES.select(*PAIR, "item", "method").is_unique().all()
    of = dict(CASES.group_by("method").len().iter_rows())
    assert of["ngram8"] + of["rare_ngram8"] == 100


@pytest.mark.real
def test_the_methods_still_find_what_was_read_and_fuzzy_nothing_else(real_data):
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question"])
        for path in sorted((real_data / "benchmarks").glob("*.parquet"))
    }
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question"])
    stage = DropContaminated(against=tuple(inputs), methods=METHODS)
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
    found = found.join(items, on=["benchmark", "item"]).join(ids, on="row")
    same = found.filter(pl.col("method") == "normalised").select(PAIR)
    others = found.join(same, on=PAIR, how="anti")
    assert CASES.join(others, on=[*PAIR, "method"], how="anti").is_empty()
    fuzzy, read = (f.filter(pl.col("method") == "fuzzy").select(PAIR) for f in (others, CASES))
    assert fuzzy.join(read, on=PAIR, how="anti").is_empty()
