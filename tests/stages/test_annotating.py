"""Annotations: what a row resembles is told with evidence, and no row is dropped for it."""

import json

import polars as pl
import pytest

from s1data import apply
from s1data.acting import act, with_places
from s1data.errors import StageError
from s1data.stages.annotating import AddContamination
from s1data.stages.contamination import DropContaminated
from s1data.stages.matching import METHODS
from s1data.stages.vectors import AddEmbedding
from tests import pools
from tests.laws.hostile import HostileEngine

ITEM = "A farmer in Kent sells 30 of his 120 sheep at the spring market; how many remain?"
TEXTS = {
    "same": ITEM,
    "other numbers": ITEM.replace("120", "340"),
    "all other numbers": ITEM.replace("120", "340").replace("30", "20"),
    "retyped": ITEM.replace("30", "$30$"),
    "other words": ITEM.replace("sheep", "goats"),
    "more numbers": ITEM.replace("30", "30 or 31"),
}


def hits(methods, texts=TEXTS, item=ITEM, **fields):
    """Name of the text to its entries."""
    stage = AddContamination(against=("test",), methods=methods, **fields)
    pool = pl.DataFrame({"question": list(texts.values())})
    outcome = apply(stage, pool, {"test": pl.DataFrame({"question": [item]})})
    assert outcome.dropped.is_empty()
    return dict(zip(texts, outcome.kept["contamination"].to_list(), strict=True))


def test_a_template_is_the_item_but_for_its_numbers_and_the_score_says_how_many_are_equal():
    found = {name: [e["score"] for e in entries] for name, entries in hits(("template",)).items()}
    assert found == {
        "same": [1.0],
        "retyped": [1.0],
        "other numbers": [0.5],
        "all other numbers": [0.0],
        "other words": [],
        "more numbers": [],
    }


def test_an_item_without_a_number_is_no_template():
    text = "Is the square root of a prime rational?"
    assert hits(("template",), {"it": text}, text) == {"it": []}


def test_the_other_methods_say_here_what_they_say_where_they_drop():
    pool = pl.DataFrame({"question": list(TEXTS.values())})
    items = {"test": pl.DataFrame({"question": [ITEM]})}
    told = apply(AddContamination(against=("test",), methods=METHODS), pool, items).artefact
    dropped = apply(DropContaminated(against=("test",), methods=METHODS), pool, items).artefact
    assert told.sort(pl.all()).equals(dropped.select(told.columns).sort(pl.all()))


def test_words_are_a_digest_where_a_benchmark_asks_for_it():
    stage = AddContamination(against=("gpqa_diamond",), methods=("template", "ngram8"))
    outcome = apply(
        stage,
        pl.DataFrame({"question": [TEXTS["other numbers"]]}),
        {"gpqa_diamond": pl.DataFrame({"question": [ITEM]})},
    )
    (entries,) = outcome.kept["contamination"].to_list()
    assert {entry["method"] for entry in entries} == {"template", "ngram8"}
    assert all(entry["span"].startswith("sha256:") for entry in entries)


def embedded(also, seed=0):
    topics = ("a triangle and its circle", "moles of zinc in acid", "trains that meet at noon")
    questions = [f"Number {i}: tell of {topics[i % 3]}." for i in range(30)]
    items = pl.DataFrame({"question": [questions[4], "Which verb stands in Latin?", None]})
    engine = HostileEngine({"test": items}, seed)
    pool = with_places(pl.DataFrame({"question": questions}))
    stage = AddEmbedding(encoder="tfidf-svd", dimensions=8, also=also)
    return act(stage, pool, engine).kept, engine


@pytest.mark.parametrize("seed", range(3))
def test_near_vectors_are_told_with_their_cosine(seed):
    pool, engine = embedded(("test",), seed)
    stage = AddContamination(against=("test",), methods=("embedding",), embedding_score=0.5)
    outcome = act(stage, pool, engine)
    entries = dict(outcome.kept.select("row", "contamination").iter_rows())
    assert entries[4][0]["score"] == 1.0
    assert {e["item"] for found in entries.values() for e in found} == {0}
    assert [] in entries.values()
    scores = sorted(e["score"] for found in entries.values() for e in found)
    stricter = stage.model_copy(update={"embedding_score": scores[len(scores) // 2]})
    left = act(stricter, pool, engine).kept["contamination"].list.len().sum()
    assert left == sum(score >= scores[len(scores) // 2] for score in scores)


def test_items_without_vectors_are_said_with_what_to_do():
    pool, engine = embedded(())
    engine.stores = {}
    stage = AddContamination(against=("test",), methods=("embedding",))
    with pytest.raises(StageError, match=r"also: \[test\] in add_embedding"):
        act(stage, pool, engine)


def test_vectors_of_items_that_are_gone_are_made_again():
    stage = AddEmbedding(encoder="tfidf-svd", dimensions=8, also=("test",))
    items = pl.DataFrame({"question": ["Is 91 prime, and why?"]})
    engine = HostileEngine({"test": items}, 0)
    pool = with_places(pl.DataFrame({"question": ["What is 2 + 2?", "Name a prime above 90."]}))
    outcome = act(stage, pool, engine)
    assert stage.usable(outcome.artefact, engine)
    (vectors,) = engine.stores.values()
    (gone,) = set(vectors.held) - set(outcome.kept["embedding"])
    del vectors.held[gone]
    assert not stage.usable(outcome.artefact, engine)


NOTED = """\
name: noted
version: 2026.11.0
sources:
  - {name: sums, path: sums.jsonl}
inputs:
  bench: {path: bench.csv, columns: [question]}
stages:
  - drop_incomplete: {needs: [answer]}
  - add_contamination: {against: [bench], methods: [normalised, template]}
  - keep_random: {as: keep, n: 20, seed: 1}
"""


def test_a_run_tells_of_annotations_in_the_set_the_manifest_and_why(tmp_path):
    pools.lay(tmp_path)
    run = pools.pipeline(tmp_path, NOTED).run(tmp_path / "run")
    (stage,) = [s for s in run.manifest["stages"] if s["label"] == "add_contamination"]
    told = stage["figures"]["benchmarks"]["bench"]
    assert told["template"]["rows"] > told["normalised"]["rows"] > 0
    assert told["template"]["only_this_method"] == (
        told["template"]["rows"] - told["normalised"]["rows"]
    )
    hit = run.selected.filter(pl.col("contamination").list.len() > 0).row(0, named=True)
    (way,) = run.why(hit["id"])
    first = hit["contamination"][0]
    said = f"item {first['item']} of bench by {first['method']} with a score of {first['score']}"
    assert said in str(way)
    json.dumps(way.as_dict())
    overlaps = run.overlaps()["add_contamination"]
    assert set(overlaps.pairs()["method"]) == {"normalised", "template"}
    assert overlaps.pairs()["id"].null_count() == 0
