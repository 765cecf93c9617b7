"""What is graded of a forced sample, and what a failed request is to the curve."""

import polars as pl
import pytest

from s1data.scaling import sweep
from s1data.scaling.forcing import Forced, Piece

ROWS = pl.DataFrame({"id": ["a"], "question": ["q"], "answer": ["571"]})


def forced(answer, *, cut=True, error=None):
    pieces = [Piece("thinking", "so", 8)]
    pieces += [Piece("final", "Final Answer:")] if cut else []
    return Forced(id="a", pieces=[*pieces, Piece("answer", answer, 4)], error=error)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (" 571", True),
        (" The answer is 571.", True),
        (" The answer is $571$.", True),
        (r" \boxed{571}", True),
        (" 572", False),
        (" The answer is 572.", False),
    ],
)
def test_what_was_put_in_does_not_change_a_verdict(cut, answer, right):
    (line,) = sweep.graded(ROWS, [forced(answer, cut=cut)], "cascade").to_dicts()
    assert line["right"] is right


def test_a_lead_in_without_an_answer_is_no_answer():
    (line,) = sweep.graded(ROWS, [forced("")], "cascade").to_dicts()
    assert line["extracted"] is None


def test_a_failed_request_is_wrong_and_no_sample_of_thinking():
    failed = Forced(id="a", sample=1, error="too long")
    table = sweep.graded(ROWS, [forced(" 571"), failed], "cascade")
    point = sweep.point("max8", table, 8, 8)
    assert (point.run.tokens, point.run.accuracy, point.errors) == (8.0, 50.0, 1)
