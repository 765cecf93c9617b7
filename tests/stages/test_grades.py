"""Verdicts by equality where none is recorded."""

import polars as pl
import pytest

from s1data import apply, pool
from s1data.stages.grades import AddRecordedGrades

EMPTY = dict.fromkeys(field.name for field in pool.ATTEMPT.fields)
WRITTEN = {"solver": "small", "sample": 0}


def attempt(extracted=None, verdict=None, method=None):
    return EMPTY | WRITTEN | {"extracted": extracted, "verdict": verdict, "method": method}


def graded(rows, **fields):
    """Rows are (reference answer, attempts)."""
    frame = pl.DataFrame(
        [("q", answer, attempts) for answer, attempts in rows],
        schema={"question": pl.String, "answer": pl.String, "attempts": pool.COLUMNS["attempts"]},
        orient="row",
    )
    return apply(AddRecordedGrades(**fields), frame).kept["attempts"].to_list()


@pytest.mark.parametrize(
    ("extracted", "answer", "verdict", "method"),
    [
        ("4", "4", True, "equality"),
        ("\n 4\u2003", "4 ", True, "equality"),
        ("5", "4", False, "equality"),
        ("4.0", "4", False, "equality"),
        ("X", "x", False, "equality"),
        ("1 / 2", "1/2", False, "equality"),
        (None, "4", False, "no_answer"),
        ("  ", "4", False, "no_answer"),
        ("4", None, None, None),
        ("4", " ", None, None),
        (None, None, None, None),
    ],
)
def test_equality_after_trimming_and_nothing_else(extracted, answer, verdict, method):
    (((out),),) = graded([(answer, [attempt(extracted)])])
    assert (out["verdict"], out["method"]) == (verdict, method)


def test_an_attempt_without_an_answer_may_stay_without_a_verdict():
    (((out),),) = graded([("4", [attempt(None)])], no_answer="none")
    assert (out["verdict"], out["method"]) == (None, None)


@pytest.mark.parametrize("verdict", [True, False])
def test_a_recorded_verdict_stands(verdict):
    (((out),),) = graded([("4", [attempt("4" if not verdict else "5", verdict, "recorded")])])
    assert (out["verdict"], out["method"]) == (verdict, "recorded")


def test_everything_else_of_the_attempts_stays_as_it_was():
    before = [
        ("4", [attempt("4"), attempt("5") | {"sample": 1, "tokens": 7, "finish": "stop"}]),
        ("4", []),
        ("4", None),
        ("5", [attempt("5") | {"solver": "large", "reply_key": "k"}]),
    ]
    after = graded(before)
    assert [row and len(row) for row in after] == [2, [], None, 1]
    for (_, attempts), row in zip(before, after, strict=True):
        for was, now in zip(attempts or [], row or [], strict=True):
            assert {**now, "verdict": None, "method": None} == was


def test_the_reference_may_be_any_column():
    frame = pl.DataFrame({"question": ["q"], "gold": ["4"]}).with_columns(
        attempts=pl.Series([[attempt("4")]], dtype=pool.COLUMNS["attempts"])
    )
    ((out,),) = apply(AddRecordedGrades(reference="gold"), frame).kept["attempts"].to_list()
    assert out["verdict"] is True
