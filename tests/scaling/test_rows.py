"""A row of a file that would teach something else is refused and named, as a run's is left out."""

import json

import polars as pl
import pytest

from s1data.errors import PoolError
from s1data.export.templates import Template
from s1data.scaling import lessons
from tests.export import tokenizers
from tests.scaling.test_labels import learnt


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return lambda kind: Template.load(str(tokenizers.make(tmp_path_factory.mktemp(kind), kind)))


def asks(**more):
    """A row of messages, with what is said of a turn changed."""
    said = {"role": "assistant", "content": "<think>\nT\n</think>\n\nA"}
    user = {"role": "user", "content": more.pop("question", "Q")}
    return {"messages": [user, said | more]}


def talks(question="Q", speaker="human", **more):
    said = {"from": "gpt", "value": "<think>\nT\n</think>\n\nA"}
    return {"conversations": [{"from": speaker, "value": question}, said], **more}


HEAD = "<|im_start|>system\nYou are a default.<|im_end|>\n<|im_start|>user\n"
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
WHOLE = "<think>\nT\n</think>\n\nA<|im_end|>"
S1 = "<|im_start|>think\nT\n<|im_start|>answer\nA<|im_end|>\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (asks(question=""), "wanted a question, got an empty one"),
        (asks(question=" \n"), "wanted a question, got an empty one"),
        (talks(""), "wanted a question, got an empty one"),
        ({"prompt": HEAD + " " + TAIL, "completion": WHOLE}, "wanted a question, got an empty one"),
        ({"prompt": "", "completion": WHOLE}, "wanted a question, got an empty one"),
        ({"text": HEAD + TAIL + S1}, "wanted a question, got an empty one"),
        ({"messages": [{"role": "system", "content": "S"}, asks()["messages"][1]]}, "wanted a question before"),
        (asks(question="Q<|im_end|>"), "user holds the control token '<|im_end|>'"),
        (asks(question="Q<|endoftext|>"), "user holds the control token '<|endoftext|>'"),
        ({"prompt": HEAD + "Q<|im_end|> Q" + TAIL, "completion": WHOLE}, "control token '<|im_end|>'"),
        ({"prompt": HEAD.replace("default", "tutor") + "Q<|im_end|>" + TAIL, "completion": WHOLE}, "control token '<|im_end|>'"),
        ({"text": HEAD + "Q<|im_start|>user" + TAIL + S1}, "control token '<|im_start|>'"),
        (asks(content="<think>\nT</think>T\n</think>\n\nA"), "holds '</think>' of its own"),
        (asks(content="A", reasoning_content="T</think>T"), "holds '</think>' of its own"),
        (asks(reasoning_content="T"), "holds '<think>' of its own"),
        (asks(content="<think>\nT<|im_end|>\n</think>\n\nA"), "holds '<|im_end|>' of its own"),
        ({"prompt": HEAD + "Q" + TAIL, "completion": "<think>\nT\n</think>\n\nA<|im_end|>\nA" + TAIL[:10]}, "holds '<|im_end|>' of its own"),
        ({"text": HEAD + "Q" + TAIL + S1.replace("T", "T<|endoftext|>")}, "holds '<|endoftext|>' of its own"),
        (asks(content="A", reasoning_content=7), "has a number for reasoning_content"),
        (asks(content="A", reasoning_content=False), "has true or false for reasoning_content"),
        ({"prompt": HEAD + "Q" + TAIL, "completion": "T\n</think>\n\nA<|im_end|>"}, "wanted <think> once before the thinking, got none"),
        (talks(system=7), "wanted a text in the column system, got a number"),
        (talks(speaker="humann"), "spoken by 'humann'; wanted one of"),
        ({"messages": [{"role": "usr", "content": "Q"}, *asks()["messages"]]}, "spoken by 'usr'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_row_that_would_teach_something_else_is_refused_as_in_a_run(
    template, tmp_path, line, says, ending
):
    good = {"id": "good", **fitting(line)}
    path = tmp_path / f"t.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(one) + "\n" for one in (good, {"id": "row-2", **line})))
    else:
        pl.DataFrame([{"id": "row-2", **line}]).write_parquet(path)
    with pytest.raises(PoolError) as error:
        learnt(path, template("chatml"))
    assert says in str(error.value)
    assert "row-2" in str(error.value)


def fitting(line):
    """A row of the same columns that is as it should be."""
    if "text" in line:
        return {"text": HEAD + "Q" + TAIL + S1}
    if "prompt" in line:
        return {"prompt": HEAD + "Q" + TAIL, "completion": WHOLE}
    return asks() if "messages" in line else talks(system="")


def test_thinking_that_the_prompt_opens_already_is_opened_once(template, tmp_path):
    made = template("cuts")
    for content in ("<think>\nT\n</think>\n\nA", "<think>T\n</think>\n\nA"):
        (tmp_path / "t.jsonl").write_text(json.dumps(asks(content=content)))
        (lesson,) = lessons.read(str(tmp_path / "t.jsonl"), "s1", made)
        assert lesson.prompt.endswith("<think>\n")
        assert lesson.completion == "T\n</think>\n\nA"
    prompt = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n"
    (tmp_path / "t.jsonl").write_text(json.dumps({"prompt": prompt, "completion": WHOLE}))
    with pytest.raises(
        PoolError, match=r"line 1: wanted <think> once .* behind a prompt that opens"
    ):
        learnt(tmp_path / "t.jsonl", made)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "wanted rows of s1data export, got no row"),
        ("\n\n", "wanted rows of s1data export, got no row"),
        ("GOOD\n\n[1]\n", "line 3: wanted one JSON object, got a list"),
        ("GOOD\n7\n", "line 2: wanted one JSON object, got a number"),
        ('GOOD\n{"id": \n', "line 2: wanted one JSON object in UTF-8, got none"),
        ('GOOD\n{"id": "\\ud800"}\n', "line 2: wanted one JSON object in UTF-8, got none"),
        ("GOOD\n{}\n", "line 2: wanted turns in messages, got nothing"),
        ("{}\n", "wanted a file of s1data export, .* got no column"),
    ],
)
def test_a_line_that_is_no_row_is_named(template, tmp_path, lines, says):
    (tmp_path / "t.jsonl").write_text(lines.replace("GOOD", json.dumps(asks())))
    with pytest.raises(PoolError, match=says):
        learnt(tmp_path / "t.jsonl", template("chatml"))


def test_a_value_of_another_type_far_down_changes_no_other_row(template, tmp_path):
    # A reader that settles types by the first rows would drop the thinking of the last.
    late = asks(content="A", reasoning_content="late")
    lines = [asks() for _ in range(300)] + [late]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = list(lessons.read(str(tmp_path / "t.jsonl"), "s1", template("chatml")))
    assert found[-1].completion == "<think>\nlate\n</think>\n\nA"
    assert len(found) == 301
