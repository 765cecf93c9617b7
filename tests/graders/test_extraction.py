"""Which answer a reply ends with, and which rule says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data.graders.extraction import RULES, final_answer


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"Hence \boxed{\frac{3}{4}} follows.", r"\frac{3}{4}", "boxed"),
        (r"\boxed{\sqrt{\frac{a}{b}}}", r"\sqrt{\frac{a}{b}}", "boxed"),
        (r"First \boxed{7}. No, wait: it is \boxed{8}.", "8", "boxed"),
        (r"\boxed{3} and \boxed{5}", "3, 5", "boxed"),
        (r"\boxed{3}. Later on I saw that it must be \boxed{3 \text{ cm}", "3", "boxed"),
        (r"We have \boxed{70} left. The final answer is $80$.", "$80$", "final_answer_is"),
        ("### Final Answer\n\n$$\n\\frac{1}{7}\n$$", r"\frac{1}{7}", "final_answer_is"),
        ("Answer: **C**", "C", "answer_is"),
        ("The correct answer is (B) because it rains.", "(B)", "answer_is"),
        ("So the answer to the riddle is 41 km.", "41 km", "answer_is"),
        ("It adds up.\n#### 1,250", "1,250", "hashes"),
        ("<answer>x - 2</answer>", "x - 2", "answer_tag"),
        ('{"reasoning": "two and two", "answer": "4"}', "4", "json_field"),
        ("After some thought I believe option D is what they want", "D", "choice"),
        ("Because of the above:\n\n(E)\n", "(E)", "choice"),
        ("We have weighed all four of them now. Option C is correct.", "C", "choice"),
        ("The second one floats on water, therefore **D** is the correct answer.", "D", "choice"),
        ("I take option B, as option A is wrong and option C isn't possible", "B", "choice"),
        ("Answer: C) Paris", "C) Paris", "answer_is"),
        ("With that vitamin A is the right answer to a lack of light, some say", None, "none"),
        ("All in all we arrive at $x = 12$.", "x = 12", "last_maths"),
        ("2x - 5y + 13z + 8 = 0", "2x - 5y + 13z + 8 = 0", "whole"),
        ("17 cm", "17 cm", "whole"),
        ("She pays 12 dollars and he pays 1,340.50 dollars at the till", "1,340.50", "last_number"),
        ("I do not know how one would even begin to do such a thing here", None, "none"),
        ("", None, "none"),
        (r"\boxed{6}. The final answer is verified in 2 ways.", "6", "boxed"),
        (r"\boxed{6} Our final answer is correct!", "6", "boxed"),
        ("\\boxed{6}\n**Final answer**\nSee above", "6", "boxed"),
        (r"x = \boxed{1}, y = \boxed{2}", "1, 2", "boxed"),
        ("The answer is St. Louis", "St. Louis", "answer_is"),
        ("The answer is No. 5", "No. 5", "answer_is"),
        ('{"answer": -5e3}', "-5e3", "json_field"),
        ("42\n#### Explanation", "42", "last_number"),
        (r"<think>it is \boxed{4}", None, "thinking_not_ended"),
        (r"<think>\boxed{4}? No.</think>It is \boxed{6}.", "6", "boxed"),
    ],
)
def test_rules(text, answer, rule):
    found = final_answer(text)
    assert (found.answer, found.rule) == (answer, rule)


@given(st.text(alphabet="\\boxed{}()$ answer is:12,.AB<>/think\n#*", max_size=200))
def test_any_text_has_an_answer_or_none_by_a_named_rule(text):
    found = final_answer(text)
    assert found.rule in RULES
    assert (found.answer is None) == (found.rule in RULES[-2:])


def test_a_long_reply_takes_no_longer_than_its_length():
    assert final_answer(r"\boxed{" * 20_000 + "7").rule == "last_number"


@pytest.mark.parametrize(
    "piece", ["<answer>", "\\(", "\\[", "\n", "answer to ", "$ ", "#### ", "####" + " " * 20_000]
)
def test_a_reply_that_loops_ends(piece):
    assert final_answer(piece * (200_000 // len(piece)) + "x").rule in RULES
