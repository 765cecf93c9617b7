"""What leaves as incomplete or malformed, and that the s1 rules are s1's to the letter."""

import json
import re
import sys
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from s1data import Evidence, apply
from s1data.stages.malformed import DropIncomplete, DropMalformed

FRENCH = "Combien font deux et deux ? Répondez en français, s'il vous plaît."
DRAWN = "[asy] draw((0,0)--(1,1)); [/asy]"


def reasons(stage, questions, **columns):
    frame = pl.DataFrame(
        {"question": questions, **columns}, schema_overrides={"question": pl.String}
    )
    outcome = apply(stage, frame)
    said = dict(outcome.dropped.select("row", "reason").iter_rows())
    return [said.get(row) for row in range(len(questions))]


def test_a_row_leaves_for_any_needed_value_that_is_null_empty_or_blank():
    frame = pl.DataFrame({"question": ["a", "b", "c", "d"], "answer": ["1", None, "", "\u2003\t"]})
    outcome = apply(DropIncomplete(needs=["question", "answer"]), frame)
    assert outcome.kept["question"].to_list() == ["a"]
    assert [json.loads(e) for e in outcome.dropped["evidence"]] == [{"missing": ["answer"]}] * 3


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (pl.Series([1, None]), [False, True]),
        (pl.Series([0.5, float("nan"), None]), [False, True, True]),
        (pl.Series([[1], [], None], dtype=pl.List(pl.Int64)), [False, True, True]),
    ],
    ids=["whole numbers", "numbers", "lists"],
)
def test_what_is_missing_depends_on_what_the_column_holds(values, missing):
    frame = pl.DataFrame({"question": ["q"] * len(values), "value": values})
    dropped = apply(DropIncomplete(needs=["value"]), frame).dropped["row"].to_list()
    assert dropped == [row for row, gone in enumerate(missing) if gone]


def test_a_row_that_lacks_every_needed_column_is_kept_by_no_setting():
    stage = DropIncomplete(needs=["question", "answer"])
    frame = pl.DataFrame(
        {"question": ["a", ""], "answer": [None, None]}, schema_overrides={"answer": pl.String}
    )
    found = [json.loads(text) for text in apply(stage, frame).dropped["evidence"]]
    changes = [stage.keeps_if(Evidence("missing_value", values)) for values in found]
    assert changes == [{"needs": ("question",)}, None]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (None, "empty_question"),
        ("", "empty_question"),
        (" \n\t", "empty_question"),
        ("What is 2 + 2?", None),
        ("x" * 20_000, None),
        ("x" * 20_001, "too_long"),
        ("![Image] What is the angle?", "missing_figure"),
        ("See ![a plot](plot.png). What is its slope?", "missing_figure"),
        (r"\includegraphics[width=3cm]{p.png} Name the shape.", "missing_figure"),
        ('Name the shape <img src="p.png">.', "missing_figure"),
        ("Name the shape. <image>", "missing_figure"),
        ("Find the area of the region shown in the figure.", "missing_figure"),
        ("In the diagram below, AB = 3. Find BC.", "missing_figure"),
        (f"In the diagram below, AB = 3. Find BC. {DRAWN}", None),
        (f"{DRAWN} ![Image] Find BC.", "missing_figure"),
        (r"As shown in the figure: \begin{tikzpicture}\end{tikzpicture}", None),
        ("Draw the graph of y = x. What is its slope?", None),
        ("Which of the following figures has five sides?", None),
        ("Is 3! [sic] larger than 5?", None),
        ("Le cafÃ© coÃ»te 3 €.", "mojibake"),
        ("What\u0092s 2 + 2?", "mojibake"),
        ("It costs 5 \ufffd 6.", "mojibake"),
        ("Itâ€™s late. When does the next train leave?", "mojibake"),
        (FRENCH, None),
        ("QUAL É A SOLUÇÃO DA EQUAÇÃO x² = 4? NÃO USE TABELAS.", None),
        ("Er sagte: «Voilà\u00a0!» und ging. Â ist ein Buchstabe.", None),
        ("Ein langer Text mit einem Fehler \ufffd darin. " * 3 + "Sonst gut. " * 30, None),
        ("甲乙两人同时出发, 几小时后相遇?", None),
    ],
)
def test_the_general_rules(question, reason):
    assert reasons(DropMalformed(), [question]) == [reason]


@pytest.mark.parametrize(
    ("scripts", "question", "kept"),
    [
        (("latin",), FRENCH, True),
        (("latin",), "Сколько существует простых чисел?", False),
        (("latin",), "Given ∠α = β + γ and sin θ = 1, find the value of φ in degrees.", True),  # noqa: RUF001
        (("latin",), "1 + 1 = ?", True),
        (("latin",), "𝑥² + 𝑦² = 4", True),
        (("latin",), "甲乙两人同时出发, v = 3 km/h, 几小时后相遇?", False),
        (("han", "latin"), "甲乙两人同时出发, v = 3 km/h, 几小时后相遇?", True),
        (("han", "hiragana", "katakana"), "日本で一番高い山は何メートルですか。", True),
        (("han",), "日本で一番高い山は何メートルですか。", False),
    ],
)
def test_scripts_are_counted_over_letters_that_have_one(scripts, question, kept):
    said = reasons(DropMalformed(scripts=scripts), [question])
    assert said == [None if kept else "unwanted_script"]


@pytest.mark.parametrize(
    ("rule", "question"),
    [
        ("too_long", "x" * 20_001),
        ("missing_figure", "See the figure below."),
        ("mojibake", "\ufffd?"),
        ("unwanted_script", "Сколько?"),
    ],
)
def test_a_general_rule_can_be_switched_off(rule, question):
    on = DropMalformed(scripts=("latin",))
    assert reasons(on, [question]) == [rule]
    assert reasons(DropMalformed(scripts=("latin",), off=(rule,)), [question]) == [None]


def test_one_change_mends_all_that_is_wrong_with_a_question():
    question = "Сколько \ufffd? <image> " + "ж" * 300
    stage = DropMalformed(scripts=("latin",), max_chars=100, max_garbled=0)
    (evidence,) = apply(stage, pl.DataFrame({"question": [question]})).dropped["evidence"]
    change = stage.keeps_if(Evidence("too_long", json.loads(evidence)))
    assert set(change) == {"max_chars", "max_garbled", "min_script_share", "off"}
    assert reasons(DropMalformed.model_validate(stage.model_dump() | change), [question]) == [None]


@pytest.mark.parametrize(
    "fields",
    [
        {"rules": "s2"},
        {"max_chars": 0},
        {"max_garbled": 95},
        {"min_script_share": -0.1},
        {"scripts": ["klingon"]},
        {"off": ["empty_question"]},
        {"rules": "s1", "max_chars": 5},
        {"rules": "s1", "off": ["mojibake"]},
    ],
)
def test_settings_that_mean_nothing_are_refused(fields):
    with pytest.raises(ValidationError):
        DropMalformed.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "question", "change"),
    [
        ({"rules": "s1"}, "Who is **n1**?", {"rules": "general"}),
        ({"rules": "s1"}, DRAWN + " How long is it?", {"rules": "general"}),
        ({"rules": "s1"}, "Bo has p1. How many?", {"rules": "general"}),
        (
            {"rules": "s1"},
            "See ![Image](a.png) " + "x" * 20_000,
            {"rules": "general", "max_chars": 20_020, "off": ("missing_figure",)},
        ),
        ({}, " ", {"rules": "s1"}),
        (
            {"scripts": ("latin",), "max_chars": 9},
            "",
            {"rules": "s1", "max_chars": 20_000, "scripts": ()},
        ),
    ],
)
def test_the_other_rule_set_keeps_what_no_setting_of_this_one_does(fields, question, change):
    stage, frame = DropMalformed(**fields), pl.DataFrame({"question": [question]})
    frame = frame.with_columns(source_type=pl.lit(None, pl.String))
    reason, evidence = apply(stage, frame).dropped.row(0)[1:]
    given = dict.fromkeys(stage.evidence) | json.loads(evidence)
    found = stage.keeps_if(Evidence(reason, given))
    assert found == change
    other = DropMalformed(**(fields | found))
    assert apply(other, frame).kept.height == 1


# The s1 rules, against the specification's own words in plain Python.

BOLD = re.compile(r"\*\*(?=.*\d)[^\s\]]*\*\*")


def s1_drops(question, source_type):
    if "[asy]" in question:
        return "AIME" not in (source_type or "")
    numbered = any(f"p{i}." in question for i in range(1, 1000))
    return "![Image]" in question or numbered or BOLD.search(question) is not None


def s1_says(pairs):
    questions, sources = zip(*pairs, strict=True)
    columns = {"source_type": pl.Series(sources, dtype=pl.String)}
    return [r is not None for r in reasons(DropMalformed(rules="s1"), list(questions), **columns)]


# Digits that are newer than this Python are digits to one side only.
KNOWN = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Nd")
WORDS = "** * 1 x ] [ p p1 . 0 99 999 1000 p12. **a1** ² Ⅷ [asy] [Asy] ![Image] ![image]".split()
SPACES = [" ", "\n", "\x1c", "\x1f", "\x85", "\u2028"]
PIECES = st.sampled_from(WORDS + SPACES) | st.text(alphabet=st.sampled_from(KNOWN), max_size=2)
QUESTIONS = st.lists(PIECES, max_size=12).map("".join)
SOURCES = st.sampled_from([None, "", "qq8933/AIME_1983_2024", "aime", "xAIMEx", "made/algebra"])


@example([("****1", None), ("**a\n1**", None), ("**x** y 7", None), ("**x** y\n7", None)])
@example([("p0.", None), ("p01.", None), ("p1.", None), ("p999.", None), ("p1000.", None)])
@example([("app12.5", None), ("p\u0661.", None), ("P1.", None), ("[asy]![Image]", "AIME")])
@example([("**a]1**", None), ("**a\x1c1**", None), ("**a\x851**", None), ("**\u0661**", None)])
@given(st.lists(st.tuples(QUESTIONS, SOURCES), min_size=1, max_size=30))
def test_the_s1_rules_drop_exactly_what_s1_drops(pairs):
    assert s1_says(pairs) == [s1_drops(*pair) for pair in pairs]


def test_every_page_number_from_1_to_1100_is_judged_as_s1_does():
    pairs = [(f"sheet p{i}. Find x.", None) for i in range(1101)]
    assert s1_says(pairs) == [s1_drops(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("question", "source_type", "reason"),
    [
        (DRAWN, "made/algebra", "drawing_code"),
        (DRAWN, None, "drawing_code"),
        (f"{DRAWN} ![Image] p1. **1**", "qq8933/AIME_1983_2024", None),
        ("![Image]", "qq8933/AIME_1983_2024", "image_link"),
        ("p7.", "qq8933/AIME_1983_2024", "numbered_part"),
        ("**Problem** 3", "made", "bold_number"),
        (None, "made", None),
    ],
)
def test_the_s1_reasons(question, source_type, reason):
    column = pl.Series([source_type], dtype=pl.String)
    assert reasons(DropMalformed(rules="s1"), [question], source_type=column) == [reason]


def test_a_question_of_five_megabytes_of_asterisks_is_judged_in_one_pass():
    """A regular expression that backtracks takes hours for this one."""
    assert s1_says([("**" * 2_500_000, None), ("**" * 2_500_000 + "1", None)]) == [False, True]


@pytest.mark.real
def test_the_s1_rules_on_the_real_questions(real_data):
    pool = pl.read_parquet(real_data / "pool.parquet", columns=["question", "source_type"])
    marked = pool.filter(pl.col("question").str.contains(r"\*\*|\[asy\]|Image|p[0-9]"))
    pairs = marked.rows()
    assert s1_says(pairs) == [s1_drops(*pair) for pair in pairs]
    assert apply(DropMalformed(rules="s1"), pool).dropped["reason"].value_counts().sort(
        "reason"
    ).rows() == [
        ("bold_number", 6),
        ("drawing_code", 1139),
        ("numbered_part", 5),
    ]
