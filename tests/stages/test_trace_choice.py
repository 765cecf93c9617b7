"""Which of several traces stays, by what is wanted in which order."""

import polars as pl
import pytest
from pydantic import ValidationError

from s1data import StageError, pool
from s1data.acting import apply
from s1data.stage import Evidence
from s1data.stages import get

TRACES = [
    # teacher, sample, verdict, thinking tokens
    ("deep", 0, None, 900),
    ("deep", 1, True, 4_000),
    ("deep", 2, True, 700),
    ("flash", 0, True, None),
    ("flash", 1, False, 50),
]
FLAWS = [("deep", 2, "cut"), ("flash", 0, "answers_differ"), ("deep", 1, "boilerplate")]
SCORES = [("deep", 0, 0.5), ("deep", 1, 0.1), ("flash", 0, 0.9), ("flash", 1, None)]
SCORE = pl.List(pl.Struct({"teacher": pl.String, "sample": pl.UInt32, "mean": pl.Float64}))


def frame(traces=TRACES):
    empty = dict.fromkeys(field.name for field in pool.TRACE.fields)
    rows = [
        {
            "question": "How many?",
            "traces": [
                empty | {"teacher": t, "sample": s, "verdict": v, "thinking_tokens": n}
                for t, s, v, n in traces
            ],
            "trace_flaws": [
                {"teacher": t, "sample": s, "flaw": f, "found": "here"} for t, s, f in FLAWS
            ],
            "scores": [{"teacher": t, "sample": s, "mean": m} for t, s, m in SCORES],
        }
    ]
    schema = {name: pool.COLUMNS[name] for name in ("question", "traces", "trace_flaws")}
    return pl.DataFrame(rows, schema=schema | {"scores": SCORE})


@pytest.mark.parametrize(
    ("order", "more", "stays", "since", "unmeasured"),
    [
        (["right", "shortest"], {}, ("deep", 2), "shortest", 1),
        (["right", "complete", "shortest"], {}, ("deep", 1), "shortest", 1),
        (["right", "longest"], {}, ("deep", 1), "longest", 1),
        (["right", "complete", "agrees"], {}, ("deep", 1), "agrees", 0),
        (["shortest"], {}, ("flash", 1), "shortest", 1),
        (["longest"], {}, ("deep", 1), "longest", 1),
        (["highest"], {"score": "scores.mean"}, ("flash", 0), "highest", 2),
        (["lowest"], {"score": "scores.mean"}, ("deep", 1), "lowest", 2),
        (["teacher", "right", "longest"], {"teachers": ["flash"]}, ("flash", 0), "right", 1),
        (["teacher"], {"teachers": ["deep", "flash"]}, ("deep", 0), None, 0),
        (["right"], {}, ("deep", 1), None, 0),
    ],
)
def test_the_best_by_the_first_wish_that_tells_them_apart_stays(
    order, more, stays, since, unmeasured
):
    stage = get("choose_trace").model_validate({"order": order} | more)
    rows = frame()
    assert not list(stage.check(rows.schema, {}))
    out = apply(stage, rows)
    (trace,) = out.kept["traces"][0].to_list()
    assert (trace["teacher"], trace["sample"]) == stays
    said = stage.verdicts(rows)["evidence"][0]
    named = {"teacher": stays[0], "sample": stays[1], "since": since}
    assert said == {"traces": 5, **named, "unmeasured": unmeasured}
    words = stage.in_words(Evidence("no_trace", said))
    assert words.startswith(f"Of its 5 traces sample {stays[1]} of {stays[0]} stays: ")
    assert (f"{unmeasured} of them have no value" in words) == (unmeasured > 0)
    # What is left of checks and scores is of the trace that is left.
    here = {(line["teacher"], line["sample"]) for line in out.kept["trace_flaws"][0].to_list()}
    assert here == {stays} & {(t, s) for t, s, _ in FLAWS}
    assert {(s["teacher"], s["sample"]) for s in out.kept["scores"][0].to_list()} <= {stays}


def test_a_trace_that_was_never_measured_is_no_best_one():
    unscored = frame().with_columns(scores=pl.lit([], SCORE))
    stage = get("choose_trace")(order=("highest",), score="scores.mean")
    words = stage.in_words(Evidence("no_trace", stage.verdicts(unscored)["evidence"][0]))
    assert "nothing tells it from the next one, it stands first; 5 of them have no value" in words
    # One measured trace is before all that are not, whatever its score and its place.
    one = [{"teacher": "flash", "sample": 1, "mean": -9.0}]
    last = frame().with_columns(scores=pl.lit(pl.Series([one], dtype=SCORE)))
    assert apply(stage, last).kept["traces"][0][0]["teacher"] == "flash"
    unchecked = frame().with_columns(trace_flaws=pl.lit(None, pool.COLUMNS["trace_flaws"]))
    stage = get("choose_trace")(order=("complete",))
    said = stage.verdicts(pl.concat([frame(), unchecked]))["evidence"].to_list()
    assert [line["since"] for line in said] == [None, None]
    assert apply(stage, unchecked).kept["trace_flaws"].to_list() == [None]


def test_scores_of_a_text_stay_when_traces_leave():
    text = [{"teacher": None, "sample": None, "mean": 0.3}]
    rows = frame().with_columns(scores=pl.lit(pl.Series([text], dtype=SCORE)))
    out = apply(get("choose_trace")(order=("shortest",)), rows)
    assert out.kept["scores"].to_list() == [text]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"order": ["shortest", "right", "longest"]}, "got shortest and longest"),
        ({"order": ["lowest", "highest"], "score": "scores.mean"}, "got highest and lowest"),
        ({"order": ["right", "right"]}, "got right twice"),
    ],
)
def test_wishes_that_speak_against_each_other_are_refused(fields, says):
    with pytest.raises(ValidationError, match=says):
        get("choose_trace").model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "without", "says"),
    [
        ({"order": ["complete"]}, "trace_flaws", "the column trace_flaws .*add_trace_checks"),
        (
            {"order": ["lowest"], "score": "scores.ifd"},
            "scores",
            "a column scores.*put the stage that adds it",
        ),
        ({"order": ["lowest"], "score": "scores.ifd"}, "question", "a number ifd"),
    ],
)
def test_a_wish_whose_column_is_not_there_is_refused_in_a_script_too(fields, without, says):
    rows = frame().with_columns(id=pl.lit("0" * 16)).drop(without)
    with pytest.raises(StageError, match=f"stage choose_trace: .*{says}"):
        apply(get("choose_trace").model_validate(fields), rows)


def test_one_trace_stays_as_it_is_and_a_row_without_any_is_dropped():
    stage = get("choose_trace")()
    one = apply(stage, frame(TRACES[4:]))
    assert one.kept["traces"].list.len().to_list() == [1]
    assert one.thinned.is_empty()
    assert apply(stage, frame([])).dropped["reason"].to_list() == ["no_trace"]


def test_all_may_stay():
    stage = get("choose_trace")(keep="all")
    out = apply(stage, frame())
    assert out.kept["traces"].list.len().to_list() == [5]
    assert apply(stage, frame([])).dropped["reason"].to_list() == ["no_trace"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"order": ["highest"]}, "score"),
        ({"order": ["right"], "teachers": ["deep"]}, "teachers"),
        ({"order": ["right"], "score": "scores.mean"}, "score"),
        ({"order": ["teacher"]}, "teachers"),
        ({"order": ["lowest"], "score": "question.mean"}, "score"),
        ({"order": ["lowest"], "score": "trace_flaws.found"}, "score"),
    ],
)
def test_a_wish_without_what_it_needs_is_a_problem_before_anything_runs(fields, field):
    stage = get("choose_trace").model_validate(fields)
    (problem,) = stage.check(frame().schema, {})
    assert problem.field == field
