"""What each method of drop_contaminated finds, and what it leaves."""

import json

import polars as pl
import pytest

from s1data import apply
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages.contamination import DropContaminated

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


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (SPELT.replace("four", "4"), True),
        (SPELT.replace("four", "five"), False),
        (SPELT.replace("four", "4933828"), False),
        (SPELT.replace("12", "twelve"), True),
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
