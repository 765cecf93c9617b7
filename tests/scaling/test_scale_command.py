"""`s1data scale` and `s1data cost`: the whole sweep by command, resumed, killed, drawn, refused."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import google.genai  # noqa: F401 - its first import must not count as a server's silence
import openai  # noqa: F401 - as above
import polars as pl
import pytest

from s1data.cli import main
from s1data.emulator import Emulator, Script
from s1data.errors import PoolError
from s1data.scaling import sweep
from s1data.scaling.grading import SAMPLES
from tests.export import tokenizers
from tests.scaling import servers

COUNT = 6
ROWS = pl.DataFrame(
    {
        "id": [f"q{i}" for i in range(COUNT)],
        "question": [f"What is {i} plus {i + 3}?" for i in range(COUNT)],
        "answer": [str(2 * i + 3) for i in range(COUNT)],
    }
)
SCRIPT = {"models": {"small": {"role": "solver", "skill": 1.0, "answer_tokens": 40}}}
BUDGETS = ("--max-thinking", 8, "--max-thinking", 32, "--waits", 2, "--marks", "think")


@pytest.fixture
def s1data(tmp_path, monkeypatch, capsys):
    """The command line in this process: code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ROWS.write_ndjson(tmp_path / "q.jsonl")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return call


def emulator(**more):
    return Emulator(Script.of({**SCRIPT, **more}), answers=ROWS.select("question", "answer"))


def model(server):
    return f"openai_compatible:small@{server.openai_url}"


def test_a_sweep_leaves_samples_and_a_curve_and_asks_nothing_again(s1data, tmp_path):
    with emulator() as server:
        call = ("scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "c", *BUDGETS)
        done = s1data(*call)
        assert done.code == 0, done.err
        before = len(server.log)
        again = s1data(*call)
        assert (again.out, len(server.log)) == (done.out, before)
    tables = {file.stem: pl.read_parquet(file) for file in (tmp_path / "c/samples").iterdir()}
    assert set(tables) == {"max8", "max32", "max32000-wait2"}
    assert all(table.schema == SAMPLES and table.height == COUNT for table in tables.values())
    assert tables["max8"]["thinking_tokens"].to_list() == [8] * COUNT
    assert tables["max32000-wait2"]["waits"].to_list() == [2] * COUNT
    # The emulated solver knows the answers: what is right was graded, not counted.
    assert all(table["right"].all() for table in tables.values())
    told = json.loads((tmp_path / "c/curve.json").read_text())
    assert told["control"] == told["performance"] == 100
    assert [one["budget"] for one in told["points"]] == ["max8", "max32", "max32000-wait2"]
    assert not any(one["told_apart"] for one in told["differences"])
    assert "cannot be told apart" in done.out
    assert (tmp_path / "c/curve.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("c/**/.*.part"))


def test_two_models_are_told_apart_or_said_not_to_be(s1data):
    script = {"models": {"small": {"role": "solver", "skill": 1.0}, "weak": {"role": "solver",
              "skill": 0.0}, "like": {"role": "solver", "skill": 1.0}}}  # fmt: skip
    with emulator(**script) as server:

        def scale(name, *more):
            return s1data("scale", "q.jsonl", "--model", model(server).replace("small", name),
                          "--no-price", "--out", name, "--max-thinking", 32, *more)  # fmt: skip

        assert scale("weak").code == scale("like").code == 0
        apart = scale("small", "--against", "weak")
        same = scale("small", "--against", "like")
        before = len(server.log)
        none = scale("other", "--against", ".")
        other = s1data("scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "new",
                       "--max-thinking", 8, "--against", "weak")  # fmt: skip
        ROWS.with_columns(question=pl.lit("What is 2?")).write_ndjson("same-ids.jsonl")
        ROWS.with_columns(id=pl.lit("x") + pl.col("id")).write_ndjson("other-ids.jsonl")
        ROWS.head(4).write_ndjson("few.jsonl")
        like = ("--model", model(server), "--no-price", "--max-thinking", 32, "--against", "weak")
        changed = s1data("scale", "same-ids.jsonl", *like, "--out", "n1")
        foreign = s1data("scale", "other-ids.jsonl", *like, "--out", "n2")
        assert len(server.log) == before
        few = s1data("scale", "few.jsonl", *like, "--out", "n3", "--grader", "exact")
    assert f"max32, from weak: +100.0 points [+100.0, +100.0] at n = {COUNT}\n" in apart.out
    assert f"max32, from like: +0.0 points [+0.0, +0.0] at n = {COUNT}: the two cannot" in same.out
    assert (none.code, other.code, changed.code, foreign.code) == (2, 2, 2, 2)
    assert "the id q0 is another one than here" in changed.err
    assert "got none of these ids" in foreign.err
    assert f"of 4 questions here and {COUNT} there 4 are in both" in few.out
    assert "measured differently: grader is 'exact' here, 'cascade' there" in few.out
    assert "wanted a folder that s1data scale wrote" in none.err
    assert "wanted samples of max8, it has max32" in other.err


def test_a_cap_counts_what_each_call_may_cost_by_its_own_limit(s1data, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai_compatible"\nmodel = "small"\nprompt = 0.0\noutput = 100.0\n'
        'date = "d"\nsource = "s"\n'
    )
    with emulator() as server:
        call = ("scale", "q.jsonl", "--model", model(server), "--prices", prices, "--out", "c",
                "--max-thinking", 8, "--max-answer", 40, "--concurrency", 1)  # fmt: skip
        done = s1data(*call, "--max-usd", 0.04)
        assert done.code == 0, done.err
        short = s1data(*call[:-2], "--max-usd", 0.04, "--max-thinking", 900)
    assert short.code == 1
    assert "would pass the cap" in short.err


def test_several_samples_vote(s1data, tmp_path):
    script = {"models": {"small": {"role": "solver", "skill": 0.6, "answer_tokens": 5}}}
    with emulator(**script) as server:
        done = s1data("scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "c",
                      "--samples", 5, "--temperature", 1.0, "--max-thinking", 32)  # fmt: skip
    assert done.code == 0, done.err
    table = pl.read_parquet(tmp_path / "c/samples/max32.parquet")
    assert table.height == 5 * COUNT
    votes = table.group_by("id").agg(pl.col("right").mean())["right"]
    (point,) = json.loads((tmp_path / "c/curve.json").read_text())["points"]
    assert point["accuracy"] == pytest.approx(100 * votes.mean())
    assert 0 < point["accuracy"] < 100
    assert point["majority"] >= 100 * (votes > 0.5).mean() - 1e-9
    assert "majority" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "wanted a budget or more"),
        (("--max-thinking", 8, "--min-thinking", 9), "minimum 9 is over the maximum 8"),
        (("--max-thinking", 8, "--max-thinking", 8), "max8 is given twice"),
        (("--max-thinking", 8, "--samples", 2), "add it"),
        (("--max-thinking", 8, "--text", ""), "--text: String should have at least 1 character"),
        (("--max-thinking", 8, "--max-tokens", 5), "leave them out"),
        (("--max-thinking", 8, "--template", "x"), "{question} must stand in it"),
        (("--max-thinking", 8, "--system", "Be brief."), "a raw prompt has no place for it"),
        (("--max-thinking", 8, "--template", "{question}", "--tokenizer", "t"), "give one"),
        (("--max-thinking", 8, "--tokenizer", "no-such/one/here"), "there is no such folder"),
    ],
)
def test_a_call_that_is_wrong_is_refused_in_one_line(s1data, arguments, says):
    done = s1data("scale", "q.jsonl", "--model", "openai_compatible:m@http://127.0.0.1:1/v1",
                  "--no-price", "--out", "c", *arguments)  # fmt: skip
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1


def served(server):
    return f"openai_compatible:small@{server.url}"


def asked(server):
    """Prompts of questions, without the tiny request before a start."""
    return [body["prompt"] for body in server.bodies if "plus" in body["prompt"]]


def test_the_chat_template_writes_the_prompt_with_a_system_prompt_in_its_turn(s1data, tmp_path):
    folder = tokenizers.make(tmp_path / "t", "chatml")
    call = ("--no-price", "--max-thinking", 8, "--marks", "think", "--tokenizer", folder)
    with servers.completions(lambda _: servers.said("so 4", tokens=2)) as server:
        done = s1data("scale", "q.jsonl", "--model", served(server), "--out", "c", *call,
                      "--system", "Be brief.")  # fmt: skip
        assert done.code == 0, done.err
        assert f"prompt: by the chat template of {folder}, marks think" in done.out
        head = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
        first = {
            f"{head}{question}<|im_end|>\n<|im_start|>assistant\n<think>\n"
            for question in ROWS["question"]
        }
        behind = {f"{text}so 4\n</think>\n\n" for text in first}
        assert set(asked(server)) == first | behind
        # Its beginning token, where it has one, stands in the text already.
        assert all(body["add_special_tokens"] is False for body in server.bodies)
        server.bodies.clear()
        done = s1data("scale", "q.jsonl", "--model", served(server), "--out", "d", *call)
        assert done.code == 0, done.err
        assert all("You are a default." in text for text in asked(server))
        server.bodies.clear()
        plain = s1data("scale", "q.jsonl", "--model", served(server), "--out", "e", "--no-price",
                       "--max-thinking", 8, "--marks", "think")  # fmt: skip
        assert "prompt: ChatML without a system prompt (a model trained on another" in plain.out
        assert all(text.startswith("<|im_start|>user") for text in asked(server))
        assert not any("add_special_tokens" in body for body in server.bodies)


def test_a_trained_folder_says_how_it_is_asked(s1data, tmp_path):
    folder = tokenizers.make(tmp_path / "t", "chatml")
    told = {"marks": "think", "system": "S", "template": "<|im_start|>user\n{question} of old\n"}
    (folder / "training.json").write_text(json.dumps({"prompt": told}))
    call = ("--no-price", "--max-thinking", 8, "--tokenizer", folder, "--out", "c")
    with servers.completions(lambda _: servers.said("so 4", tokens=2)) as server:
        done = s1data("scale", "q.jsonl", "--model", served(server), *call)
        assert done.code == 0, done.err
        wanted = {f"<|im_start|>user\n{q} of old\n<think>\n" for q in ROWS["question"]}
        assert wanted < set(asked(server))
        for more, says in (
            (("--marks", "s1"), "was trained with the marks think, got s1"),
            (("--system", "T"), "was trained with the system prompt 'S', got 'T'"),
        ):
            done = s1data("scale", "q.jsonl", "--model", served(server), *call, *more)
            assert (done.code, done.err.count("\n")) == (2, 1)
            assert says in done.err
    for record, says in (
        ({"prompt": None}, "asked by no one prompt that its chat template writes"),
        ({}, "does not say by which prompt the model was trained"),
    ):
        (folder / "training.json").write_text(json.dumps(record))
        done = s1data("scale", "q.jsonl", "--model", "openai_compatible:m@http://127.0.0.1:1/v1",
                      *call)  # fmt: skip
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert says in done.err


OTHERS = [
    (("--text", "Hmm"), None, 'holds samples with text "Wait", this call has "Hmm"'),
    (("--marks", "s1"), None, "holds samples with prompt"),
    (("--max-answer", 9), None, "max-answer"),
    (("--grader", "exact"), None, "grader"),
    (("--temperature", 0.5), None, "holds samples with model"),
    (("--limit", 2), None, "of which 4 are not in this call (the first is q2)"),
    ((), ROWS.with_columns(answer=pl.lit("9")), "of another question or answer with the id q0"),
    ((), ROWS.with_columns(id="x" + pl.col("id")), "of which 6 are not in this call"),
]


def test_other_questions_or_settings_do_not_go_among_samples_and_more_of_the_same_do(
    s1data, tmp_path
):
    def call(*more, marks="think"):
        return s1data("scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "c",
                      "--marks", marks, "--max-thinking", 8, *more)  # fmt: skip

    with emulator() as server:
        ROWS.head(4).write_ndjson(tmp_path / "q.jsonl")
        assert call().code == 0
        ROWS.write_ndjson(tmp_path / "q.jsonl")
        done = call()
        assert done.code == 0, done.err
        kept = (tmp_path / "c/samples/max8.parquet").read_bytes()
        assert pl.read_parquet(tmp_path / "c/samples/max8.parquet").height == COUNT
        before = len(server.log)
        for more, frame, says in OTHERS:
            (ROWS if frame is None else frame).write_ndjson(tmp_path / "q.jsonl")
            refused = call(*more)
            assert (refused.code, refused.err.count("\n")) == (2, 1), more
            assert says in refused.err
            assert "name another --out" in refused.err
        assert (tmp_path / "c/samples/max8.parquet").read_bytes() == kept
        assert len(server.log) == before
        ROWS.write_ndjson(tmp_path / "q.jsonl")
        done = call("--max-thinking", 16)
        assert done.code == 0, done.err
        assert (tmp_path / "c/samples/max8.parquet").read_bytes() == kept
        one = s1data("scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "c",
                     "--marks", "think", "--max-thinking", 16)  # fmt: skip
        assert "not in this curve, as they were not asked for: max8" in one.out
    (tmp_path / "c/settings.json").unlink()
    with emulator() as server:
        assert "holds samples without settings.json" in call().err
        (tmp_path / "c/settings.json").write_text("[]")
        assert "settings.json cannot be read" in call().err


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (ROWS.drop("id"), "wanted columns id, question and answer"),
        (ROWS.with_columns(id=pl.lit("a")), "the id 'a' stands twice"),
        (ROWS.with_columns(answer=pl.lit(" ")), "6 rows lack an id, question or answer"),
        (
            ROWS.with_columns(answer=pl.concat_list("answer")),
            'row 1 has a list or object in the column answer (["3"])',
        ),
        (
            ROWS.with_columns(id=pl.struct("id")),
            "row 1 has a list or object in the column id",
        ),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_file_that_cannot_be_evaluated_is_refused(s1data, tmp_path, frame, says, ending):
    write = frame.write_parquet if ending == "parquet" else frame.write_ndjson
    write(tmp_path / f"bad.{ending}")
    done = s1data("scale", f"bad.{ending}", "--no-price", "--out", "c", "--max-thinking", 8,
                  "--model", "openai_compatible:m@http://127.0.0.1:1/v1")  # fmt: skip
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err


def test_an_interval_is_no_list_and_one_list_among_texts_is_found(tmp_path):
    lines = [{"id": "a", "question": "q", "answer": "[1, 2]"}] * 2
    path = tmp_path / "q.jsonl"
    rows = [line | {"id": str(i)} for i, line in enumerate(lines)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert sweep.read(path)["answer"].to_list() == ["[1, 2]"] * 2
    rows[1]["answer"] = [1, 2]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(PoolError, match="row 2 has a list or object in the column answer"):
        sweep.read(path)
    assert sweep.read(path, 1).height == 1


def test_a_hosted_model_is_refused_with_the_reason(s1data):
    done = s1data("scale", "q.jsonl", "--model", "gemini:gemini-2.5-flash", "--out", "c",
                  "--max-thinking", 8)  # fmt: skip
    assert done.code == 2
    assert "no text can be put into a hosted model's thinking" in done.err


@pytest.mark.slow
def test_a_sweep_killed_at_any_time_goes_on_and_pays_for_nothing_twice(tmp_path):
    ROWS.write_ndjson(tmp_path / "q.jsonl")
    slow = {"models": {"small": {**SCRIPT["models"]["small"], "latency": 0.3}}}
    environment = os.environ | {"S1DATA_CACHE": str(tmp_path / "cache")}
    with emulator(**slow) as server:
        code = "from s1data.cli import main; main()"
        arguments = ["scale", "q.jsonl", "--model", model(server), "--no-price", "--out", "c",
                     "--concurrency", "1", *map(str, BUDGETS)]  # fmt: skip

        def start():
            return subprocess.Popen(
                [sys.executable, "-c", code, *arguments], cwd=tmp_path, env=environment
            )

        def answered():
            return [entry for entry in server.log if entry.call == "completions"]

        for part in (3, 12):
            process = start()
            while len(answered()) < part:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            assert not (tmp_path / "c/curve.json").exists()
        assert start().wait() == 0
        asked = [entry.material for entry in answered()]
    # At each of the two kills one request was in flight, and one reply may not have been on disk
    # yet: the next is sent while a reply is written. Those are asked once more, and so is the tiny
    # request before each start; nothing else is.
    assert len(asked) - len(set(asked)) <= 2 * 2 + 2
    assert (tmp_path / "c/curve.json").exists()
    with emulator() as server:
        arguments[3] = model(server)
        arguments[6] = "clean"
        fresh = os.environ | {"S1DATA_CACHE": str(tmp_path / "other")}
        subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, env=fresh, check=True
        )
    for file in (tmp_path / "c/samples").iterdir():
        assert file.read_bytes() == (tmp_path / "clean/samples" / file.name).read_bytes()
