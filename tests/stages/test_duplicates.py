"""Duplicates: what is alike, which row survives, and what would have kept the others."""

import json
import random
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s1data import apply
from s1data.acting import act, with_places
from s1data.normalising import Normalisation
from s1data.stage import Evidence
from s1data.stages.duplicates import DropDuplicates
from tests.laws.hostile import HostileEngine
from tests.laws.variants import with_changes

SCHEMA = {
    "question": pl.String,
    "priority": pl.Int32,
    "solution": pl.String,
    "answer": pl.String,
}


def frame(rows):
    return with_places(pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def questions(*texts):
    return frame([(text, 0, None, None) for text in texts])


def dropped(outcome):
    """Row to reason and evidence."""
    return {row: (why, json.loads(how)) for row, why, how in outcome.dropped.iter_rows()}


def method(one, other, **fields):
    """By which method two questions are duplicates, or None."""
    found = dropped(apply(DropDuplicates(**fields), questions(one, other)))
    return next((how["method"] for _, how in found.values()), None)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("What is x?", "What is x?", "exact"),
        ("What is x?", " What\t is\u3000x?\x1c\n", "normalised"),
        ("", " \n", "normalised"),
        ("Caf\u00e9", "Cafe\u0301", "normalised"),
        ("e\ufb03cient", "efficient", "normalised"),
        ("\uff58 \uff0b 1", "x + 1", "normalised"),
        ("x \u2208 \u211d", "x \u2208 R", "normalised"),
        ("wait\u2026", "wait...", "normalised"),
        ("What is x?", "What is X?", None),
        ("c1ccccc1", "C1CCCCC1", None),
        ("What is x?", "What is x ?", None),
        ("What is x?", "What is y?", None),
        ("2\u2075", "25", None),
        ("2\u2075", "2\u2085", None),
        ("x\u2081\u2082", "x12", None),
        ("3\u00bd", "31\u20442", None),
        ("\u2460\u2461", "12", None),
        ("\u2460", "\u00b9", None),
        ("2\u2075 = ?", "2\u2075  = ?", "normalised"),
    ],
)
def test_what_is_alike(one, other, wanted):
    assert method(one, other) == method(other, one) == wanted
    only_exact = "exact" if wanted == "exact" else None
    assert method(one, other, methods=("exact",)) == only_exact
    assert method(one, other, methods=("normalised",)) == wanted


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("c1ccccc1", "C1CCCCC1", "case_folded"),
        ("Stra\u00dfe", "STRASSE", "case_folded"),
        ("A  b", "a b", "case_folded"),
        ("\u0390", "\u03aa\u0301", "case_folded"),
        ("A  b", "A b", "normalised"),
        ("x\u00aa", "xA", None),
    ],
)
def test_case_is_folded_only_where_asked(one, other, wanted):
    assert method(one, other, fold_case=True) == wanted
    if wanted == "case_folded":
        assert method(one, other) is None
        assert method(one, other, methods=("exact",), fold_case=True) is None


def test_latex_is_seen_through_only_where_asked():
    pair = (r"Find $\dfrac{1}{2} + x^2$.", r"Find \(\frac{1}{2}+x^{2}\).")
    assert method(*pair) is None
    assert method(*pair, normalisation=Normalisation()) == "normalised"
    assert method("2\u2075", "25", normalisation=Normalisation()) is None


def test_a_row_without_a_question_is_no_duplicate():
    outcome = act(DropDuplicates(), questions(None, None, "a", "a"), HostileEngine({}, 0))
    assert outcome.dropped["row"].to_list() == [3]


# Each row is better than all after it, and worse in whatever the rule looks at next.
BETTER_FIRST = [
    ("q", 0, None, None),
    ("q", 1, "four", "a"),
    ("q", 1, "four words of text", None),
    ("q", 1, "x" * 17, None),
    ("q", 1, "   x      \n" + " " * 20, None),
    ("q", 1, None, "a"),
    ("q", 1, None, None),
    ("q", 2, "x" * 50, "a"),
    ("q", None, "x" * 60, "a"),
]


@given(
    st.permutations(range(len(BETTER_FIRST))),
    st.integers(0, len(BETTER_FIRST) - 1),
    st.integers(0, 9),
)
def test_the_survivor_is_the_best_by_priority_then_solution_then_id(order, start, seed):
    ranks = [rank for rank in order if rank >= start]
    rows = frame([BETTER_FIRST[rank] for rank in ranks])
    outcome = act(DropDuplicates(), rows, HostileEngine({}, seed))
    assert outcome.kept["row"].to_list() == [ranks.index(start)]
    assert {how["survivor_row"] for _, how in dropped(outcome).values()} <= {ranks.index(start)}


def test_of_rows_that_are_equally_good_the_lowest_id_survives():
    rows = questions("a b", " a b", "a  b", "a b ")
    assert apply(DropDuplicates(), rows).kept["id"].to_list() == [rows["id"].min()]
    assert apply(DropDuplicates(), rows.reverse()).kept["id"].to_list() == [rows["id"].min()]


def test_of_rows_with_one_id_what_they_hold_decides_and_then_the_row():
    held = [("q", 0, "ab", "1"), ("q", 0, "ba", "1"), ("q", 0, "ab", "2"), ("q", 0, "ab", None)]
    survivors = set()
    for seed in range(6):
        random.Random(seed).shuffle(held)
        kept = apply(DropDuplicates(), frame(held)).kept
        survivors.add(kept.select("solution", "answer").row(0))
    assert len(survivors) == 1
    assert apply(DropDuplicates(), frame(held[:1] * 3)).kept["row"].to_list() == [0]


def test_a_copy_of_a_normalised_duplicate_names_the_row_that_is_kept():
    rows = frame([("a  b", 1, None, None), ("a b", 0, None, None), ("a  b", 2, None, None)])
    found = dropped(apply(DropDuplicates(), rows))
    survivor = {"survivor_row": 1, "survivor_id": rows["id"][1], "score": 1.0}
    assert found == {
        0: ("normalised_duplicate", survivor | {"method": "normalised"}),
        2: ("exact_duplicate", survivor | {"method": "exact"}),
    }
    stage = DropDuplicates()
    assert stage.in_words(Evidence(*found[0])) == (
        "is written like a better row (normalised); of all that are alike, row 1 "
        f"(id {rows['id'][1]}) is kept"
    )


def test_evidence_says_where_the_survivor_has_another_answer():
    held = [("q", 0, "long", "5"), ("q", 0, None, "6"), ("q", 0, None, " 5"), ("q", 0, None, None)]
    found = dropped(apply(DropDuplicates(), frame(held)))
    assert {row: how.get("other_answer") for row, (_, how) in found.items()} == {
        1: True,
        2: None,
        3: None,
    }


def plain_key(text, name):
    """Equal for texts that are alike; enough for the alphabet below."""
    if name == "exact":
        return text
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return text.casefold() if name == "case_folded" else text


ALPHABET = st.lists(st.sampled_from([" ", "a", "A", "\u3000", "\uff41"]), max_size=3).map("".join)
ROWS = st.lists(
    st.tuples(ALPHABET, st.integers(0, 1), st.sampled_from([None, "s", "so"]), st.none()),
    max_size=12,
)
METHODS = st.sampled_from([("exact",), ("normalised",), ("exact", "normalised")])


@given(ROWS, METHODS, st.booleans(), st.integers(0, 9))
def test_one_of_each_set_survives_and_keeps_if_is_true(rows, methods, fold_case, seed):
    stage = DropDuplicates(methods=methods, fold_case=fold_case)
    pool = frame(rows)
    outcome = act(stage, pool, HostileEngine({}, seed))
    loosest = "exact" if methods == ("exact",) else "case_folded" if fold_case else "normalised"
    keys = [plain_key(text, loosest) for text, *_ in rows]
    kept = outcome.kept["row"].to_list()
    assert sorted(keys[row] for row in kept) == sorted(set(keys))
    for row, (reason, evidence) in dropped(outcome).items():
        assert evidence["survivor_row"] in kept
        assert evidence["survivor_id"] == pool["id"][evidence["survivor_row"]]
        assert keys[evidence["survivor_row"]] == keys[row]
        assert (reason == "exact_duplicate") == (evidence["method"] == "exact")
        change = stage.keeps_if(Evidence(reason, evidence))
        assert (change is None) == (evidence["method"] == "exact")
        if change is not None:
            other = act(with_changes(stage, change), pool, HostileEngine({}, seed))
            assert row in other.kept["row"]


@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_texts_survive_in_any_order(rows, rng):
    def survivors(some):
        kept = apply(DropDuplicates(fold_case=True), frame(some)).kept
        return sorted(kept.select("question", "priority", "solution").rows(), key=repr)

    assert survivors(rows) == survivors(rng.sample(rows, len(rows)))


@pytest.mark.parametrize(
    "methods", [[], ["normalised", "exact"], ["exact", "exact"], ["near"], ["Exact"]]
)
def test_methods_are_known_once_each_and_strictest_first(methods):
    with pytest.raises(ValidationError, match="methods"):
        DropDuplicates.model_validate({"methods": methods})


@pytest.mark.real
def test_the_real_pool_keeps_one_of_each_text(real_data):
    pool = pl.read_parquet(real_data / "pool.parquet", columns=["question", "solution", "answer"])
    outcome = apply(DropDuplicates(), pool)
    assert outcome.kept["question"].is_unique().all()
    assert outcome.kept.height + outcome.dropped.height == pool.height
    spaced = [" ".join(text.split()) for text in pool["question"]]
    assert outcome.dropped.height >= pool.height - len(set(spaced))
    assert apply(DropDuplicates(), outcome.kept).dropped.is_empty()
