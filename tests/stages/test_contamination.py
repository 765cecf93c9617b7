"""Word n-gram contamination: the specification's verdicts exactly, with evidence that holds."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s1data import apply
from s1data.acting import act, with_places
from s1data.stage import Evidence
from s1data.stages.contamination import DropContaminated
from tests.laws.hostile import HostileEngine
from tests.laws.variants import with_changes

EIGHT = "how many apples has Ann left over now"
WHITE_SPACE = [chr(code) for code in range(0x110000) if chr(code).isspace()]
NO_WHITE_SPACE = ["\0", "\b", "\x1b", "\u180e", "\u200b", "\u2060", "\ufeff", "_", "-"]
# Where lower case is more than one character, depends on what is around, or is not polars' own.
RARE_CAPITALS = [
    "İ",
    "I\u0307",
    "ΟΔΟΣ",  # a sigma is another letter at the end of a word
    "ΣΑΣ",
    "Σ",
    "ΑΣ\u0301",
    "\u1e9e",  # capital sharp s
    "ß",
    "SS",
    "\u212a",  # the Kelvin sign is a k in lower case
    "\u212b",
    "\u2126",
    "\u01c5",  # a letter in title case
    "\u2167",
    "\u24b6",
    "\u10d0",  # Georgian has two cases, and one of them is not used in titles
    "\u1c90",
    "\u13a0",  # Cherokee grew its small letters later
    "\uab70",
    "\U00010400",
    "\u023a",  # two bytes in UTF-8, three in lower case
    "\u03f4",
    "\ufb01",
    "\u017f",
]


def ngrams_of(text, n):
    words = (text or "").lower().split()
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


def plain_form(items, rows, sources, n):
    """The specification, word for word: the reasons of (source, question) rows in order."""
    reference = {gram for item in items for gram in ngrams_of(item, n)}
    reasons = ["in_benchmark" if reference & set(ngrams_of(q, n)) else None for _, q in rows]
    for source in sources:
        own = [at for at, row in enumerate(rows) if row[0] == source and not reasons[at]]
        for at in own:
            if reference & set(ngrams_of(rows[at][1], n)):
                reasons[at] = "in_earlier_source"
        for at in own:
            if not reasons[at]:
                reference |= set(ngrams_of(rows[at][1], n))
    return reasons


def longest_run(items, text):
    words = len((text or "").lower().split())
    runs = [n for n in range(1, words + 1) if plain_form(items, [("", text)], (), n) != [None]]
    return max(runs, default=0)


def frame(rows):
    return with_places(
        pl.DataFrame(rows, schema={"source": pl.String, "question": pl.String}, orient="row")
    )


def items_frame(items, **columns):
    return pl.DataFrame({"question": items} | columns, schema_overrides={"question": pl.String})


def dropped(outcome):
    """Row to reason and evidence."""
    return {row: (why, json.loads(how)) for row, why, how in outcome.dropped.iter_rows()}


def is_dropped(item, question, n=8):
    stage = DropContaminated(against=("test",), n=n)
    outcome = apply(stage, pl.DataFrame({"question": [question]}), {"test": items_frame([item])})
    return not outcome.dropped.is_empty()


@pytest.mark.parametrize("space", WHITE_SPACE, ids=ascii)
def test_all_that_python_takes_for_white_space_parts_words(space):
    written = space + EIGHT.replace(" ", space * 2) + space
    assert is_dropped(EIGHT, written)
    assert is_dropped(written, EIGHT)
    assert is_dropped(written + "é", "é " + written), "nor does it matter beside other characters"


@pytest.mark.parametrize("mark", NO_WHITE_SPACE, ids=ascii)
def test_nothing_else_parts_words(mark):
    assert not is_dropped(EIGHT, EIGHT.replace(" left ", f" left{mark}"))
    assert not is_dropped(EIGHT.replace(" left ", f" left{mark}"), EIGHT)


@pytest.mark.parametrize("written", [str.lower, str.upper, str.title, str.casefold, str.swapcase])
def test_case_is_lowered_as_python_lowers_it(written):
    items = [
        text
        for capital in RARE_CAPITALS
        for text in (
            f"{EIGHT[:-3]} {capital}",
            f"{EIGHT[:-3]} x{capital}.",
            f"{capital}y {EIGHT[4:]}",
        )
    ]
    others = [written(text) for text in items]
    for benchmark, questions in ((items, others), (others, items), (items[::2], items[1::2])):
        wanted = plain_form(benchmark, [("", text) for text in questions], (), 8)
        stage, pool = DropContaminated(against=("test",)), pl.DataFrame({"question": questions})
        found = dropped(apply(stage, pool, {"test": items_frame(benchmark)}))
        assert sorted(found) == [row for row, reason in enumerate(wanted) if reason]


@pytest.mark.parametrize(
    ("item", "question"),
    [
        ("supercalifragilistic", "supercaligragilistic"),
        ("abcdefgh", "abcdefg"),
        ("abcdefgh", "abcdefghi"),
        ("a", "a\0"),
        ("\0", "\0\0"),
        ("abcdefghX12345678", "abcdefghY12345678"),
        (r"\frac{1}{2}+\frac{1}{3}", r"\frac{1}{2}-\frac{1}{3}"),
    ],
)
def test_words_that_are_nearly_the_same_are_not(item, question):
    assert not is_dropped(f"a b c {item} d e f g", f"a b c {question} d e f g")
    assert not is_dropped(item, question, n=1)


def test_words_in_another_order_are_another_ngram():
    assert not is_dropped("a b c d e f g h", "b a c d e f g h")
    assert not is_dropped("a b c d e f g h", "a b c d e f h g")


@pytest.mark.parametrize("question", ["", " \x1c ", "how many apples has Ann left over", "Ann"])
def test_fewer_than_n_words_never_match(question):
    assert not is_dropped(EIGHT, question)
    if question.strip():  # a benchmark without any text is refused
        assert not is_dropped(question, EIGHT)


def test_no_ngram_goes_from_one_row_or_item_into_the_next():
    halves = ["how many apples has", "Ann left over now"]
    stage = DropContaminated(against=("test",))
    assert apply(
        stage, pl.DataFrame({"question": halves}), {"test": items_frame([EIGHT])}
    ).dropped.is_empty()
    assert apply(
        stage, pl.DataFrame({"question": [EIGHT]}), {"test": items_frame(halves)}
    ).dropped.is_empty()


WORDS = st.sampled_from(
    ["a", "A", "b", "é", "É", "İ", "Σ", "\u03c3", "abcdefgh-1-abcdefgh", "abcdefgh-2-abcdefgh"]
)
SPACES = st.sampled_from([" ", "  ", "\n", "\x1f", "\u3000"])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=9).map(
    lambda parts: "".join(w + s for w, s in parts)
)
QUESTIONS = st.one_of(st.none(), TEXTS)
ROWS = st.lists(st.tuples(st.sampled_from("xyz"), QUESTIONS), max_size=14)
ORDERS = st.permutations("xyz").flatmap(
    lambda order: st.integers(0, 3).map(lambda k: tuple(order[:k]))
)


# A benchmark without any text is refused.
BENCHMARKS = st.lists(QUESTIONS, max_size=3).map(lambda texts: [*texts, "Told otherwise."])


@given(
    first=BENCHMARKS,
    second=BENCHMARKS,
    rows=ROWS,
    order=ORDERS,
    n=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_verdicts_and_evidence_are_the_plain_forms_on_any_engine(
    first, second, rows, order, n, seed
):
    stage = DropContaminated(against=("first", "second"), cross_source=order, n=n)
    inputs = {"first": items_frame(first), "second": items_frame(second)}
    pool = frame(rows)
    found = dropped(act(stage, pool, HostileEngine(inputs, seed)))
    reasons = plain_form([*first, *second], rows, order, n)
    assert {row: why for row, (why, _) in found.items()} == {
        row: why for row, why in enumerate(reasons) if why
    }
    for row, (reason, evidence) in found.items():
        if reason == "in_benchmark":
            wanted = first_match(first, second, rows[row][1], n)
        else:
            before = order[: order.index(rows[row][0])]
            earlier = [
                at for at, (source, _) in enumerate(rows) if source in before and not reasons[at]
            ]
            wanted = lowest_match(rows, earlier, row, n)
        own = {"source": rows[row][0]} if order else {}
        if reason == "in_benchmark":
            own |= {"method": "ngram8", "column": "question", "found_by": ["ngram8"]}
        assert evidence == wanted | own
        change = stage.keeps_if(Evidence(reason, evidence))
        kept = act(with_changes(stage, change), pool, HostileEngine(inputs, seed)).kept
        assert row in kept["row"]
        if reason == "in_benchmark":
            shorter = DropContaminated(against=stage.against, n=change["n"] - 1)
            assert row not in act(shorter, pool, HostileEngine(inputs, seed)).kept["row"]


def first_match(first, second, question, n):
    for benchmark, items in (("first", first), ("second", second)):
        for item, text in enumerate(items):
            for gram in ngrams_of(question, n):
                if gram in ngrams_of(text, n):
                    run = longest_run([*first, *second], question)
                    return {
                        "benchmark": benchmark,
                        "item": item,
                        "span": " ".join(gram),
                        "run": run,
                    }
    return None


def lowest_match(rows, earlier, row, n):
    for at in earlier:
        for gram in ngrams_of(rows[row][1], n):
            if gram in ngrams_of(rows[at][1], n):
                return {"earlier_source": rows[at][0], "earlier_row": at, "span": " ".join(gram)}
    return None


def test_the_longest_run_may_be_in_another_item_than_the_first_or_in_none_whole():
    items = ["a b x", "c a b c", "p q x", "r p q r", "u v w", "v w z"]
    rows = pl.DataFrame({"question": ["a b c", "p q r", "a b x", "u v w z", "s p q"]})
    found = dropped(
        apply(DropContaminated(against=("test",), n=2), rows, {"test": items_frame(items)})
    )
    assert {row: (how["item"], how["run"]) for row, (_, how) in found.items()} == {
        0: (0, 3),
        1: (2, 3),
        2: (0, 3),
        3: (4, 3),
        4: (2, 2),
    }


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({}, [("test", 0), ("test", 2), ("test", 3)]),
        ({"file": ["f", "f", "g", "f"]}, [("f", 0), ("g", 0), ("f", 2)]),
        (
            {"file": ["f"] * 4, "benchmark": ["b", "b", None, "b"]},
            [("b", 0), ("test", 0), ("b", 2)],
        ),
    ],
)
def test_a_benchmark_is_named_by_its_column_then_its_file_then_the_input(columns, wanted):
    items = ["one two", None, "three four", "five six"]
    stage = DropContaminated(against=("test",), n=2)
    questions = pl.DataFrame({"question": [text for text in items if text]})
    found = dropped(apply(stage, questions, {"test": items_frame(items, **columns)}))
    assert [(how["benchmark"], how["item"]) for _, how in found.values()] == wanted


def test_the_order_of_sources_decides_which_row_stays():
    pool = frame([("x", EIGHT), ("y", f"{EIGHT} and then"), ("z", EIGHT), ("x", EIGHT)])
    for order, gone in (
        (("x", "y"), [1]),
        (("y", "x"), [0, 3]),
        (("z",), []),
        (("z", "y", "x"), [0, 1, 3]),
    ):
        assert sorted(dropped(apply(DropContaminated(cross_source=order), pool))) == gone


def test_a_row_that_was_dropped_joins_nothing():
    # y shares its start with x and is dropped, so z, which shares only y's end, is kept.
    pool = frame([("x", "a b c d"), ("y", "c d e f"), ("z", "e f g h")])
    found = dropped(apply(DropContaminated(cross_source=("x", "y", "z"), n=2), pool))
    assert found == {
        1: (
            "in_earlier_source",
            {"span": "c d", "source": "y", "earlier_source": "x", "earlier_row": 0},
        )
    }


def test_the_earlier_row_is_the_lowest_whatever_its_source_or_ngram():
    rows = [
        ("x", "c d"),
        ("x", "a b"),
        ("x", "a b"),
        ("y", "a b c d"),
        ("y", "b a b"),
        ("w", "e f"),
    ]
    order = ("w", "x", "y")
    found = dropped(
        apply(DropContaminated(cross_source=order, n=2), frame([*rows, ("y", "e f c d")]))
    )
    assert {row: (how["earlier_row"], how["span"]) for row, (_, how) in found.items()} == {
        3: (0, "c d"),
        4: (1, "a b"),
        6: (0, "c d"),
    }


def test_the_reason_reads_as_a_sentence():
    stage = DropContaminated(against=("test",), cross_source=("x", "y"), n=2)
    pool = frame([("x", "one two"), ("x", "three four five"), ("y", "four five")])
    outcome = apply(stage, pool, {"test": items_frame(["One Two"])})
    said = [stage.in_words(Evidence(why, how)) for why, how in dropped(outcome).values()]
    assert said == [
        'its question matches item 0 of test by ngram8: "one two"; found by ngram8',
        'shares the words "four five" with row 1 of x, which was accepted before y',
    ]


@pytest.mark.parametrize(
    ("question", "run"),
    [
        ("ha " * 1_700_000, 3_000),
        ("é" + " ha" * 1_700_000, 3_000),
        ("x" * 5_000_000 + " ha" * 9, 9),
        ("é ha " * 900_000, None),
    ],
    ids=["one word", "one word after another", "one long word", "two words"],
)
def test_a_question_of_five_megabytes_is_a_row_like_any_other(question, run):
    stage = DropContaminated(against=("test",))
    pool = pl.DataFrame({"question": ["short", question]})
    found = dropped(apply(stage, pool, {"test": items_frame(["ha " * 3_000])}))
    assert {row: how["run"] for row, (_, how) in found.items()} == ({1: run} if run else {})


def test_a_run_longer_than_any_n_has_no_setting_that_keeps_it():
    stage = DropContaminated(against=("test",))
    assert stage.keeps_if(Evidence("in_benchmark", {"run": 1000})) is None
    assert stage.keeps_if(Evidence("in_benchmark", {"run": 999})) == {"n": 1000}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "against"),
        ({"against": ["a", "a"]}, "against: wanted each name once, got a"),
        ({"cross_source": ["a", "b", "a"]}, "cross_source: wanted each name once, got a"),
        ({"against": ["a"], "n": 0}, "n"),
        ({"against": ["a"], "n": 1001}, "n"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields, says):
    with pytest.raises(ValidationError, match=says):
        DropContaminated.model_validate(fields)


def test_an_input_without_questions_is_said_before_anything_runs():
    stage = DropContaminated(against=("good", "bad", "odd"))
    inputs = {
        "good": {"question": pl.String(), "answer": pl.Null()},
        "bad": {"problem": pl.String()},
        "odd": {"question": pl.String(), "benchmark": pl.Int64()},
    }
    said = [(p.field, p.wanted, p.got) for p in stage.check({"question": pl.String()}, inputs)]
    assert said == [
        ("against", "a String column question in input bad", "columns problem"),
        ("against", "a String column benchmark in input odd", "benchmark: Int64"),
    ]


@pytest.mark.real
def test_the_real_pool_gets_the_plain_forms_verdicts(real_data):
    pool = pl.read_parquet(real_data / "pool.parquet", columns=["question"])
    inputs = {
        path.stem: pl.read_parquet(path, columns=["question", "benchmark"])
        for path in sorted((real_data / "benchmarks").glob("*.parquet"))
    }
    stage = DropContaminated(against=tuple(inputs))
    outcome = apply(stage, pool, inputs)
    items = [text for items in inputs.values() for text in items["question"].drop_nulls()]
    reference = {gram for text in items for gram in ngrams_of(text, 8)}
    wanted = [
        row
        for row, question in enumerate(pool["question"])
        if any(gram in reference for gram in ngrams_of(question, 8))
    ]
    assert outcome.dropped["row"].to_list() == wanted
    assert apply(stage, outcome.kept, inputs).dropped.is_empty()
