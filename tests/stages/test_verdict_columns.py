"""Verdicts in columns become attempts, which is what difficulty is decided on."""

import polars as pl
import pytest

import s1data
from s1data.stages import get

FRAME = pl.DataFrame(
    {
        "question": ["a?", "b?", "c?", "d?"],
        "small": [True, False, None, False],
        "large": [False, False, False, None],
    }
)
STAGE = get("add_verdict_columns").model_validate({"solvers": {"S/7B": "small", "S/32B": "large"}})


def test_each_solver_has_one_recorded_attempt_and_none_where_nothing_is_said():
    made = s1data.apply(STAGE, FRAME).kept["attempts"].to_list()
    said = [[(a["solver"], a["verdict"], a["method"]) for a in row] for row in made]
    right, wrong = ("S/7B", True, "recorded"), ("S/7B", False, "recorded")
    other = ("S/32B", False, "recorded")
    assert said == [[other, right], [other, wrong], [other], [wrong]]


@pytest.mark.parametrize(("unknown", "left"), [("drop", ["b?"]), ("keep", ["b?", "c?", "d?"])])
def test_what_either_solved_is_dropped_and_what_one_did_not_try_is_undecided(unknown, left):
    solved = get("drop_solved").model_validate(
        {"rule": "any", "unknown": unknown, "solvers": ["S/7B", "S/32B"]}
    )
    assert s1data.apply(solved, s1data.apply(STAGE, FRAME).kept).kept["question"].to_list() == left


def test_a_column_of_another_type_is_refused_by_name():
    (problem,) = STAGE.check({"small": pl.String(), "large": pl.Boolean()}, {})
    assert (problem.field, problem.got) == ("solvers", "small: String")
    (again,) = STAGE.check({"small": pl.Boolean(), "attempts": s1data.pool.COLUMNS["attempts"]}, {})
    assert "attempts are there already" in again.got
