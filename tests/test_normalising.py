"""Normalisation: what it makes equal, what it keeps apart, and each step switched off and shown."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data.normalising import Normalisation, normalised, steps

SWITCHES = [name for name in Normalisation.model_fields if name not in ("case", "number_words")]
ALL_OFF = Normalisation.model_validate(dict.fromkeys(Normalisation.model_fields, False))


def plain(text, **switches):
    return normalised(pl.Series([text]), Normalisation(**switches)).item()


@pytest.mark.parametrize(
    ("one", "other", "step"),
    [
        ("a\u200bb\ufeff", "ab", "zero_width"),
        ("\uff58 e\ufb03cient", "x efficient", "unicode"),
        ("\u211d", "R", "unicode"),
        ("\u0430 \u2018b\u2019 \u2013 c", "a 'b' - c", "look_alikes"),
        (r"5\,a\quad b~c \\[2pt] d", "5 a b c d", "latex_spacing"),
        (r"10{,}000", "10,000", "latex_spacing"),
        ("x + 1 = ( y )", "x+1=(y)", "latex_spacing"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}", "latex_synonyms"),
        (r"x \leqslant y", "x \u2264 y", "latex_synonyms"),
        (r"\le\le\leq 5", "\u2264\u2264\u22645", "latex_synonyms"),
        (r"\left( a \right)", "(a)", "latex_synonyms"),
        (r"\pi r", r"\pi{}r", "latex_synonyms"),
        (r"2\pi r", "2\u03c0r", "latex_synonyms"),
        (r"90^\circ", r"90^{\circ}", "latex_synonyms"),
        (r"90^\circ C", "90\u00b0C", "latex_synonyms"),
        ("x^2", "x^{2}", "latex_synonyms"),
        ("x\u00b2\u00b3", "x^{23}", "latex_synonyms"),
        ("x\u2082", "x_2", "latex_synonyms"),
        ("\u00bd", r"\frac{1}{2}", "latex_synonyms"),
        ("C_5^2", "C_{5}^{2}", "latex_synonyms"),
        (r"\frac12", r"\frac{1}{2}", "latex_synonyms"),
        (r"\dfrac\pi 2", r"\frac{\pi}{2}", "latex_synonyms"),
        (r"\frac{x_1}2", r"\frac{x_{1}}{2}", "latex_synonyms"),
        (r"\sqrt2", r"\sqrt{2}", "latex_synonyms"),
        (r"\frac{\sqrt{2}}2", r"\frac{\sqrt{2}}{2}", "latex_synonyms"),
        (r"\frac{\sqrt2}2", r"\frac{\sqrt{2}}2", "latex_synonyms"),
        (r"\frac{\frac12}3", r"\frac{\frac{1}{2}}{3}", "latex_synonyms"),
        (r"\frac{\sqrt{x^{2}}}3", r"\frac{\sqrt{x^2}}{3}", "latex_synonyms"),
        (r"\sqrt[3]2", r"\sqrt[3]{2}", "latex_synonyms"),
        (r"\dbinom52", r"\binom{5}{2}", "latex_synonyms"),
        (r"x^\pi", r"x^{\pi}", "latex_synonyms"),
        (r"5 {\rm cm}", "5 cm", "latex_synonyms"),
        (r"x^{\rm cm}", r"x^{\mathrm{cm}}", "latex_synonyms"),
        (r"\textbf{\text{a b}}", "a b", "text_wrappers"),
        (r"$x$ and $$y$$", r"\(x\) and \[y\]", "math_delimiters"),
        ("Let $x$ be", "Let x be", "math_delimiters"),
        (" a\t b\x1c\n", "a b", "white_space"),
    ],
)
def test_each_step_makes_equal_what_it_says_and_nothing_does_without_it(one, other, step):
    assert plain(one) == plain(other)
    assert plain(one, **{step: False}) != plain(other, **{step: False})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2\u2075", "25"),
        ("2\u2075", "2\u2085"),
        ("x\u2081\u2082", "x12"),
        ("3\u00bd", "31\u20442"),
        ("\u2460\u2461", "12"),
        ("\u2460", "\u00b9"),
        ("x^23", "x^{2}3"),
        (r"\int_{1}^{23} x", r"\int_{12}^{3} x"),
        ("x_{1}^{2}", "x_{12}"),
        ("C_{5}^{2}", "C_{52}"),
        ("2^{3}_{4}", "2^{34}"),
        ("x\u00b2\u2083", "x^{23}"),
        (r"\frac12", r"\frac{12}{}"),
        (r"\frac123", r"\frac{1}{23}"),
        (r"\frac{\sqrt{2}}23", r"\frac{\sqrt{2}}{23}"),
        ("twenty-five", "25"),
        ("x = 5", "x = 6"),
        ("x = 5", "x = -5"),
        ("1,000", "1.000"),
        ("{1, 234}", "{1,234}"),
        ("2$3$", "23"),
        ("2$3$4", "234"),
        (r"\left", r"\le ft"),
        ("c1ccccc1", "C1CCCCC1"),
        ("x < y", "x > y"),
        (r"\sin x", r"\cos x"),
        ("a b", "ab"),
    ],
)
def test_what_means_something_is_kept_apart(one, other):
    assert plain(one) != plain(other)


def test_case_is_lost_only_where_asked():
    assert plain("Stra\u00dfe X") != plain("STRASSE x")
    assert plain("Stra\u00dfe X", case=True) == plain("STRASSE x", case=True)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("Twenty-five of TEN.", "25 of 10."),
        ("forty\u2010two", "42"),
        ("two three-digit numbers", "2 3-digit numbers"),
        ("twenty five-dollar bills", "20 5-dollar bills"),  # another sum than 25-dollar bills
        ("two hundred-dollar bills", "2 hundred-dollar bills"),  # another sum than 200-dollar bills
        ("anyone, someone, one often tends", "anyone, someone, one often tends"),
        (r"\ten{x}", r"\ten{x}"),
    ],
)
def test_numbers_in_words_become_digits_only_where_asked_and_sure(text, digits):
    assert plain(text, number_words=True) == digits
    assert plain(text) == plain(text, number_words=False)
    assert steps(text, Normalisation(number_words=True))[-2] == ("number_words", digits)


TEXTS = st.text(alphabet="aA1 \\${}()[]^_,.\u2075\u200b\u00bd\u0430\uff41fractle\n", max_size=30)


@given(TEXTS)
def test_digits_of_plain_text_are_all_kept_in_order(text):
    def digits(some):
        return [c for c in some if c in "0123456789"]

    ascii_text = text.encode("ascii", "ignore").decode()
    assert digits(plain(ascii_text)) == digits(ascii_text)


@given(TEXTS)
def test_the_steps_shown_end_in_what_is_compared(text):
    shown = steps(text, Normalisation())
    assert shown[-1][1] == plain(text)
    assert [name for name, _ in shown] == [
        "zero_width",
        "unicode",
        "look_alikes",
        "latex_spacing",
        "latex_synonyms",
        "text_wrappers",
        "math_delimiters",
        "latex_spacing",
        "white_space",
    ]


@given(st.lists(st.none() | TEXTS, max_size=6))
def test_a_text_is_normalised_the_same_alone_and_in_company(texts):
    whole = normalised(pl.Series("some", texts, pl.String), Normalisation())
    assert whole.name == "some"
    assert whole.to_list() == [None if text is None else plain(text) for text in texts]


@given(TEXTS)
def test_all_switched_off_changes_nothing(text):
    assert normalised(pl.Series([text]), ALL_OFF).item() == text
    assert steps(text, ALL_OFF) == []


def test_every_switch_has_a_case_above():
    marks = test_each_step_makes_equal_what_it_says_and_nothing_does_without_it.pytestmark
    assert {step for _, _, step in marks[0].args[1]} == set(SWITCHES)


SCRIPTED = st.lists(
    st.sampled_from([*"123xC", "_{1}", "^{23}", "^2", "_5", r"\frac", r"\sqrt", "{12}", "{3}", " "])
).map("".join)


@given(SCRIPTED)
def test_scripts_and_fractions_keep_their_digits_and_normalising_again_changes_nothing(text):
    once = plain(text)
    assert [c for c in once if c.isdigit()] == [c for c in text if c.isdigit()]
    assert plain(once) == once


@given(st.lists(st.integers(0, 999), min_size=4, max_size=4), st.sampled_from("^_"))
def test_two_scripted_terms_are_equal_only_if_each_number_is(numbers, mark):
    one, two, three, four = numbers
    other = "_" if mark == "^" else "^"
    texts = [f"x{mark}{{{a}}}{other}{{{b}}}" for a, b in ((one, two), (three, four))]
    assert (plain(texts[0]) == plain(texts[1])) == ((one, two) == (three, four))
