"""A column of a named input, joined by question."""

import polars as pl
import pytest
from pydantic import ValidationError

from s1data import StageError, apply, pool
from s1data.stages.columns import AddColumn

POOL = pl.DataFrame({"question": ["a", "b", "c", "b"]})
IDS = {text: pool.question_id(text) for text in "abcxyz"}


def column(**fields):
    return AddColumn.model_validate({"from": "scores", "column": "score", "type": "float"} | fields)


def added(stage, given):
    return apply(stage, POOL, {"scores": given}).added.drop("row")


def test_each_question_gets_its_value_and_others_get_null():
    given = pl.DataFrame({"id": [IDS["b"], IDS["x"], IDS["a"]], "score": [0.5, 0.1, None]})
    assert added(column(), given)["score"].to_list() == [None, 0.5, None, 0.5]


def test_the_order_of_the_file_says_nothing():
    given = pl.DataFrame({"id": list(IDS.values()), "score": [float(i) for i in range(6)]})
    one, other = (apply(column(), POOL, {"scores": g}) for g in (given, given.reverse()))
    assert one.added.equals(other.added)
    assert one.artefact.equals(other.artefact)


def test_only_what_the_pool_asks_for_is_kept_of_a_large_file():
    given = pl.DataFrame(
        {"id": [f"{i:016x}" for i in range(1000)] + [IDS["c"]], "score": [1.0] * 1001}
    )
    assert apply(column(), POOL, {"scores": given}).artefact["id"].to_list() == [IDS["c"]]


def test_a_file_may_name_questions_by_their_text_or_ids_by_another_name():
    by_text = pl.DataFrame({"problem": ["c"], "score": [3.0]})
    by_hash = pl.DataFrame({"question_hash": [IDS["c"]], "score": [3.0]})
    for stage, given in (
        (column(by="question", key="problem"), by_text),
        (column(key="question_hash"), by_hash),
    ):
        assert added(stage, given)["score"].to_list() == [None, None, 3.0, None]


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        ("float", [1, 2], [1.0, 2.0]),
        ("float", [float("nan"), 2.0], [None, 2.0]),
        ("int", pl.Series([1, 2], dtype=pl.Int8), [1, 2]),
        ("text", ["x", "y"], ["x", "y"]),
        ("bool", [True, None], [True, None]),
        ("text", [None, None], [None, None]),
    ],
)
def test_values_come_as_the_type_that_is_named(kind, values, wanted):
    given = pl.DataFrame({"id": [IDS["a"], IDS["c"]], "score": values})
    out = added(column(type=kind, as_column="mine"), given)
    assert out["mine"].to_list() == [wanted[0], None, wanted[1], None]
    assert dict(out.schema) == column(type=kind, as_column="mine").adds()


@pytest.mark.parametrize(
    ("kind", "values"),
    [("int", [0.5]), ("text", [1]), ("bool", ["true"]), ("float", ["1.0"])],
)
def test_a_value_of_another_type_is_refused_before_and_while_running(kind, values):
    given = pl.DataFrame({"id": [IDS["a"]], "score": values})
    (problem,) = column(type=kind).check({}, {"scores": dict(given.schema)})
    assert (problem.field, problem.got) == ("type", kind)
    with pytest.raises(StageError, match=f"field type: wanted .*, got {kind}"):
        added(column(type=kind), given)


def test_two_lines_of_one_question_are_an_error_that_names_it():
    given = pl.DataFrame({"id": [IDS["x"], IDS["x"], IDS["a"]], "score": [1.0, 1.0, 2.0]})
    with pytest.raises(StageError, match=IDS["x"]):
        added(column(), given)


@pytest.mark.parametrize("name", ["id", "row", "source", "priority", "question"])
def test_the_pools_own_columns_cannot_be_replaced(name):
    with pytest.raises(ValidationError, match="as_column"):
        column(as_column=name)


def test_a_column_that_is_there_or_a_missing_one_is_found_before_running():
    inputs = {"scores": {"id": pl.String(), "score": pl.Float64()}}
    assert [p.field for p in column().check({"score": pl.Float64()}, inputs)] == ["column"]
    assert [p.field for p in column(column="scor").check({}, inputs)] == ["column"]
    assert [p.field for p in column(as_column="domain").check({}, inputs)] == ["type"]
    assert list(column(as_column="domain_score").check({}, inputs)) == []
