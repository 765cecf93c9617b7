"""Sets of others, in their own columns, as a pool with traces."""

import json

import polars as pl
import pytest

from s1data.errors import PoolError
from s1data.recipe import Pipeline
from s1data.sources import Input, Source, open_input, open_source

R1, GEMINI = "deepseek-r1", "gemini-2.0-flash-thinking-exp"
S1 = {
    "solution": "4",
    "question": "What is 2 + 2?",
    "cot_type": "math",
    "source_type": "made",
    "metadata": "{}",
}
THOUGHT = "<|begin_of_thought|>\n\nTwo.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nIt is 4.\n\n<|end_of_solution|>"
SETS = {
    "s1k": [{**S1, "cot": None, "thinking_trajectories": ["Two."], "attempt": "It is 4."}],
    "s1k-1.1": [
        {**S1, "gemini_thinking_trajectory": "Zwei.", "gemini_attempt": "5", "deepseek_thinking_trajectory": "Two.",
         "deepseek_attempt": "It is 4.", "gemini_grade": "No", "gemini_grade_reason": "", "deepseek_grade": "Yes",
         "deepseek_grade_reason": ""}
    ],
    "openthoughts": [
        {"system": "Think.", "conversations": [{"from": "user", "value": "What is 2 + 2?"}, {"from": "assistant", "value": THOUGHT}]}
    ],
    "limo": [{"question": "What is 2 + 2?", "solution": "Two.\n\n**Final Answer**\n\\boxed{4}", "answer": "4"}],
    "mixture-of-thoughts": [
        {"messages": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "<think>\nTwo.\n</think>\n\nIt is 4."}],
         "num_tokens": 9, "source": "made"}
    ],
}  # fmt: skip
TRACES = {
    "s1k": [(GEMINI, "Two.", "It is 4.", None)],
    "s1k-1.1": [(GEMINI, "Zwei.", "5", False), (R1, "Two.", "It is 4.", True)],
    "openthoughts": [(R1, "Two.", "It is 4.", None)],
    "limo": [("limo", "Two.", "**Final Answer**\n\\boxed{4}", None)],
    "mixture-of-thoughts": [(R1, "Two.", "It is 4.", None)],
}
LAYOUTS = [*SETS, "openthoughts metadata", "openthoughts3"]
SETS["openthoughts metadata"] = [
    {"problem": "What is 2 + 2?", "deepseek_reasoning": "Two.", "deepseek_solution": "It is 4.",
     "ground_truth_solution": "4", "domain": "math", "source": "made", "test_cases": None, "starter_code": None}
]  # fmt: skip
SETS["openthoughts3"] = [
    {"difficulty": 7, "source": "made", "domain": "math",
     "conversations": [{"from": "human", "value": "What is 2 + 2?"}, {"from": "gpt", "value": "<think>Two.</think>\n\nIt is 4."}]}
]  # fmt: skip
TRACES["openthoughts metadata"] = TRACES["openthoughts3"] = TRACES["openthoughts"]


def shape_of(layout):
    return "openthoughts" if layout.startswith("openthoughts") else layout


def lay(folder, layout, ending):
    frame = pl.DataFrame(SETS[layout], infer_schema_length=None)
    path = folder / f"set.{ending}"
    frame.write_parquet(path) if ending == "parquet" else frame.write_ndjson(path)
    return path


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_set_in_its_own_columns_is_a_pool_and_traces(tmp_path, layout, ending):
    path, shape = lay(tmp_path, layout, ending), shape_of(layout)
    rows = open_source(Source(name="far", path=str(path), shape=shape)).read().rows
    assert rows["question"].to_list() == ["What is 2 + 2?"]
    if layout != "limo" and shape not in ("openthoughts", "mixture-of-thoughts"):
        assert rows.select("solution", "source_type", "cot_type", "metadata").row(0) == (
            "4",
            "made",
            "math",
            "{}",
        )
    lines = open_input(Input(path=str(path), shape=shape), "traces").read()
    assert lines.select("model", "thinking", "answer", "verdict").rows() == TRACES[layout]
    assert set(lines["trace_kind"]) == {"raw"}


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_each_of_several_trajectories_is_a_trace(tmp_path, ending):
    line = {"question": "Q?", "thinking_trajectories": ["one", "two"], "attempt": "4"}
    frame, path = pl.DataFrame([line]), tmp_path / f"set.{ending}"
    frame.write_parquet(path) if ending == "parquet" else frame.write_ndjson(path)
    read = open_input(Input(path=str(path), shape="s1k"), "traces").read()
    assert read.select("question", "thinking", "answer").rows() == [
        ("Q?", "one", "4"),
        ("Q?", "two", "4"),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_recipe_reads_set_and_traces_from_one_file_to_an_export(tmp_path, layout):
    from s1data.export import Options, export

    path, shape = json.dumps(str(lay(tmp_path, layout, "parquet"))), shape_of(layout)
    text = f"""
name: imported
version: 2026.11.0
sources: [{{name: far, path: {path}, shape: {shape}, licence: mit}}]
inputs: {{traces: {{path: {path}, shape: {shape}}}}}
stages:
  - add_recorded_traces: {{from: traces, verdict: verdict, trace_kind: trace_kind}}
  - keep_random: {{as: keep, n: 1}}
"""
    run = Pipeline.from_yaml(text).run(tmp_path / "run")
    found = run.selected["traces"].explode().struct.unnest()
    assert sorted(found.select("teacher", "thinking", "answer", "verdict").rows()) == sorted(
        TRACES[layout]
    )
    export(run, tmp_path / "out.jsonl", Options("think"))
    assert "<think>\\nTwo.\\n</think>" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


def test_another_set_under_that_shape_is_one_clear_line(tmp_path):
    path = lay(tmp_path, "limo", "parquet")
    with pytest.raises(
        PoolError, match="wanted a column messages for this shape, got question"
    ) as error:
        open_source(Source(name="far", path=str(path), shape="mixture-of-thoughts")).read()
    assert "\n" not in str(error.value)


def test_lines_that_are_none_keep_their_places_and_a_place_without_shape_its_fingerprint(tmp_path):
    path = tmp_path / "set.jsonl"
    good = json.dumps(SETS["limo"][0])
    path.write_text(f"{good}\nnot json\n{good}\n", encoding="utf-8")
    read = open_source(Source(name="far", path=str(path), shape="limo")).read()
    assert (read.rows["position"].to_list(), read.dropped["position"].to_list()) == ([0, 2], [1])
    assert "shape" not in Source(name="a").model_dump()
    assert Source(name="a", shape="limo").model_dump()["shape"] == "limo"


def test_a_reply_without_marks_is_an_answer_without_thinking(tmp_path):
    line = {
        "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    }
    pl.DataFrame([line]).write_parquet(tmp_path / "s.parquet")
    spec = Input(path=str(tmp_path / "s.parquet"), shape="mixture-of-thoughts")
    got = open_input(spec, "traces").read().select("thinking", "answer", "trace_kind").row(0)
    assert got == (None, "So.", "none")
