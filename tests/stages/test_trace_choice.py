"""Which of several traces stays, by what is wanted in which order."""

import polars as pl
import pytest

from s1data import pool
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
    ("order", "more", "stays", "since"),
    [
        (["right", "shortest"], {}, ("deep", 2), "shortest"),
        (["right", "complete", "shortest"], {}, ("deep", 1), "shortest"),
        (["right", "longest"], {}, ("deep", 1), "longest"),
        (["right", "complete", "agrees"], {}, ("deep", 1), "agrees"),
        (["shortest"], {}, ("flash", 1), "shortest"),
        (["longest"], {}, ("deep", 1), "longest"),
        (["highest"], {"score": "scores.mean"}, ("flash", 0), "highest"),
        (["lowest"], {"score": "scores.mean"}, ("deep", 1), "lowest"),
        (["teacher", "right", "longest"], {"teachers": ["flash"]}, ("flash", 0), "right"),
        (["teacher"], {"teachers": ["deep", "flash"]}, ("deep", 0), None),
        (["right"], {}, ("deep", 1), None),
    ],
)
def test_the_best_by_the_first_wish_that_tells_them_apart_stays(order, more, stays, since):
    stage = get("choose_trace").model_validate({"order": order} | more)
    rows = frame()
    assert not list(stage.check(rows.schema, {}))
    out = apply(stage, rows)
    (trace,) = out.kept["traces"][0].to_list()
    assert (trace["teacher"], trace["sample"]) == stays
    said = stage.verdicts(rows)["evidence"][0]
    assert said == {"traces": 5, "teacher": stays[0], "sample": stays[1], "since": since}
    words = stage.in_words(Evidence("no_trace", said))
    assert words.startswith(f"Of its 5 traces sample {stays[1]} of {stays[0]} stays: ")


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
        ({"order": ["teacher"]}, "teachers"),
        ({"order": ["lowest"], "score": "question.mean"}, "score"),
        ({"order": ["lowest"], "score": "trace_flaws.found"}, "score"),
    ],
)
def test_a_wish_without_what_it_needs_is_a_problem_before_anything_runs(fields, field):
    stage = get("choose_trace").model_validate(fields)
    (problem,) = stage.check(frame().schema, {})
    assert problem.field == field
