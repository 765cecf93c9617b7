"""Exports: every format as its reader wants it, nothing lost in silence, no leak in the split."""

import json

import polars as pl
import pytest

from s1data.cli import main
from s1data.errors import PoolError, RecipeError
from s1data.export import FORMATS, Options, export
from s1data.export.lengths import Lengths
from tests.export import tokenizers

TRACE = {"teacher": "t", "sample": 0, "finish": "stop", "verdict": True}


def row(i, question, *traces):
    return {"id": f"{i:016x}", "question": question, "traces": [TRACE | t for t in traces]}


ROWS = [
    row(1, "What is 2 + 2?", {"thinking": " Two and two. ", "answer": "4"}),
    row(
        2,
        "Name a prime.",
        {"thinking": "wrong one", "answer": "Answer: 4", "verdict": False},
        {"thinking": "open one", "answer": "5", "verdict": None, "sample": 1},
        {"thinking": "cut right one", "answer": "7", "finish": "length", "sample": 2},
        {"thinking": "right one", "answer": "Answer: 7", "sample": 3},
    ),
    row(3, "Untraced?"),
    row(4, "Half?", {"thinking": None, "answer": "yes"}),
]
FRAME = pl.DataFrame(ROWS, infer_schema_length=None)
SAID = "<think>\nTwo and two.\n</think>\n\n4"


def written(path):
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    made = {}

    def of(kind, eos=tokenizers.END):
        if (kind, eos) not in made:
            made[kind, eos] = str(tokenizers.make(tmp_path_factory.mktemp(kind), kind, eos))
        return made[kind, eos]

    return of


QWEN = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
S1 = (
    "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    "<|im_start|>think\nTwo and two.\n<|im_start|>answer\nAnswer: 4<|im_end|>\n"
)
ASKED = [{"role": "user", "content": "What is 2 + 2?"}]
LINES = [
    ("s1", "default", None, {"text": QWEN + S1}),
    ("s1", "none", None, {"text": S1}),
    ("s1", "Be brief.", None, {"text": "<|im_start|>system\nBe brief.<|im_end|>\n" + S1}),
    ("s1", "default", "chatml", {"text": "<|im_start|>system\nYou are a default.<|im_end|>\n" + S1}),
    ("s1", "none", "chatml", {"text": "<|im_start|>system\n<|im_end|>\n" + S1}),
    ("s1", "default", "keeps", {"text": S1}),
    ("think", "default", None, {"messages": [*ASKED, {"role": "assistant", "content": SAID}]}),
    ("think", "Sys.", None, {"messages": [{"role": "system", "content": "Sys."}, *ASKED, {"role": "assistant", "content": SAID}]}),
    ("prompt-completion", "default", None, {"prompt": ASKED, "completion": [{"role": "assistant", "content": SAID}]}),
    ("prompt-completion", "default", "keeps", {"prompt": "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n", "completion": SAID + "<|im_end|>"}),
    ("prompt-completion", "default", "cuts", {"prompt": "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n<think>\n", "completion": SAID.removeprefix("<think>\n") + "<|im_end|>"}),
    ("reasoning-content", "default", None, {"messages": [*ASKED, {"role": "assistant", "content": "4", "reasoning_content": "Two and two."}]}),
    ("sharegpt", "Sys.", None, {"conversations": [{"from": "human", "value": "What is 2 + 2?"}, {"from": "gpt", "value": SAID}], "system": "Sys."}),
]  # fmt: skip


@pytest.mark.parametrize(("form", "system", "kind", "wanted"), LINES)
def test_a_line_of_each_format(tmp_path, tokenizer, form, system, kind, wanted):
    options = Options(form, tokenizer(kind) if kind else None, system=system)
    export(FRAME, tmp_path / "out.jsonl", options)
    first, second = written(tmp_path / "out.jsonl")
    assert first == {"id": f"{1:016x}", **wanted}
    assert "right one" in json.dumps(second)


def test_an_answer_that_says_answer_gets_no_second_prefix(tmp_path):
    export(FRAME, tmp_path / "out.jsonl", Options("s1"))
    assert "<|im_start|>answer\nAnswer: 7<|im_end|>\n" in written(tmp_path / "out.jsonl")[1]["text"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", FORMATS)
def test_datasets_loads_each_format_to_the_same_lines(tmp_path, form, ending):
    import datasets

    export(FRAME, tmp_path / f"out.{ending}", Options(form))
    kind = {"jsonl": "json", "parquet": "parquet"}[ending]
    loaded = datasets.load_dataset(
        kind,
        data_files=str(tmp_path / f"out.{ending}"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    plain = [_without_none(line) for line in loaded]
    export(FRAME, tmp_path / "again.jsonl", Options(form))
    assert plain == written(tmp_path / "again.jsonl")


def _without_none(value):
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def test_best_takes_the_right_whole_trace_and_all_takes_every_one(tmp_path):
    best = export(FRAME, tmp_path / "best.jsonl", Options("think"))
    every = export(FRAME, tmp_path / "all.jsonl", Options("think", samples="all"))
    assert (sum(best.files.values()), sum(every.files.values())) == (2, 5)
    assert "\nright one\n" in written(tmp_path / "best.jsonl")[1]["messages"][1]["content"]
    assert best.lost == {"rows without a usable trace": 2, "traces without thinking": 1}


def test_a_template_that_drops_the_thinking_is_warned_of_and_others_are_not(tmp_path, tokenizer):
    def warned(form, kind):
        done = export(FRAME, tmp_path / "out.jsonl", Options(form, tokenizer(kind)))
        return [w for w in done.warnings if "drops the thinking" in w] != []

    assert {(f, k): warned(f, k) for f in FORMATS for k in tokenizers.TEMPLATES} == {
        ("s1", "chatml"): False, ("s1", "keeps"): False, ("s1", "cuts"): False,
        ("think", "chatml"): False, ("think", "keeps"): False, ("think", "cuts"): True,
        ("prompt-completion", "chatml"): False, ("prompt-completion", "keeps"): False,
        ("prompt-completion", "cuts"): False,
        ("reasoning-content", "chatml"): True, ("reasoning-content", "keeps"): False,
        ("reasoning-content", "cuts"): True,
        ("sharegpt", "chatml"): False, ("sharegpt", "keeps"): False, ("sharegpt", "cuts"): True,
        **{(form, "trims"): form == "reasoning-content" for form in FORMATS},
    }  # fmt: skip


def test_an_end_token_that_is_not_the_tokenizers_own_is_named(tmp_path, tokenizer):
    base = tokenizer("keeps", eos=tokenizers.PAD)
    done = export(FRAME, tmp_path / "o.jsonl", Options("prompt-completion", base))
    assert "eos_token='<|im_end|>'" in done.warnings[0]
    assert written(tmp_path / "o.jsonl")[0]["completion"].endswith("4<|im_end|>")


def test_lengths_are_those_of_the_text_that_is_trained_on(tmp_path, tokenizer):
    from transformers import AutoTokenizer

    name = tokenizer("keeps")
    done = export(FRAME, tmp_path / "o.jsonl", Options("reasoning-content", name, block_size=40))
    real = AutoTokenizer.from_pretrained(name)
    texts = [
        real.apply_chat_template(x["messages"], tokenize=False)
        for x in written(tmp_path / "o.jsonl")
    ]
    wanted = [len(real(t)["input_ids"]) for t in texts]
    assert list(done.lengths.values) == wanted
    assert done.as_dict()["lengths"]["cut"] == {"40": sum(w > 40 for w in wanted) / 2}


def test_the_share_cut_and_the_histogram_count_every_sample():
    lengths = Lengths([10, 512, 513, 4096, 4097, 40_000], "words")
    assert dict(lengths.histogram())["1 to 512"] == 2
    assert sum(n for _, n in lengths.histogram()) == 6
    assert lengths.cut(4096) == pytest.approx(2 / 6)
    assert lengths.cut(512) == pytest.approx(4 / 6)


def many():
    """60 questions, 20 of them in five groups that differ in little."""
    words = "amber birch cedar delta ember fjord gamma heron inlet jolly kayak lemon".split()
    for i in range(40):
        a, b, c = words[i % 12], words[i * 5 % 11], words[(i * 7 + 3) % 12]
        yield f"Why does the {a} {b} number {i * 37} follow {c} rule {i} whenever {b} meets case {i * 11}?"
    for i in range(20):
        yield f"A farmer of group {words[i % 5]} sells {i} ripe melons on the old market square of the town, how many are left of a hundred?"


def test_near_duplicates_stay_on_one_side_and_the_split_is_the_same_each_time(tmp_path):
    questions = list(many())
    frame = pl.DataFrame(
        [row(i, q, {"thinking": "t", "answer": "a"}) for i, q in enumerate(questions)]
    )
    for seed in range(5):
        options = Options("think", validation=0.3, seed=seed)
        done = export(frame, tmp_path / "s.jsonl", options)
        sides = [
            {int(x["id"], 16) for x in written(tmp_path / f"s{s}.jsonl")}
            for s in ("", "-validation")
        ]
        assert sides[0] | sides[1] == set(range(60))
        assert not sides[0] & sides[1]
        assert list(done.files.values()) == [len(sides[0]), len(sides[1])]
        for group in range(5):
            melons = set(range(40 + group, 60, 5))
            assert melons <= sides[0] or melons <= sides[1]
        again = export(frame.reverse(), tmp_path / "r.jsonl", options)
        assert sorted(x["id"] for x in written(tmp_path / "r-validation.jsonl")) == sorted(
            x["id"] for x in written(tmp_path / "s-validation.jsonl")
        )
        assert list(again.files.values()) == list(done.files.values())


def test_llama_factory_finds_its_columns_beside_the_file(tmp_path):
    (tmp_path / "dataset_info.json").write_text(
        '{"theirs": {"file_name": "x.json"}}', encoding="utf-8"
    )
    export(FRAME, tmp_path / "mine.jsonl", Options("sharegpt"))
    info = json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf-8"))
    assert set(info) == {"theirs", "mine"}
    line = written(tmp_path / "mine.jsonl")[0]
    assert set(info["mine"]["columns"].values()) <= set(line)
    assert (tmp_path / info["mine"]["file_name"]).is_file()


@pytest.mark.parametrize(
    ("frame", "out", "options", "kind", "says"),
    [
        (FRAME, "o.jsonl", Options("thnk"), RecipeError, "nearest: think"),
        (FRAME, "o.csv", Options("think"), RecipeError, ".jsonl or .parquet"),
        (FRAME, "o.jsonl", Options("think", validation=1.0), RecipeError, "validation"),
        (
            FRAME,
            "o.jsonl",
            Options("think", tokenizer="/nowhere/at/all"),
            RecipeError,
            "cannot be loaded",
        ),
        (FRAME.drop("traces"), "o.jsonl", Options("think"), PoolError, "no column traces"),
        (FRAME.drop("question"), "o.jsonl", Options("think"), PoolError, "wanted questions"),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_no_file(tmp_path, frame, out, options, kind, says):
    with pytest.raises(kind, match=says.replace(".", r"\.")) as error:
        export(frame, tmp_path / out, options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_was_written_and_warns_on_stderr(tmp_path, tokenizer, capsys):
    from tests.hub import sets

    run = sets.run(tmp_path / "pool", tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run.path), "--format", "reasoning-content", "--out", str(tmp_path / "t.jsonl"),
              "--tokenizer", tokenizer("chatml"), "--validation", "0.2", "--block-size", "256"])  # fmt: skip
    shown = capsys.readouterr()
    assert ended.value.code == 0
    assert "drops the thinking" in shown.err
    assert "cut at a block size of 256: " in shown.out
    assert "every text begins with" in shown.out
    files = written(tmp_path / "t.jsonl"), written(tmp_path / "t-validation.jsonl")
    assert len(files[0]) + len(files[1]) == 24
