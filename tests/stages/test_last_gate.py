"""The last gate: a test item in what goes out stops the run, unless the row is allowed by name."""

import polars as pl
import pytest

from s1data import apply
from s1data.errors import StageError
from s1data.pool import question_id
from s1data.stages.last_gate import CheckContaminated

ITEM = "How many legs have three spiders and one blackbird together in the barn?"
INPUTS = {"test": pl.DataFrame({"question": [ITEM]})}
ROWS = pl.DataFrame(
    {
        "question": ["What is 2 + 2?", "Count the legs."],
        "solution": ["It is 4.", f"The question was: {ITEM} There are 26."],
    }
)


def test_a_hit_in_a_solution_stops_the_run_in_one_line_that_names_the_row():
    with pytest.raises(StageError) as error:
        apply(CheckContaminated(against=("test",)), ROWS, INPUTS)
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert question_id("Count the legs.") in said
    assert "solution is item 0 of test" in said
    assert question_id("What is 2 + 2?") not in said


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"report_only": True}, "report only"),
        ({"allow": {question_id("Count the legs."): "kept on purpose"}}, "kept on purpose"),
    ],
)
def test_a_known_hit_goes_on_with_its_reason(fields, reason):
    outcome = apply(CheckContaminated(against=("test",), **fields), ROWS, INPUTS)
    clean, hit = outcome.kept["benchmark_hits"].to_list()
    assert clean == []
    assert {entry["allowed"] for entry in hit} == {reason}
    assert {entry["benchmark"] for entry in hit} == {"test"}


def test_a_clean_set_passes():
    outcome = apply(CheckContaminated(against=("test",)), ROWS.head(1), INPUTS)
    assert outcome.kept.height == 1


def test_an_allowance_needs_a_reason():
    with pytest.raises(ValueError, match="wanted a reason"):
        CheckContaminated(against=("test",), allow={"0123456789abcdef": " "})
