"""What finds duplicates and benchmark items: either way round, in any order, again, at any threshold."""

import json
import random
from itertools import pairwise

import polars as pl
import pytest

from s1data.acting import act, with_places
from s1data.normalising import Normalisation
from s1data.stages.annotating import AddContamination
from s1data.stages.contamination import DropContaminated
from s1data.stages.duplicates import DropDuplicates
from s1data.stages.matching import METHODS
from s1data.stages.near_duplicates import DropNearDuplicates
from s1data.stages.published import DropPublished
from s1data.stages.semantic_duplicates import DropSemanticDuplicates
from s1data.stages.templates import AddTemplateGroup
from s1data.stages.vectors import AddEmbedding
from tests.laws.hostile import HostileEngine
from tests.laws.variants import with_changes

STORIES = (
    "A farmer has 12 hens and 7 geese in a yard with 3 gates. How many birds has the farmer there?",
    "A train leaves the town at 9 and travels 120 miles in 2 hours; when does it reach the coast?",
    r"Find $\dfrac{1}{2} + x^2$ for $x = 5$, and give the result as a whole number or a fraction.",
    "Which metal is liquid at room temperature, and what is made of it in old thermometers?",
)
CHANGES = (
    lambda text: text,
    lambda text: text.replace(" ", "  ") + "\n",
    lambda text: text.replace(" a ", " the "),
    lambda text: text.replace("the ", ""),
    lambda text: text.replace("12", "13").replace("120", "240").replace("= 5", "= 6"),
    lambda text: f"{text} Say why.",
)
TEXTS = [change(text) for text in STORIES for change in CHANGES]
INPUTS = {"test": pl.DataFrame({"question": [STORIES[0], STORIES[2], TEXTS[9]]})}
DROPPING = (
    DropDuplicates(normalisation=Normalisation()),
    DropNearDuplicates(threshold=0.6, words_apart=4),
    DropSemanticDuplicates(threshold=0.7, words=0.3),
    DropPublished(against=("test",), threshold=0.6),
    DropContaminated(against=("test",), methods=METHODS, fuzzy_score=0.7),
)
ADDING = (
    AddTemplateGroup(),
    AddContamination(against=("test",), methods=(*METHODS, "template", "embedding")),
)


def names(stages):
    return [stage.stage_name() for stage in stages]


def pool(texts, seed=0):
    """The rows in an order of their own, with vectors, and the engine that has them."""
    texts = random.Random(seed).sample(texts, len(texts))
    engine = HostileEngine(INPUTS, seed)
    embed = AddEmbedding(encoder="tfidf-svd", dimensions=8, also=("test",))
    return act(embed, with_places(pl.DataFrame({"question": texts})), engine).kept, engine


def lost(outcome, rows):
    """Question of each dropped row to its evidence, with texts in place of row numbers."""
    text = dict(rows.select("row", "question").iter_rows())
    found = {}
    for row, _, how in outcome.dropped.iter_rows():
        evidence = json.loads(how)
        if "survivor_row" in evidence:
            evidence["survivor_row"] = text[evidence["survivor_row"]]
        found[text[row]] = evidence
    return found


@pytest.mark.parametrize("stage", DROPPING, ids=names(DROPPING))
def test_the_same_questions_are_dropped_on_the_same_evidence_in_any_order(stage):
    first, *others = (
        lost(act(stage, *made), made[0]) for made in (pool(TEXTS, s) for s in (1, 2, 3))
    )
    assert first
    assert all(other == first for other in others)


@pytest.mark.parametrize("stage", ADDING, ids=names(ADDING))
def test_the_same_is_added_in_any_order(stage):
    added = list(stage.adds())
    first, *others = (
        act(stage, *made).kept.select("question", *added).sort("question")
        for made in (pool(TEXTS, s) for s in (1, 2, 3))
    )
    assert first.select(added).unique().height > 1
    assert all(other.equals(first) for other in others)


@pytest.mark.parametrize("stage", DROPPING[:3], ids=names(DROPPING[:3]))
def test_two_questions_are_alike_either_way_round_with_the_same_score(stage):
    alike = 0
    for one, other in pairwise(TEXTS):
        rows, engine = pool([one, other])
        turned = rows[::-1].with_columns(row=rows["row"])
        found, again = (lost(act(stage, r, engine), r) for r in (rows, turned))
        assert found == again
        alike += bool(found)
    assert 0 < alike < len(TEXTS) - 1


@pytest.mark.parametrize("stage", DROPPING[:4], ids=names(DROPPING[:4]))
def test_what_is_kept_is_kept_again_and_holds_every_survivor(stage):
    rows, engine = pool(TEXTS)
    outcome = act(stage, rows, engine)
    assert act(stage, outcome.kept, engine).dropped.is_empty()
    survivors = {how.get("survivor_row") for how in lost(outcome, rows).values()} - {None}
    assert survivors <= set(outcome.kept["question"])


@pytest.mark.parametrize(
    ("stage", "field", "score"),
    [
        (DROPPING[1], "threshold", "score"),
        (DROPPING[2], "threshold", "score"),
        (DROPPING[3], "threshold", "score"),
        (with_changes(DROPPING[4], {"methods": ["fuzzy"]}), "fuzzy_score", "fuzzy"),
    ],
    ids=names(DROPPING[1:]),
)
def test_a_threshold_moves_on_the_evidence_alone(stage, field, score):
    rows, engine = pool(TEXTS)
    low = lost(act(stage, rows, engine), rows)
    scores = sorted({how[score] for how in low.values()})
    assert len(scores) > 1
    for higher in scores:
        found = act(with_changes(stage, {field: higher}), rows, engine)
        assert set(lost(found, rows)) == {text for text, how in low.items() if how[score] >= higher}
