"""What is graded of a forced sample, and what a failed request is to the curve."""

import polars as pl
import pytest

from s1data.scaling.curves import point
from s1data.scaling.forcing import Forced, Piece
from s1data.scaling.grading import graded, majority

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
    (line,) = graded(ROWS, [forced(answer, cut=cut)], "cascade").to_dicts()
    assert line["right"] is right


def test_a_lead_in_without_an_answer_is_no_answer():
    (line,) = graded(ROWS, [forced("")], "cascade").to_dicts()
    assert line["extracted"] is None


def test_a_failed_request_is_wrong_and_no_sample_of_thinking():
    failed = Forced(id="a", sample=1, error="too long")
    table = graded(ROWS, [forced(" 571"), failed], "cascade")
    one = point("max8", table, {"a": "q"}, 8, 8)
    assert (one.run.tokens, one.run.accuracy, one.errors) == (8.0, 50.0, 1)


OPTIONS = "Which is prime? (A) 4 (B) 5 (C) 6"


SCHEMA = {"id": pl.String, "extracted": pl.String, "right": pl.Boolean}
VOTES = [
        # Each alone has one vote of three texts; by value two of them are one answer.
        ("q", [("0.5", True), ("3", False), ("1/2", True)], ("0.5", 2, True)),
        ("q", [("3", False), ("3", False), ("0.5", True), ("1/2", True), (r"\frac{1}{2}", True)],
         ("0.5", 3, True)),
        ("q", [("2", None), ("x^2+1", True), ("1+x^2", True), ("2", None)], ("1+x^2", 2, True)),
        ("q", [("2", None), ("x^2+1", True), ("1+x^2", True)], ("1+x^2", 2, True)),
        (OPTIONS, [("A", False), ("B", True), ("5", True)], ("5", 2, True)),
        # The silent do not vote, and of equally many the first in order of code points wins.
        ("q", [(None, None), (None, None), ("7", True), ("3", False)], ("3", 1, False)),
        # No grader could decide one spelling; its equal was judged.
        ("q", [("x+1", None), ("x+1", None), ("1+x", False)], ("x+1", 3, False)),
        ("q", [(None, None)], None),
]  # fmt: skip


def test_a_vote_is_over_equal_answers_in_any_order():
    # All in one table, so that the worker of math-verify starts once.
    rows, questions, wanted = [], {}, {}
    for number, (question, answers, elected) in enumerate(VOTES):
        for turn, order in enumerate((answers, answers[::-1], answers[1:] + answers[:1])):
            id_ = f"{number}-{turn}"
            rows += [{"id": id_, "extracted": text, "right": right} for text, right in order]
            questions[id_], wanted[id_] = question, elected
    got = majority(pl.DataFrame(rows, schema=SCHEMA), questions)
    assert {i: one and (one.answer, one.votes, one.right) for i, one in got.items()} == wanted


def test_the_curve_holds_the_vote_over_equal_answers():
    half = ROWS.with_columns(answer=pl.lit("0.5"))
    said = [" 3", " 3", " 1/2", " 0.5", r" \boxed{\frac{1}{2}}"]
    samples = [
        Forced(id="a", sample=i, pieces=[Piece("answer", text, 4)]) for i, text in enumerate(said)
    ]
    found = point("max8", graded(half, samples, "cascade"), {"a": "q"}, 0, 8)
    assert (found.run.accuracy, found.majority) == (60.0, 100.0)
