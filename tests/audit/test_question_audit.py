"""What was read and classed of question flaws still is what the stage says."""

from pathlib import Path

import polars as pl
import pytest

from s1data import pool
from s1data.stages.question_flaws import AddQuestionFlaws

pytestmark = pytest.mark.real
HERE = Path(__file__).parent
CLASSES = {"rightly flagged", "wrongly flagged", "ambiguous"}
ENOUGH = 50


def test_every_question_that_was_read_is_flagged_and_enough_of_each_flaw_were(real_data):
    read = pl.read_csv(HERE / "question_flaws.csv")
    assert set(read["class"]) <= CLASSES
    assert read.select("id", "reason").is_unique().all()
    given = pl.read_parquet(real_data / "pool.parquet", columns=["question", "answer"])
    rows = given.drop_nulls("question").unique("question", keep="first", maintain_order=True)
    flaws = AddQuestionFlaws().columns(rows).with_columns(id=pool.question_ids(rows["question"]))
    found = flaws.explode("question_flaws").drop_nulls("question_flaws").unnest("question_flaws")
    keys = found.select("id", reason="flaw")
    assert read.join(keys, on=["id", "reason"], how="anti").is_empty()
    there = dict(keys.group_by("reason").len().iter_rows())
    counts = dict(read.group_by("reason").len().iter_rows())
    assert {name: counts.get(name, 0) >= min(ENOUGH, n) for name, n in there.items()} == (
        dict.fromkeys(there, True)
    )
