"""`s1data ask`: one model over a file, without a recipe; resumed, capped, rehearsed, interrupted."""

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

from s1data import pool
from s1data.acting import replies_home
from s1data.asking.served import place
from s1data.cli import main
from s1data.emulator import Emulator, Script
from s1data.models import ModelSpec, Request
from s1data.standalone import COLUMNS
from s1data.store.jobs import JobRecord
from s1data.store.replies import ReplyStore

COUNT = 12


def rows(count=COUNT):
    return pl.DataFrame(
        {
            "id": list(range(count)),
            "question": [f"What is {i} times {i + 3}?" for i in range(count)],
            "answer": [str(i * (i + 3)) for i in range(count)],
        }
    )


def emulator(**faults):
    big = {"role": "teacher", "skill": 1.0, "price": [1.0, 10.0]}
    return Emulator(Script.of({"models": {"big": big}, **faults}), answers=rows())


@pytest.fixture
def s1data(tmp_path, monkeypatch, capsys):
    """The command line in this process: code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    rows().write_parquet(tmp_path / "q.parquet")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["ask", *map(str, arguments)])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return call


def priced(folder):
    """A file of the prices that the emulator bills."""
    file = folder / "prices.toml"
    file.write_text(
        '[[price]]\nprovider = "openai_compatible"\nmodel = "big"\nprompt = 1.0\noutput = 10.0\n'
        'date = "d"\nsource = "s"\n'
    )
    return file


def model(server):
    return f"openai_compatible:big@{server.openai_url}"


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_each_row_comes_back_with_its_own_columns_and_its_trace(s1data, tmp_path, suffix):
    frame = rows().vstack(rows(1).with_columns(question=pl.lit(" "), answer=None))
    source = tmp_path / f"mine.{suffix}"
    {"parquet": frame.write_parquet, "jsonl": frame.write_ndjson, "csv": frame.write_csv}[suffix](
        source
    )
    with emulator() as server:
        done = s1data(source, "--model", model(server), "--no-price", "--out", "t.parquet")
        assert done.code == 0, done.err
        asked = len([entry for entry in server.log if entry.call == "chat"])
    table = pl.read_parquet("t.parquet")
    own = pl.read_csv(source) if suffix == "csv" else frame
    assert table.schema == {**own.schema, **COLUMNS}
    assert table.select("id", "answer").equals(own.select("id", "answer"))
    whole = table.head(COUNT)
    assert whole["trace_outcome"].to_list() == ["ok"] * COUNT
    assert all(str(a) in t for a, t in whole.select("answer", "trace_answer").iter_rows())
    assert whole["trace_thinking"].str.len_chars().min() > 50
    assert table.tail(1).select(list(COLUMNS)).row(0) == (None,) * len(COLUMNS)
    assert asked == COUNT + 1  # and the tiny one before
    assert f"{COUNT + 1} rows, 1 without a question" in done.out


def test_the_same_command_asks_nothing_again_and_more_samples_ask_only_those(s1data):
    with emulator() as server:
        call = ("q.parquet", "--model", model(server), "--no-price", "--out", "t.parquet")
        s1data(*call)
        first, before = pl.read_parquet("t.parquet"), len(server.log)
        again = s1data(*call)
        assert (again.code, len(server.log)) == (0, before)
        assert f"{COUNT} of them answered before" in again.out
        assert pl.read_parquet("t.parquet").equals(first)
        s1data(*call, "--samples", 2)
        assert len(server.log) == before + COUNT + 1
    table = pl.read_parquet("t.parquet")
    assert table["trace_sample"].to_list() == [0, 1] * COUNT
    assert table.filter(trace_sample=0).equals(first)


def test_a_rehearsal_asks_nobody_stays_beside_the_file_and_says_so(s1data, tmp_path):
    done = s1data("q.parquet", "--model", "gemini:gemini-2.5-pro", "--thinking", "-1",
                  "--out", "t.parquet", "--rehearse")  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.startswith("REHEARSAL: ")
    assert not (tmp_path / "t.parquet").exists()
    assert set(pl.read_parquet("t.rehearsal.parquet")["trace_origin"]) == {"rehearsal"}
    assert not (tmp_path / "cache" / "replies").exists()
    with ReplyStore(tmp_path / "t.parquet.ask" / "rehearsal" / "replies", rehearsal=True) as store:
        assert store.narrow().height == COUNT


def test_the_cap_ends_it_before_the_money_is_gone_and_a_larger_one_goes_on(s1data, tmp_path):
    prices = priced(tmp_path)
    with emulator() as server:
        call = ("q.parquet", "--model", model(server), "--prices", prices, "--out", "t.parquet",
                "--max-tokens", 2000)  # fmt: skip
        refused = s1data(*call)
        assert refused.code == 2
        assert "--max-usd" in refused.err
        assert not server.log
        done = s1data(*call, "--max-usd", 0.05)
        assert done.code == 1
        assert "raise --max-usd" in done.err
        assert not (tmp_path / "t.parquet").exists()
        spent = sum(bill.usd for bill in server.bill.values())
        assert 0 < spent <= 0.05
        assert s1data(*call, "--max-usd", 5).code == 0
        answered = [entry.question for entry in server.log if entry.answered]
    assert pl.read_parquet("t.parquet")["trace_outcome"].to_list() == ["ok"] * COUNT
    assert len(answered) <= COUNT + 2  # each once, and a tiny one each time


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("max_tokens=20000", "give it as max_tokens"),
        ("n=8", "ask for samples"),
        ("model=other", "give it as model"),
        ("stream=true", "replies are read whole"),
        ("max_completion_tokens=many", "wanted a whole number from 1"),
    ],
)
def test_a_further_field_that_goes_before_the_requests_own_is_refused(s1data, extra, says):
    with emulator() as server:
        done = s1data("q.parquet", "--model", model(server), "--no-price", "--out", "t.parquet",
                      "--extra", extra)  # fmt: skip
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert says in done.err
    assert not server.log


def test_a_limit_under_the_name_of_newer_models_is_reserved_for(s1data, tmp_path):
    prices = priced(tmp_path)
    with emulator() as server:
        s1data("q.parquet", "--model", model(server), "--prices", prices, "--out", "t.parquet",
               "--max-usd", 0.05, "--extra", "max_completion_tokens=2000")  # fmt: skip
        assert 0 < sum(bill.usd for bill in server.bill.values()) <= 0.05


def test_a_file_without_a_question_is_refused(s1data, tmp_path):
    rows().with_columns(question=pl.lit(" ")).write_parquet(tmp_path / "none.parquet")
    with emulator() as server:
        done = s1data("none.parquet", "--model", model(server), "--no-price", "--out", "t.parquet")
    assert done.code == 2
    assert "wanted a question in at least one row" in done.err


def test_what_a_job_is_under_way_for_is_not_sent_beside_it(s1data):
    spec = ModelSpec(provider="gemini", model="gemini-2.5-flash")
    request = Request(**dict(spec), prompt="What is 0 times 3?")
    jobs = replies_home() / "jobs"
    JobRecord.begin(jobs, [request], place(spec), "2026-01-01T00:00:00+00:00").let_go()
    with emulator() as server:
        done = s1data("q.parquet", "--model", f"gemini:gemini-2.5-flash@{server.url}",
                      "--no-price", "--out", "t.parquet")  # fmt: skip
        assert not server.log
    assert done.code == 1
    assert "1 requests are under way in batch jobs" in done.err
    assert "add --batch" in done.err


def test_a_teacher_without_thinking_is_noticed_and_accepted_when_told(s1data, tmp_path):
    script = Script.of({"models": {"big": {"role": "solver", "skill": 1.0}}})
    with Emulator(script, answers=rows()) as server:
        call = ("q.parquet", "--model", model(server), "--no-price", "--out", "t.parquet")
        done = s1data(*call)
        assert done.code == 1
        assert "wanted thinking that is raw" in done.err
        assert len(server.log) < COUNT
        assert s1data(*call, "--accept", "raw,none").code == 0
    assert set(pl.read_parquet("t.parquet")["trace_kind"]) == {"none"}


def test_rows_that_stay_without_a_reply_say_why_and_are_asked_again(s1data):
    one = rows()["question"][3]
    never = {"fault": "drop_before", "contains": one, "times": None}
    with emulator(planned=[never]) as server:
        call = ("q.parquet", "--model", model(server), "--no-price", "--out", "t.parquet")
        done = s1data(*call)
    assert done.code == 1
    table = pl.read_parquet("t.parquet")
    assert table["trace_outcome"].to_list().count("ok") == COUNT - 1
    assert table["trace_outcome"][3] == "dropped"
    assert "1 dropped" in done.err


WRONG = [
    (("none.parquet",), 2, "none.parquet"),
    (("empty.jsonl",), 2, "empty.jsonl"),
    (("rubbish.parquet",), 2, "rubbish.parquet"),
    (("bad.jsonl",), 2, "bad JSON"),
    (("plain.csv",), 2, "say which with --question"),
    (("q.parquet", "--question", "quest"), 2, "nearest: question"),
    (("q.parquet", "--question", "id"), 2, "no text"),
    (("q.parquet", "--out", "t.txt"), 2, ".parquet, .jsonl"),
    (("q.parquet", "--out", "q.parquet"), 2, "there is a file already"),
    (("q.parquet", "--out", "none/t.parquet"), 2, "there is no folder"),
    (("q.parquet", "--model", "big"), 2, "wanted gemini:MODEL"),
    (("q.parquet", "--model", "openai_compatible:big@http://127.0.0.1:9/v1"), 1, "no connection"),
    (("q.parquet", "--model", "gemini:gemini-2.5-flash"), 1, "GEMINI_API_KEY"),
    (("q.parquet", "--model", "openai_compatible:gpt"), 1, "OPENAI_API_KEY"),
    (("q.parquet", "--prompt", "Solve it"), 2, "must stand in it"),
    (("q.parquet", "--accept", "any"), 2, "wanted raw, summary"),
    (("q.parquet", "--extra", "top_k"), 2, "wanted KEY=VALUE"),
    (("q.parquet", "--thinking", "hard"), 2, "thinking.level"),
    (("q.parquet", "--concurrency", "many"), 2, "wanted a number"),
    (("q.parquet", "--store", "q.parquet"), 1, "got a file"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG)
def test_a_wrong_call_is_told_in_a_line_or_two_and_writes_no_file(
    s1data, tmp_path, arguments, code, said
):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "rubbish.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "bad.jsonl").write_text('{"question": "q"}\n{"question": \n')
    (tmp_path / "plain.csv").write_text("a,b\n1,2\n")
    given = list(arguments)
    if "--out" not in given:
        given += ["--out", "t.parquet"]
    if "--model" not in given:
        given += ["--model", "openai_compatible:big@http://127.0.0.1:9/v1"]
    done = s1data(*given, "--no-price")
    assert (done.code, said in done.err) == (code, True), done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "t.parquet").exists()


CODE = "import sys; from s1data.cli import main; main(sys.argv[1:])"


def start(home, server, out):
    command = [sys.executable, "-c", CODE, "ask", "q.parquet", "--model", model(server)]
    return subprocess.Popen(
        [*command, "--no-price", "--out", out, "--concurrency", "2"],
        cwd=home, env=os.environ | {"S1DATA_CACHE": str(home / "cache")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_ctrl_c_ends_with_130_and_two_at_once_then_ask_only_what_is_left(s1data, tmp_path):
    script = {"models": {"big": {"role": "teacher", "skill": 1.0, "latency": 0.3}}}
    with Emulator(Script.of(script), answers=rows()) as server:
        process = start(tmp_path, server, "t.parquet")
        deadline = time.monotonic() + 60
        while len(server.log) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the same command goes on" in said
        assert not (tmp_path / "t.parquet").exists()
        rivals = [start(tmp_path, server, out) for out in ("one.parquet", "two.parquet")]
        for rival in rivals:
            _, said = rival.communicate(timeout=120)
            assert rival.returncode == 0, said
        ids = set(pool.question_ids(rows()["question"]))
        answered = [e.question for e in server.log if e.answered and e.question in ids]
    assert sorted(set(answered)) == sorted(answered)
    one, two = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "two"))
    assert one.equals(two)
    assert one["trace_outcome"].to_list() == ["ok"] * COUNT
