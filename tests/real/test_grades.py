"""Grades on real answers: the readings stand, and every reference is right against itself."""

import csv
import hashlib
from pathlib import Path

import polars as pl
import pytest

from s1data.graders import cascade, workers

pytestmark = pytest.mark.real

READINGS = Path(__file__).parents[1] / "audit" / "grades.csv"
CLASSES = {"we are wrong", "upstream is wrong", "ambiguous"}


def pairs(real_data):
    equivalence = pl.read_parquet(real_data / "answer_equivalence.parquet")
    attempts = pl.read_parquet(real_data / "attempts_math.parquet")
    both = [
        equivalence.select("reference", "candidate"),
        attempts.select(reference="reference_answer", candidate="final_answer").drop_nulls(),
    ]
    return pl.concat(both).unique(maintain_order=True)


def test_every_reading_is_of_a_pair_that_is_there(real_data):
    there = {
        hashlib.sha256(f"{reference}\0{candidate}".encode()).hexdigest(): (reference, candidate)
        for reference, candidate in pairs(real_data).iter_rows()
    }
    with READINGS.open(newline="") as file:
        readings = list(csv.DictReader(file))
    assert len(readings) >= 100
    for reading in readings:
        assert reading["class"] in CLASSES
        assert reading["sha256"] in there


def test_no_reference_of_the_pool_is_wrong_against_itself(real_data):
    answers = pl.read_parquet(real_data / "pool.parquet", columns=["answer"])["answer"]
    references = [a for a in answers.drop_nulls().unique().sort().to_list() if a.strip()]
    with workers.Workers() as processes:
        grades = cascade.grade_pairs([cascade.Pair(a, a) for a in references], processes)
    assert [a for a, g in zip(references, grades, strict=True) if g.right is not True] == []


def test_no_grader_behind_equality_calls_a_reference_wrong_against_itself(real_data):
    """Numbers and choices alone: undecided is no error here, wrong is one."""
    from s1data.graders import choice, numbers
    from s1data.graders.extraction import Extracted

    answers = pl.read_parquet(real_data / "pool.parquet", columns=["answer"])["answer"]
    wrong = [
        (grader.METHOD, a)
        for a in answers.drop_nulls().unique().sort().to_list()
        for grader in (numbers, choice)
        if grader.grade(a, Extracted(a, "given")).right is False
    ]
    assert wrong == []
