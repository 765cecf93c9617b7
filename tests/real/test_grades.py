"""Grades on real answers: the readings stand, and every reference is right against itself."""

import csv
import hashlib
from pathlib import Path

import polars as pl
import pytest

from s1data.graders import cascade, workers
from s1data.graders.protocol import answer_of

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


def test_every_reading_is_of_what_the_graders_say_now(real_data):
    """A line that is not mended stands as it was read; a mended one stands no more."""
    there = {
        hashlib.sha256(f"{reference}\0{candidate}".encode()).hexdigest(): (reference, candidate)
        for reference, candidate in pairs(real_data).iter_rows()
    }
    with READINGS.open(newline="") as file:
        readings = list(csv.DictReader(file))
    assert {reading["class"] for reading in readings} <= CLASSES
    tests = pl.read_parquet(real_data / "answer_equivalence.parquet").filter(
        pl.col("label_kind") == "unit_test"
    )
    whole = set(tests.select("reference", "candidate").iter_rows())
    asked = [
        # Unit tests hold whole replies; the other lines are final answers already.
        cascade.Pair(*(answer_of(text) or text for text in pair) if pair in whole else pair)
        for pair in (there[reading["sha256"]] for reading in readings)
    ]
    with workers.Workers() as processes:
        grades = cascade.grade_pairs(asked, processes)
    standing = 0
    for reading, grade in zip(readings, grades, strict=True):
        if "mended" in reading["reason"]:
            assert reading["class"] == "we are wrong"
            assert grade.verdict != reading["verdict"], reading
        else:
            assert (grade.verdict, grade.method) == (reading["verdict"], reading["method"]), reading
            standing += 1
    assert standing >= 100


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
