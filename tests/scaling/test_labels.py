"""What is learnt: in every layout the labels are thinking, answer and one end token, on every row."""

import json

import polars as pl
import pytest

from s1data.errors import PoolError, RunError
from s1data.export import FORMATS, Options, export
from s1data.export.templates import Template
from s1data.scaling import labels, lessons
from tests.export import tokenizers

ROWS = 1_000
# Marks of other layouts, quotes, lines, a decomposed é: nothing of it may move a label.
ODD = (
    "plain",
    "<think> in a question",
    'say "x"\n\n$\\frac{1}{2}$',
    "e\u0301t\u00e9 \u2028 \U0001f600",
    "[think]",
)


def thinking(i):
    return (
        f"Let me count {i} sheep again, {ODD[i % 4] if i % 4 != 1 else 'slowly'}.\n\nSo {i} twice."
    )


def answer(i):
    return f"Answer: {2 * i}" if i % 2 else f"It is \\boxed{{{2 * i}}}"


def frame(rows):
    trace = {"teacher": "t", "sample": 0, "finish": "stop", "verdict": True}
    return pl.DataFrame(
        [
            {
                "id": f"{i:016x}",
                "question": f"What is twice {i}? ({ODD[i % 5]})",
                "traces": [trace | {"thinking": thinking(i), "answer": answer(i)}],
            }
            for i in range(rows)
        ],
        infer_schema_length=None,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = {}

    def of(kind, eos=tokenizers.END):
        if (kind, eos) not in made:
            folder = tokenizers.make(tmp_path_factory.mktemp(kind), kind, eos)
            made[kind, eos] = Template.load(str(folder))
        return made[kind, eos]

    return of


def learnt(path, template, block=32_768, most_cut=0.0):
    found = lessons.read(str(path), "s1", template)
    return labels.label(found, template.tokenizer, template.end, block, most_cut)


def said(form, i, kind):
    if form == "s1":
        head = "" if i % 2 else "Answer: "
        return f"<|im_start|>think\n{thinking(i)}\n<|im_start|>answer\n{head}{answer(i)}"
    opened = "" if kind == "cuts" else "<think>\n"
    return f"{opened}{thinking(i)}\n</think>\n\n{answer(i)}"


LAYOUTS = [
    (form, kind, rendered, ending)
    for form in FORMATS
    for kind in tokenizers.TEMPLATES
    for rendered in (True, False)
    for ending in ("jsonl", "parquet")
    # A template that opens a think tag itself has no place for s1's delimiters.
    if (form, kind) != ("s1", "cuts")
]


@pytest.mark.parametrize(("form", "kind", "rendered", "ending"), LAYOUTS)
def test_every_layout_teaches_thinking_answer_and_one_end_token_on_every_row(
    template, tmp_path, form, kind, rendered, ending
):
    made = template(kind)
    path = tmp_path / f"train.{ending}"
    rows = ROWS if (kind, rendered, ending) == ("chatml", True, "jsonl") else 30
    export(frame(rows), path, Options(form, made if rendered else None))
    found = learnt(path, made)
    assert len(found.ids) == rows
    end = made.tokenizer.convert_tokens_to_ids(made.end)
    for i, row in enumerate(found.dataset()):
        under_loss = [token for token in row["labels"] if token != -100]
        assert made.tokenizer.decode(under_loss) == said(form, i, kind) + made.end
        assert (under_loss.count(end), under_loss[-1]) == (1, end)
        before = row["input_ids"][: -len(under_loss)]
        assert row["input_ids"] == before + under_loss
        prompt = made.tokenizer.decode(before)
        assert f"What is twice {i}? ({ODD[i % 5]})" in prompt
        assert thinking(i) not in prompt
    labels.hold(found.lessons, list(found.labels()), made.tokenizer, made.end)


def test_the_end_token_is_the_templates_own_also_where_a_base_tokenizer_has_another(
    template, tmp_path
):
    base = template("chatml", tokenizers.PAD)
    assert base.tokenizer.eos_token == tokenizers.PAD
    export(frame(3), tmp_path / "t.jsonl", Options("prompt-completion", base))
    found = learnt(tmp_path / "t.jsonl", base)
    assert [base.tokenizer.decode(ids[-1:]) for ids in found.ids] == [tokenizers.END] * 3


def test_rows_that_a_block_would_cut_are_counted_and_refused_beyond_the_share(template, tmp_path):
    made = template("chatml")
    export(frame(50), tmp_path / "t.jsonl", Options("think"))
    lengths = sorted(map(len, learnt(tmp_path / "t.jsonl", made).ids))
    block = lengths[-6]
    over = sum(length > block for length in lengths)
    with pytest.raises(
        PoolError, match=rf"^{over} of 50 rows \({over * 2}.0%\) are longer than a block"
    ):
        learnt(tmp_path / "t.jsonl", made, block)
    with pytest.raises(PoolError, match=r"wanted 1\.0% at most"):
        learnt(tmp_path / "t.jsonl", made, block, 0.01)
    kept = learnt(tmp_path / "t.jsonl", made, block, 0.2)
    assert (len(kept.ids), len(kept.cut)) == (50 - over, over)
    assert max(map(len, kept.ids)) <= block < min(kept.cut.values())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"prompt": "Q", "completion": "<think>\n\n</think>\n\nA"}, "got no thinking"),
        ({"prompt": "Q", "completion": "only an answer"}, "got no thinking"),
        ({"prompt": "Q", "completion": "<think>\nT\n</think>\n\n "}, "got no answer"),
        ({"prompt": "Q", "completion": "T</think>A<|endoftext|>"}, "ends with '<|endoftext|>'"),
        ({"text": "no marks"}, "got 0"),
        ({"text": "<|im_start|>think\nq<|im_start|>think\nT\n<|im_start|>answer\nA"}, "got 2"),
        ({"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]}, "got user"),
        ({"messages": [{"role": "user", "content": "a</think>b"}, {"role": "assistant", "content": "c"}]}, "changes the question"),
        ({"question": "Why?"}, "wanted a file of s1data export"),
        ({"text": None}, "wanted a text in the column text, got nothing"),
        ({"text": 7}, "wanted a text in the column text, got a number"),
        ({"prompt": "Q"}, "wanted a text in the column completion, got nothing"),
        ({"prompt": "Q", "completion": None}, "wanted a text in the column completion, got nothing"),
        ({"prompt": None, "completion": None}, "wanted turns in prompt, got nothing"),
        ({"messages": None}, "wanted turns in messages, got nothing"),
        ({"messages": []}, "wanted turns in messages, got an empty list"),
        ({"messages": "hello"}, "wanted turns in messages, got a text"),
        ({"messages": ["hello"]}, "wanted turns with role and content in messages, got a text"),
        ({"messages": [{"content": "a"}]}, "turn 1 of messages has nothing for role"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": None}]}, "turn 2 of messages has nothing for content"),
        ({"messages": [{"role": "assistant", "content": "<think>\nT\n</think>\n\nA"}]}, "wanted a question before"),
        ({"conversations": [{"from": "human"}]}, "turn 1 of conversations has nothing for value"),
        ({"conversations": []}, "wanted turns in conversations, got an empty list"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_learnt_as_it_stands_is_named(template, tmp_path, line, says):
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "row-1", **line}) + "\n")
    with pytest.raises(PoolError) as error:
        learnt(tmp_path / "t.jsonl", template("chatml" if "text" in line else "cuts"))
    assert says in str(error.value)
    assert "row-1" in str(error.value) or "question" in line


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda ids, _: [*ids, ids[-1]], "got 2"),
        (lambda ids, _: ids[:-1], "got 0"),
        (lambda ids, _: [ids[-1], *ids[:-1]], "got 1"),
        (lambda ids, _: ids[:9] + ids[-1:], "decode to another text"),
        (lambda ids, whole: whole[-len(ids) - 1 :], "decode to another text"),
    ],
)  # fmt: skip
def test_labels_that_are_not_exactly_that_are_refused(template, tmp_path, change, says):
    made = template("chatml")
    export(frame(1), tmp_path / "t.jsonl", Options("think"))
    found = learnt(tmp_path / "t.jsonl", made)
    (row,) = found.dataset()
    good = [token for token in row["labels"] if token != -100]
    labels.hold(found.lessons, [good], made.tokenizer, made.end)
    with pytest.raises(RunError, match=says):
        labels.hold(found.lessons, [change(good, row["input_ids"])], made.tokenizer, made.end)


def test_an_end_token_inside_a_trace_is_refused_since_it_would_teach_to_stop_there(template):
    made = template("chatml")
    lesson = lessons.Lesson("a", "Q", f"<think>\nT{tokenizers.END}\n</think>\n\nA")
    found = labels.label([lesson], made.tokenizer, made.end, 100, 0.0)
    with pytest.raises(RunError, match=r"^a: wanted one"):
        labels.hold(found.lessons, list(found.labels()), made.tokenizer, made.end)


def test_rows_of_a_run_that_give_no_lesson_are_counted(template):
    rows = frame(6)
    inner = ["", "so </think> so", "so <|im_start|>answer so", "so <|endoftext|> so"]
    broken = [
        line | {"traces": [line["traces"][0] | {"thinking": text}]}
        for line, text in zip(rows.to_dicts(), inner, strict=False)
    ]
    lost = {}
    mixed = pl.DataFrame([*broken, *rows.to_dicts()[4:]], infer_schema_length=None)
    found = list(lessons.of_rows(mixed, "think", template("chatml"), lost))
    assert [one.id for one in found] == rows["id"].to_list()[4:]
    assert lost == {
        "traces without thinking": 1,
        "traces with control tokens or think tags inside": 3,
        "rows without a usable trace": 4,
    }
