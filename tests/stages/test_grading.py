"""Verdicts on attempts and traces: what is filled, what stands, what is counted."""

import polars as pl
import pytest

from s1data import apply, pool
from s1data.stages.grading import AddGrades, wilson

EMPTY = dict.fromkeys(field.name for field in pool.ATTEMPT.fields)


def attempt(extracted=None, **more):
    return EMPTY | {"solver": "small", "sample": 0, "extracted": extracted} | more


def frame(*rows):
    return pl.DataFrame(
        [(f"question {n}", answer, attempts) for n, (answer, attempts) in enumerate(rows)],
        schema={"question": pl.String, "answer": pl.String, "attempts": pool.COLUMNS["attempts"]},
        orient="row",
    )


def graded(*rows, **fields):
    return apply(AddGrades(**fields), frame(*rows)).kept["attempts"].to_list()


@pytest.mark.parametrize(
    ("reference", "entry", "verdict", "method"),
    [
        ("1/2", attempt("0.5"), True, "number"),
        ("1/2", attempt("1/2"), True, "exact"),
        ("1/2", attempt("0.6"), False, "number"),
        ("1/2", attempt("0.5", verdict=False, method="recorded"), False, "recorded"),
        ("1/2", attempt(None), False, "no_answer"),
        ("1/2", attempt(None, finish="length"), None, "undecided:cut"),
        ("1/2", attempt(None, reply_key="gone"), None, "undecided:no_text"),
        (None, attempt("0.5"), None, "undecided:no_reference"),
    ],
)
def test_a_verdict_and_who_gave_it(reference, entry, verdict, method):
    (((out),),) = graded((reference, [entry]))
    assert (out["verdict"], out["method"]) == (verdict, method)


def test_rows_without_attempts_stay_as_they_are():
    assert graded(("4", None), ("4", []), ("4", [attempt("4")]))[:2] == [None, []]


def test_figures_count_methods_pairs_and_agreement():
    rows = frame(("4", [attempt("4"), attempt("4", sample=1), attempt("five", sample=2)]))
    audited = pl.DataFrame(
        {
            "id": [pool.question_id("question 0")] * 2,
            "solver": ["small"] * 2,
            "sample": [0, 1],
            "verdict": [True, False],
        }
    )
    stage = AddGrades(audited="audit")
    figures = stage.figures(apply(stage, rows, {"audit": audited}).artefact)
    assert figures == {
        "graded": 3,
        "by_method": {"exact": {"right": 2}, "undecided:answer_not_maths": {"undecided": 1}},
        "pairs": 2,
        "pairs_undecided": 1,
        "judge_calls_saved": 1,
        "agreement": {"exact": {"agree": 1, "of": 2, "wilson95": list(wilson(1, 2))}},
    }


def test_the_wilson_interval_as_published():
    # Wilson (1927) for 8 of 10, as in any table of it
    assert wilson(8, 10) == (0.4902, 0.9433)
