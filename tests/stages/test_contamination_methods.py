"""What each method of drop_contaminated finds, and what it leaves."""

import json

import polars as pl
import pytest

from s1data import apply
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.contamination import DropContaminated
from s1data.stages.last_gate import CheckContaminated

ITEM = r"A farmer in Kent sells $\dfrac{3}{4}$ of his 120 sheep at the spring market; how many sheep remain on the farm?"
TEXTS = {
    "same": ITEM,
    "retyped": ITEM.replace(r"$\dfrac{3}{4}$", r"\(\frac{3}{4}\)"),
    "other numbers": ITEM.replace("120", "340"),
    "clean": "Which metal is liquid at room temperature, and at what temperature does it freeze?",
}


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("ngram8", {"same", "retyped", "other numbers"}),
        ("normalised", {"same", "retyped"}),
        ("fuzzy", {"same", "retyped"}),
    ],
)
def test_what_a_method_finds(method, found):
    stage = DropContaminated(against=("test",), methods=(method,))
    pool = pl.DataFrame({"question": list(TEXTS.values())})
    outcome = apply(stage, pool, {"test": pl.DataFrame({"question": [ITEM]})})
    names = list(TEXTS)
    assert {names[row] for row in outcome.dropped["row"]} == found


SPELT = (
    "Ann has four cats and 12 kittens in the old red barn; how many animals has one to feed there?"
)


@pytest.mark.parametrize("method", ["normalised", "fuzzy"])
def test_a_number_with_a_hyphen_is_the_number(method):
    item = "Mia has twenty-five marbles and loses ten; how many marbles has she got left?"
    text = "Mia has 25 marbles and loses 10; how many marbles has she got left?"
    inputs = {"test": pl.DataFrame({"question": [item]})}
    pool = pl.DataFrame({"question": [text, text.replace("25", "20 5"), text.replace("25", "26")]})
    outcome = apply(DropContaminated(against=("test",), methods=(method,)), pool, inputs)
    assert outcome.dropped["row"].to_list() == [0]
    off = {"case": True, "number_words": False}
    apart = DropContaminated(against=("test",), methods=(method,), normalisation=off)
    assert apply(apart, pool, inputs).dropped["row"].to_list() != [0]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (SPELT.replace("four", "4"), True),
        (SPELT.replace("four", "five"), False),
        (SPELT.replace("four", "4933828"), False),
        (SPELT.replace("12", "twelve"), True),
        (SPELT.replace("four", "twenty-four"), False),
        (SPELT.replace("one", "Ann"), True),
    ],
)
def test_numbers_in_words_are_numbers(text, same):
    stage = DropContaminated(against=("test",), methods=("fuzzy",), fuzzy_common_rows=9)
    item = pl.DataFrame({"question": [SPELT]})
    assert (
        apply(stage, pl.DataFrame({"question": [text]}), {"test": item}).dropped.height == 1
    ) == same


def test_words_of_a_benchmark_that_asks_for_it_are_shown_as_a_digest():
    stage = DropContaminated(against=("gpqa_diamond",), methods=("ngram8", "normalised", "fuzzy"))
    pool = pl.DataFrame({"question": [ITEM]})
    outcome = apply(stage, pool, {"gpqa_diamond": pl.DataFrame({"question": [ITEM]})})
    assert json.loads(outcome.dropped["evidence"][0])["span"].startswith("sha256:")
    assert all(span.startswith("sha256:") for span in outcome.artefact["span"])


def test_texts_of_traces_are_looked_up_and_checked(tmp_path):
    engine = LocalEngine(
        read={"test": pl.DataFrame({"question": [ITEM]})}.__getitem__, vectors_home=tmp_path
    )
    replies = {"a": "Nothing of it.", "b": f"The task says: {ITEM}"}
    engine.write(
        "texts", pl.DataFrame({"reply_key": list(replies), "text": list(replies.values())})
    )
    traces = [[{"reply_key": "a"}], [{"reply_key": "a"}, {"reply_key": "b"}], [{"reply_key": "?"}]]
    pool = with_places(pl.DataFrame({"question": ["One?", "Two?", "Three?"], "traces": traces}))
    stage = DropContaminated(against=("test",), columns=("traces",))
    dropped = act(stage, pool, engine).dropped
    assert dropped["row"].to_list() == [1]
    assert json.loads(dropped["evidence"][0])["column"] == "traces"


SHORT = r"Compute $\sin 60^\circ$."


def found_by(method, questions, item=ITEM):
    """How many of the questions a method finds the item in."""
    stage = DropContaminated(against=("test",), methods=(method,))
    pool = pl.DataFrame({"question": questions})
    return apply(stage, pool, {"test": pl.DataFrame({"question": [item]})}).dropped.height


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"Compute $\sin 60^\circ$", 1),
        (r"Problem 5. Compute $\sin 60^\circ$.", 1),
        (r"12) Compute \(\sin 60^\circ\)", 1),
        (r"Compute $\sin 60^\circ$. Show your work.", 1),
        (r"Please solve this: Compute $\sin 60^\circ$.", 1),
        (r"Compute $\sin 60^\circ + 1$.", 0),
        (r"Compute $\sin 600^\circ$. Show your work.", 0),
        (r"Now compute $\sin 60^\circ$ for me.", 0),
    ],
)
def test_a_short_item_is_found_as_a_sentence_and_nowhere_else(text, found):
    assert found_by("normalised", [text], SHORT) == found


def test_a_short_phrase_without_number_or_formula_is_found_alone_only():
    phrase = "Which of these is true?"
    assert found_by("normalised", [phrase], phrase) == 1
    assert found_by("normalised", [f"Read this. {phrase}"], phrase) == 0
    assert found_by("normalised", ["Find the value of 5!"], "Find the value of 5") == 0


@pytest.mark.parametrize("rows", [11, 201, 260])
def test_many_copies_of_an_item_hide_it_from_neither_fuzzy_nor_normalised(rows):
    near = ITEM.replace("spring market", "autumn market")
    assert found_by("fuzzy", [f"{near} ({i % 7 * 'x'})" for i in range(rows)]) == rows
    assert found_by("normalised", [ITEM] * rows) == rows


def siblings(count):
    towns, goods = "ABCDEFGHIJKL", "pears plums nuts figs dates limes kiwis peas beans tea oil salt"
    return [
        f"In the town of {town}ville {i + 20} shops each sell {i + 3} kinds of {good} every day; "
        "how many kinds are sold in all?"
        for i, town, good in zip(range(count), towns, goods.split(), strict=False)
    ]


def test_a_copy_of_one_of_many_items_of_a_template_is_found_among_many_rows_of_it():
    template = (
        "A school in the north of the country keeps a garden behind its oldest building, and every "
        "spring the children of all its classes plant {} rows of beans, peas and pumpkins there; how "
        "long does it take them if each row is planted by one class alone and none of them rests?"
    )
    items = pl.DataFrame({"question": [template.format(n) for n in range(100, 110)]})
    rows = [template.format(n) for n in range(1000, 1300)]
    copy = template.format(104).replace("building", "bulding").replace("spring", "sprnig")
    stage = DropContaminated(against=("test",), methods=("fuzzy",))
    found = apply(stage, pl.DataFrame({"question": [*rows, copy]}), {"test": items})
    assert [(line["row"], line["item"]) for line in found.artefact.iter_rows(named=True)] == [
        (300, 4)
    ]


def test_each_of_twelve_items_in_one_text_is_found():
    items = siblings(12)
    stage = CheckContaminated(against=("test",), methods=("fuzzy",), report_only=True)
    pool = pl.DataFrame({"question": ["Solve."], "solution": [" ".join(items)]})
    (hits,) = apply(stage, pool, {"test": pl.DataFrame({"question": items})}).kept["benchmark_hits"]
    assert sorted(hit["item"] for hit in hits) == list(range(12))


CHINESE = "\u5c0f\u660e\u670912\u4e2a\u82f9\u679c\uff0c\u4ed6\u7ed9\u4e86\u5c0f\u7ea25\u4e2a\u82f9\u679c\uff0c\u8bf7\u95ee\u5c0f\u660e\u73b0\u5728\u6709\u591a\u5c11\u4e2a\u82f9\u679c\uff1f"


@pytest.mark.parametrize(
    ("item", "text", "found"),
    [
        (CHINESE, CHINESE.replace("\u8bf7\u95ee", "\u95ee"), 1),
        (CHINESE, f"\u8bf7\u89e3\u7b54\u3002{CHINESE}\u5199\u51fa\u8fc7\u7a0b\u3002", 1),
        (CHINESE, CHINESE.replace("12", "13"), 0),
        (ITEM.replace("120", "1,200"), ITEM.replace("120", "1200"), 1),
        (ITEM.replace("120", "1,200,300"), ITEM.replace("120", "1200300"), 1),
        (ITEM.replace("120", "25 kg of"), ITEM.replace("120", "25kg of"), 1),
        (ITEM.replace("120", "25 kg of"), ITEM.replace("120", "26kg of"), 0),
    ],
)
def test_fuzzy_reads_scripts_without_spaces_and_numbers_in_either_notation(item, text, found):
    assert found_by("fuzzy", [text], item) == found
