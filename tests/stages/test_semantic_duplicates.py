"""Semantic duplicates: near vectors are looked at, words and numbers decide, one of each set stays."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s1data.acting import act, with_places
from s1data.embedding import keys_of
from s1data.engine import LocalEngine
from s1data.stage import Evidence
from s1data.stages.semantic_duplicates import DropSemanticDuplicates
from s1data.stages.vectors import AddEmbedding
from tests.laws.hostile import HostileEngine
from tests.laws.variants import with_changes

ENCODER = "0123456789abcdef"
BASE = "A train leaves the station at 9 and travels 120 miles; when does it arrive?"
REWORDED = "At 9 a train leaves the station and travels 120 miles; when will it arrive?"
TEXTS = {
    "base": BASE,
    "reworded": REWORDED,
    "other numbers": BASE.replace("120", "340"),
    "other words": "How many 9 legged spiders weave 120 carpets?",
    "far": "Which metal is liquid at room temperature?",
}


def frame(texts, embedding=None, priority=0):
    rows = {"question": texts, "priority": priority, "solution": None, "answer": None}
    schema = {
        "question": pl.String,
        "priority": pl.Int32,
        "solution": pl.String,
        "answer": pl.String,
    }
    made = with_places(pl.DataFrame(rows, schema=schema))
    return made if embedding is None else made.with_columns(embedding)


def at_angles(texts, degrees, of=None):
    """Rows whose vectors stand at these angles in a plane, and what an engine needs to know."""
    keys = keys_of(ENCODER, pl.Series(of or texts))
    radians = np.radians(degrees)
    return frame(texts, keys), np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def dropped(stage, rows, vectors, engine):
    """Row to evidence; the vectors are in the engine's cache before the stage looks."""
    keys = rows["embedding"]
    known = keys.is_not_null()
    once = rows.filter(known).unique("embedding", keep="first", maintain_order=True)
    at = {key: place for place, key in enumerate(keys.to_list()) if key is not None}
    engine.vectors(ENCODER).put(once["embedding"], vectors[[at[k] for k in once["embedding"]]])
    outcome = act(stage, rows, engine)
    return {row: json.loads(how) for row, _, how in outcome.dropped.iter_rows()}


def local(home):
    return LocalEngine(read={}.__getitem__, vectors_home=home, artefacts_home=home)


@pytest.fixture
def engine(tmp_path):
    return local(tmp_path)


def test_a_near_vector_counts_only_with_the_same_numbers_and_enough_words(engine):
    rows, vectors = at_angles(list(TEXTS.values()), [0, 10, 1, 2, 90])
    names = list(TEXTS)
    found = dropped(DropSemanticDuplicates(), rows, vectors, engine)
    pair = {names.index("base"), names.index("reworded")}
    assert set(found) < pair
    (how,) = found.values()
    assert {how["survivor_row"]} | set(found) == pair
    assert how["score"] == round(float(np.cos(np.radians(10))), 4)
    assert how["method"] == "semantic"


@pytest.mark.parametrize(
    ("fields", "also"),
    [({"same_numbers": False}, "other numbers"), ({"words": 0.0}, "other words")],
)
def test_each_check_can_be_switched_off(fields, also, engine):
    rows, vectors = at_angles([TEXTS["base"], TEXTS[also]], [0, 1])
    assert len(dropped(DropSemanticDuplicates(**fields), rows, vectors, engine)) == 1
    assert dropped(DropSemanticDuplicates(), rows, vectors, engine) == {}


def test_planted_rewordings_are_found_by_a_real_model_and_other_numbers_kept(engine):
    rows = act(AddEmbedding(), frame(list(TEXTS.values())), engine).kept
    outcome = act(DropSemanticDuplicates(), rows, engine)
    assert outcome.dropped.height == 1
    names = set(TEXTS) - {
        name for name, row in zip(TEXTS, rows["row"], strict=True) if row in outcome.kept["row"]
    }
    assert names < {"base", "reworded"}
    # The vectors alone would have taken the one with other numbers as well.
    loose = act(DropSemanticDuplicates(same_numbers=False), rows, engine)
    assert loose.dropped.height == 2


def test_equal_vectors_of_another_column_are_no_evidence(engine):
    texts = [BASE, BASE.replace("120", "340"), TEXTS["far"]]
    rows, vectors = at_angles(texts, [0, 0, 0], of=["the same solution"] * 3)
    assert dropped(DropSemanticDuplicates(), rows, vectors, engine) == {}


def test_a_row_without_a_question_or_a_vector_is_kept(engine):
    rows, vectors = at_angles([BASE, BASE, None, None], [0, 0, 0, 0], of=[BASE, None, BASE, BASE])
    assert dropped(DropSemanticDuplicates(), rows, vectors, engine) == {}


@pytest.mark.parametrize("best", [0, 1])
def test_the_better_row_survives(engine, best):
    rows, vectors = at_angles([BASE, REWORDED], [0, 10])
    rows = rows.with_columns(priority=(pl.col("row") != best).cast(pl.Int32))
    found = dropped(DropSemanticDuplicates(), rows, vectors, engine)
    assert {row: how["survivor_row"] for row, how in found.items()} == {1 - best: best}


def test_all_pairs_are_looked_at_however_many_are_near(engine):
    fillers = [f"{'x' * n} y z" for n in range(1, 40)]
    rows, vectors = at_angles([BASE, *fillers, REWORDED], [0, *np.linspace(0.1, 5, 39), 6])
    found = dropped(DropSemanticDuplicates(words=0.6), rows, vectors, engine)
    assert len(found) == 1
    assert set(found) < {0, 40}


WORDS = st.lists(st.sampled_from("abcd"), min_size=2, max_size=5).map(" ".join)
ROWS = st.lists(
    st.tuples(WORDS, st.integers(0, 90)), min_size=1, max_size=24, unique_by=lambda r: r[0]
)


@settings(max_examples=40)
@given(ROWS, st.integers(0, 9), st.sampled_from([0.6, 0.8, 0.95]))
def test_acting_again_drops_nothing_and_scores_are_thresholds(
    tmp_path_factory, drawn, seed, higher
):
    stage = DropSemanticDuplicates(threshold=0.5)
    rows, vectors = at_angles(*map(list, zip(*drawn, strict=True)))
    found = dropped(stage, rows, vectors, HostileEngine({}, seed))
    kept = ~rows["row"].is_in(list(found))
    home = tmp_path_factory.mktemp("vectors")
    assert dropped(stage, rows.filter(kept), vectors[kept.to_numpy()], local(home)) == {}
    more = dropped(with_changes(stage, {"threshold": higher}), rows, vectors, local(home))
    assert set(more) == {row for row, how in found.items() if how["score"] >= higher}
    for row, how in found.items():
        assert how["survivor_row"] not in found
        change = stage.keeps_if(Evidence("semantic_duplicate", how))
        assert change is None or row not in dropped(
            with_changes(stage, change), rows, vectors, local(home)
        )
