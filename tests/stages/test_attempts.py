"""Attempts from a file, whatever the order of its lines."""

import polars as pl
import pytest

from s1data import StageError, apply, pool
from s1data.stages.attempts import AddRecordedAttempts

POOL = pl.DataFrame({"question": ["a", "b", "c", "b"]})
LINES = pl.DataFrame(
    [
        ("b", "small", "4", None, "stop", 7),
        ("b", "small", None, False, "length", None),
        ("b", "large", "4", True, "stop", 9),
        ("b", "small", "4", True, "stop", 8),
        ("a", "large", "1", False, None, 3),
        ("elsewhere", "large", "1", True, "stop", 3),
        (None, "large", "1", True, "stop", 3),
        ("a", None, "1", True, "stop", 3),
    ],
    schema=["question", "model", "final_answer", "is_correct", "why", "length"],
    orient="row",
)


def stage(**fields):
    return AddRecordedAttempts.model_validate({"from": "given"} | fields)


def attempts(fields=None, lines=LINES):
    return apply(stage(**(fields or {})), POOL, {"given": lines}).added["attempts"]


def test_a_row_gets_all_attempts_at_its_question_by_solver_and_sample():
    a, b, c, b_again = attempts({"finish": "why", "tokens": "length"}).to_list()
    short = [
        (
            t["solver"],
            t["sample"],
            t["extracted"],
            t["verdict"],
            t["method"],
            t["finish"],
            t["tokens"],
        )
        for t in b
    ]
    assert short == [
        ("large", 0, "4", True, "recorded", "stop", 9),
        ("small", 0, "4", True, "recorded", "stop", 8),
        ("small", 1, "4", None, None, "stop", 7),
        ("small", 2, None, False, "recorded", "length", None),
    ]
    assert b_again == b
    assert [(t["solver"], t["sample"], t["verdict"]) for t in a] == [("large", 0, False)]
    assert c == []


def test_columns_that_are_not_named_stay_null():
    (only,) = attempts({"verdict": ""}).to_list()[0]
    assert (only["finish"], only["tokens"], only["verdict"], only["method"]) == (None,) * 4


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_file_gives_the_same_attempts(seed):
    shuffled = LINES.sample(fraction=1, shuffle=True, seed=seed)
    one, other = (apply(stage(), POOL, {"given": g}) for g in (LINES, shuffled))
    assert one.added.equals(other.added)
    assert one.artefact.equals(other.artefact)


def test_only_named_solvers_are_taken():
    taken = attempts({"solvers": ["large"]}).to_list()
    assert [[t["solver"] for t in row] for row in taken] == [["large"], ["large"], [], ["large"]]


def test_a_solver_without_any_attempt_is_an_error_with_the_nearest_names():
    with pytest.raises(StageError, match=r"solver smal,.*nearest: small"):
        attempts({"solvers": ["large", "smal"]})


def test_lines_may_name_questions_by_id():
    by_id = LINES.with_columns(pool.question_ids(LINES["question"]).alias("key"))
    assert attempts({"by": "id", "key": "key"}, by_id).equals(attempts())


def test_the_artefact_holds_only_questions_of_the_pool():
    artefact = apply(stage(), POOL, {"given": LINES}).artefact
    assert sorted(artefact["id"]) == sorted(map(pool.question_id, "ab"))


def test_a_file_without_lines_gives_every_row_an_empty_list():
    assert attempts(lines=LINES.clear()).to_list() == [[], [], [], []]


@pytest.mark.parametrize(
    ("fields", "columns", "wrong"),
    [
        ({}, {}, []),
        ({"solver": "solver"}, {}, ["solver"]),
        ({"verdict": "final_answer"}, {}, ["verdict"]),
        ({"tokens": "why"}, {}, ["tokens"]),
        ({"extracted": "is_correct"}, {}, ["extracted"]),
        ({"by": "id"}, {}, ["key"]),
        ({}, {"attempts": pool.COLUMNS["attempts"]}, [None]),
    ],
)
def test_what_is_wrong_with_the_file_is_found_before_running(fields, columns, wrong):
    problems = stage(**fields).check(columns, {"given": dict(LINES.schema)})
    assert [problem.field for problem in problems] == wrong
