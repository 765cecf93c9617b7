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
from s1data.scaling.sweep import SAMPLES

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
        (("--max-thinking", 8, "--max-tokens", 5), "leave them out"),
        (("--max-thinking", 8, "--template", "x"), "{question} must stand in it"),
    ],
)
def test_a_call_that_is_wrong_is_refused_in_one_line(s1data, arguments, says):
    done = s1data("scale", "q.jsonl", "--model", "openai_compatible:m@http://127.0.0.1:1/v1",
                  "--no-price", "--out", "c", *arguments)  # fmt: skip
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (ROWS.drop("id"), "wanted columns id, question and answer"),
        (ROWS.with_columns(id=pl.lit("a")), "the id 'a' stands twice"),
        (ROWS.with_columns(answer=pl.lit(" ")), "6 rows lack an id, question or answer"),
    ],
)
def test_a_file_that_cannot_be_evaluated_is_refused(s1data, tmp_path, frame, says):
    frame.write_parquet(tmp_path / "bad.parquet")
    done = s1data("scale", "bad.parquet", "--model", "openai_compatible:m@http://127.0.0.1:1/v1",
                  "--no-price", "--out", "c", "--max-thinking", 8)  # fmt: skip
    assert (done.code, says in done.err) == (2, True)


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
