"""The pairs of duplicates that were read: well formed, and still found by the methods they name."""

from pathlib import Path

import polars as pl
import pytest

from s1data import pool
from s1data.normalising import Normalisation, normalised
from s1data.stages.shingles import content_words, jaccard, numbers, shingles, words_apart
from s1data.stages.templates import masked

CASES = pl.read_csv(Path(__file__).with_name("duplicates.csv"))


def test_each_method_has_a_hundred_cases_and_every_case_a_class_and_a_reason():
    assert CASES.group_by("method").len().filter(pl.col("len") < 100).is_empty()
    assert set(CASES["class"]) == {"same question", "different question", "ambiguous"}
    assert CASES["reason"].null_count() == 0
    assert CASES.select("id", "other_id", "method").is_unique().all()


@pytest.mark.real
def test_the_methods_still_find_what_was_read(real_data):
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question"])["question"]
    known = pl.DataFrame([pool.question_ids(questions), questions]).unique("id")
    one, other = (
        CASES.select(id=side).join(known, on="id", how="left", maintain_order="left")["question"]
        for side in ("id", "other_id")
    )
    assert one.null_count() == other.null_count() == 0
    one, other = normalised(one, Normalisation()), normalised(other, Normalisation())
    method = CASES["method"]
    assert (one == other).filter(method == "normalised").all()
    assert (masked(one) == masked(other)).filter(method == "template").all()
    near = CASES.with_row_index("at").filter(method == "near")
    left, both = near["at"].to_numpy(), pl.concat([one, other])
    right = left + CASES.height
    assert jaccard(shingles(both, 3), left, right).round(3).tolist() == near["score"].to_list()
    assert words_apart(content_words(both), left, right).tolist() == near["words_apart"].to_list()
    number = numbers(both)
    assert (number.gather(left) == number.gather(right)).all()
