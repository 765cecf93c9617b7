"""Near-duplicates, published ones and templates: what is alike, who survives, at which threshold."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1data import apply
from s1data.acting import act, with_places
from s1data.stage import Evidence
from s1data.stages.near_duplicates import DropNearDuplicates
from s1data.stages.published import DropPublished
from s1data.stages.templates import AddTemplateGroup
from tests.laws.hostile import HostileEngine
from tests.laws.variants import with_changes

BASE = "A farmer has 12 hens and 7 geese in a yard with 3 gates. How many birds does the farmer have in the yard?"


def frame(*texts):
    schema = {"question": pl.String, "priority": pl.Int32, "solution": pl.String}
    return with_places(pl.DataFrame([(t, 0, None) for t in texts], schema=schema, orient="row"))


def dropped(outcome):
    return {row: json.loads(how) for row, _, how in outcome.dropped.iter_rows()}


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (BASE.replace("in a yard", "in the yard"), True),
        (BASE.replace(".", " .").replace("?", " ?"), True),
        (BASE.replace("12", "13"), False),
        (BASE.replace("geese", "ducks"), False),
        (BASE.replace("does the farmer have", "does the farmer not have"), False),
    ],
)
def test_what_is_alike_either_way_round(other, alike):
    for pair in ((BASE, other), (other, BASE)):
        assert (apply(DropNearDuplicates(), frame(*pair)).dropped.height == 1) == alike


@pytest.mark.parametrize("better", [{"priority": 0}, {"solution": "x" * 9}])
@pytest.mark.parametrize("best", [0, 1, 2])
def test_of_all_that_are_linked_the_best_survives(better, best):
    texts = [BASE, BASE.replace("in a yard", "in the yard"), BASE.replace("hens and", "hens,")]
    rows = frame(*texts).with_columns(priority=pl.lit(1, pl.Int32), solution=pl.lit("x"))
    is_best = pl.col("row") == best
    rows = rows.with_columns(
        pl.when(is_best)
        .then(pl.lit(value))
        .otherwise(pl.col(name))
        .alias(name)
        .cast(rows.schema[name])
        for name, value in better.items()
    )
    outcome = act(DropNearDuplicates(threshold=0.6), rows, HostileEngine({}, 0))
    assert outcome.kept["row"].to_list() == [best]
    assert {how["survivor_row"] for how in dropped(outcome).values()} == {best}


def test_each_check_can_be_switched_off():
    numbers, words = (
        frame(BASE, BASE.replace("12", "13")),
        frame(BASE, BASE.replace("geese", "ducks")),
    )
    assert apply(DropNearDuplicates(threshold=0.7, same_numbers=False), numbers).dropped.height == 1
    assert apply(DropNearDuplicates(threshold=0.7, words_apart=2), words).dropped.height == 1


WORDS = st.lists(st.sampled_from("abcdef"), min_size=4, max_size=9).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=8), st.integers(0, 9), st.sampled_from([0.5, 0.6, 0.8]))
def test_a_threshold_moves_on_the_scores_alone(texts, seed, higher):
    stage = DropNearDuplicates(threshold=0.5, shingle=1, words_apart=None)
    pool = frame(*texts)
    low = dropped(act(stage, pool, HostileEngine({}, seed)))
    high = dropped(apply(with_changes(stage, {"threshold": higher}), pool))
    assert set(high) == {row for row, how in low.items() if how["score"] >= higher}
    for row, how in low.items():
        assert how["survivor_row"] not in low
        change = stage.keeps_if(Evidence("near_duplicate", how))
        if change is not None:
            assert row not in dropped(apply(with_changes(stage, change), pool))


@given(st.lists(WORDS, min_size=1, max_size=30), st.sampled_from([0.5, 0.8]), st.integers(0, 9))
def test_acting_again_on_what_is_kept_drops_nothing(texts, threshold, seed):
    stage = DropNearDuplicates(threshold=threshold, shingle=1, words_apart=None)
    kept = act(stage, frame(*texts), HostileEngine({}, seed)).kept
    assert act(stage, kept, HostileEngine({}, seed)).dropped.is_empty()


@pytest.mark.parametrize("fields", [{"same_numbers": False}, {"words_apart": None}])
def test_keys_hold_nothing_that_no_check_looks_at(fields):
    whole, less = (DropNearDuplicates(**f).keys(frame(BASE)).columns for f in ({}, fields))
    unused = {"same_numbers": "numbers", "words_apart": "words"}
    assert set(whole) - set(less) == {unused[name] for name in fields}


def test_a_large_bucket_of_equal_rows_keeps_one():
    outcome = apply(DropNearDuplicates(), frame(*[BASE] * 5_000))
    assert outcome.kept.height == 1
    assert {how["score"] for how in dropped(outcome).values()} == {1.0}


def test_a_published_question_is_named_with_the_strictest_method():
    stage = DropPublished(against=("earlier",))
    near = BASE.replace("in a yard", "in the yard")
    given_rows = frame(BASE, f" {BASE} ", near, "Is 91 prime?")
    earlier = pl.DataFrame({"question": [None, BASE]})
    found = dropped(act(stage, given_rows, HostileEngine({"earlier": earlier}, 0)))
    assert {row: how["method"] for row, how in found.items()} == {
        0: "exact",
        1: "normalised",
        2: "near",
    }
    assert {(how["published"], how["item"]) for how in found.values()} == {("earlier", 1)}


def test_templates_are_counted_and_kept():
    outcome = apply(AddTemplateGroup(), frame(BASE, BASE.replace("12", "5"), BASE, "Is 9 prime?"))
    assert outcome.kept["template_group_size"].to_list() == [2, 2, 2, 1]
    assert outcome.kept["template_group"].n_unique() == 2
