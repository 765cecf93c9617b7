"""Where a question went: the way, the evidence in words, the setting, and what comes after."""

import polars as pl
import pytest

import s1data
from s1data.pool import question_id
from s1data.side_by_side import visible
from tests import pools


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("why")
    pools.lay(folder)
    return pools.pipeline(folder).run(folder / "run")


def fates(way):
    return [(step.label, step.fate) for step in way.steps]


def test_a_chosen_question(run):
    (way,) = run.why(run.selected["id"][0])
    assert way.outcome == "selected"
    assert fates(way) == [
        ("read", "kept"), ("drop_incomplete", "kept"), ("drop_malformed", "kept"),
        ("drop_contaminated", "kept"), ("keep", "selected"),
    ]  # fmt: skip
    assert "rank" in str(way)


def test_a_dropped_question_names_evidence_setting_and_what_follows(run):
    text = pools.question(10)
    (way,) = run.why(text=text)
    assert way.id == question_id(text)
    assert way.outcome == "dropped"
    step = next(s for s in way.steps if s.fate == "dropped")
    assert (step.label, step.reason) == ("drop_contaminated", "in_benchmark")
    assert "bench" in step.words
    assert step.settings is not None
    assert f"--set drop_contaminated.n={step.settings['n']}" in str(way)
    assert fates(way)[-1] == ("keep", "not known")


def test_what_comes_after_a_drop_is_tried_as_far_as_it_is_known(run):
    (way,) = run.why(text="why " * 200)
    assert ("drop_malformed", "dropped") in fates(way)
    (way,) = run.why(text=pools.question(11))
    assert fates(way)[1:] == [
        ("drop_incomplete", "dropped"), ("drop_malformed", "would keep"),
        ("drop_contaminated", "not known"), ("keep", "not known"),
    ]  # fmt: skip


def test_the_named_setting_really_keeps_every_row_it_is_named_for(run, tmp_path):
    dropped = run.ledger.filter(pl.col("stage") == "drop_contaminated")
    needed = 0
    for text in dropped["id"]:
        step = next(s for s in run.why(text)[0].steps if s.fate == "dropped")
        needed = max(needed, (step.settings or {}).get("n", 0))
    assert needed > 8
    again = run.pipeline.with_set({"drop_contaminated.n": needed}).run(tmp_path / "run")
    assert again.ledger.filter(pl.col("stage") == "drop_contaminated").height == 0


def test_an_unfinished_run_answers_as_far_as_it_went(tmp_path):
    pools.lay(tmp_path)
    part = pools.pipeline(tmp_path).run(tmp_path / "run", until="drop_incomplete")
    (way,) = part.why(text=pools.question(3))
    assert way.outcome == "under way"
    assert fates(way) == [("read", "kept"), ("drop_incomplete", "kept")]


def test_an_id_may_be_shortened_and_doubles_are_all_shown(run):
    whole = run.selected["id"][0]
    assert [w.id for w in run.why(whole[:6])] == [whole]


@pytest.mark.parametrize("wrong", ["zz", "abc", "What is this?", "g" * 16])
def test_what_is_no_id_is_refused_in_one_line(run, wrong):
    with pytest.raises(s1data.RunError, match="--text") as error:
        run.why(wrong)
    assert "\n" not in str(error.value)


def test_an_unknown_question_is_said_to_be_unknown(run):
    with pytest.raises(s1data.RunError, match="no question with the id"):
        run.why(text="never asked")


def test_a_line_that_is_no_row_is_found_by_its_row(run):
    (way,) = run.why(row=121)
    assert (way.id, way.outcome) == (None, "dropped")
    assert way.steps[0].reason == "unreadable_row"
    assert "line 122" in str(way)
    (way,) = run.why(row=3)
    assert way.question == pools.question(3)


def test_untrusted_text_cannot_move_the_cursor_or_turn_the_line():
    shown = visible("a\x1b[2J\u202eb\nc\u0000", 80)
    assert shown == "a\\u001b[2J\\u202eb c\\u0000"
    assert len(visible("x" * 500, 100)) == 100
