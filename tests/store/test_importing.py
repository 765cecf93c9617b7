"""Replies made elsewhere are stored once, served by a recipe, and go out again as one file."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import polars as pl
import pytest

from s1data import pool
from s1data.asking import Served, Session, ask_in_rounds
from s1data.cli import main
from s1data.errors import PoolError, StoreError
from s1data.models import ModelSpec, Outcome, Reply, TraceKind
from s1data.stages.asked_attempts import AddAttempts
from s1data.stages.asked_traces import AddTraces
from s1data.store.counting import counted
from s1data.store.exporting import COLUMNS, export
from s1data.store.importing import Import, Importing
from s1data.store.replies import ReplyStore
from s1data.store.tables import rows

SPEC = ModelSpec(
    provider="openai_compatible", model="big", temperature=0.6, extra={"top_k": 20}, max_tokens=99
)
QUESTIONS = ["What is 6 times 7?", "What is 2 + 2?", "Name a prime."]


class Nobody:
    """A model that must not be asked."""

    async def ask(self, request):
        raise AssertionError(f"asked: {request.prompt}")

    async def check(self):
        raise AssertionError("checked")

    async def close(self):
        pass


def served(store, asker, spec=SPEC, questions=QUESTIONS):
    """What an Asker makes of the store alone."""
    table = pl.DataFrame(
        {"question": questions, "answer": [None] * len(questions)},
        schema={"question": pl.String, "answer": pl.String},
    )
    with Session([Served(name="m", spec=spec, model=Nobody())], store) as session:
        return ask_in_rounds(asker, table, {"m": spec}, session)


def take(store, path, **how):
    reading = Importing(Import(**({"name": "theirs", "spec": SPEC} | how)))
    new, there = store.put_all(reading.replies(rows(path)))
    return new, there, [str(bad) for bad in reading.bad]


def s1_folder(home):
    """As s1's scripts write it: results/gemini/SUBDIR/HASH.json."""
    for question in QUESTIONS:
        found = pool.question_ids(pl.Series([question]))[0]
        result = {
            "question_hash": found,
            "question": question,
            "thinking": f"Hm, {question}",
            "response": "42",
        }
        (home / f"{found}.json").write_text(json.dumps(result, indent=4), encoding="utf-8")
    return home


def table(home, suffix):
    frame = pl.DataFrame(
        {"question": QUESTIONS, "thinking": ["Hm, a", "Hm, b", "Hm, c"], "answer": ["42"] * 3}
    )
    path = home / f"table.{suffix}"
    frame.write_parquet(path) if suffix == "parquet" else frame.write_ndjson(path)
    return path


@pytest.fixture(params=["folder", "parquet", "jsonl"])
def source(request, tmp_path):
    home = tmp_path / "source"
    home.mkdir()
    return s1_folder(home) if request.param == "folder" else table(home, request.param)


def test_imported_traces_are_served_to_a_stage_and_importing_twice_stores_once(tmp_path, source):
    home = tmp_path / "replies"
    for stored, there in ((3, 0), (0, 3)):
        with ReplyStore(home) as store:
            assert take(store, source) == (stored, there, [])
    with ReplyStore(home) as store:
        asked = served(store, AddTraces(teachers=("m",)))
        assert store.narrow()["origin"].unique().to_list() == ["imported:theirs"]
        keys = [trace["reply_key"] for (trace,) in asked.columns["traces"].to_list()]
        assert all(reply.thinking.startswith("Hm, ") for reply in store.get(keys).values())
    assert asked.open == {}
    assert asked.figures["m"]["cached"] == 3
    assert {t["trace_kind"] for (t,) in asked.columns["traces"].to_list()} == {"raw"}


def test_other_settings_or_another_prompt_are_another_request(tmp_path, source):
    with ReplyStore(tmp_path / "replies") as store:
        take(store, source)
        hotter = SPEC.model_copy(update={"temperature": 0.7})
        for asker, spec in (
            (AddTraces(teachers=("m",)), hotter),
            (AddTraces(teachers=("m",), prompt="Think: {question}"), SPEC),
        ):
            with pytest.raises(AssertionError, match="checked"):
                served(store, asker, spec)


def test_attempts_with_a_prompt_of_their_own_and_several_samples(tmp_path):
    path = tmp_path / "attempts.jsonl"
    lines = [
        {"problem": q, "attempt": f"The answer is {n}", "model": m}
        for q in QUESTIONS for n in (1, 2) for m in ("big", "small")
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    prompt = "Solve:\n{question}"
    how = {"prompt": prompt, "columns": {"question": "problem"}, "only": {"model": "big"}}
    with ReplyStore(tmp_path / "replies") as store:
        assert take(store, path, **how) == (6, 0, [])
        asked = served(store, AddAttempts(solvers=("m",), samples=2, prompt=prompt))
        found = [[a["extracted"] for a in row] for row in asked.columns["attempts"].to_list()]
    assert found == [["1", "2"]] * 3


BAD = [
    (b"{", "no JSON"),
    (b"[1]", "wanted a JSON object, got list"),
    (b"\xff{}", "no JSON"),
    (b'{"answer": "4"}', "no question"),
    (b'{"question": " ", "answer": "4"}', "no question"),
    (b'{"question": "q", "answer": ""}', "no answer"),
    (b'{"question": "q", "answer": 4}', "its answer is no text but int"),
    (b'{"question": "q", "answer": ["a", "b"]}', "a list of 2"),
    (b'{"question": "q", "answer": "4", "model": "other"}', "its model is other, not big"),
    (b'{"question": "q", "answer": "4", "outcome": "timeout"}', "leaves a request open"),
    (b'{"question": "q", "answer": "4", "outcome": "fine"}', "none that we know"),
    (b'{"question": "q", "outcome": "ok"}', "it has no answer"),
    (b'{"question": "q", "thinking": "t", "answer": "4", "trace_kind": "x"}', "its trace_kind"),
    (b'{"question": "q", "answer": "4", "sample": -1}', "its sample is -1"),
    (b'{"question": "What is 2 + 2?", "answer": "5", "sample": 0}', "an earlier row has the same"),
]


def test_a_bad_row_is_named_with_its_reason_and_the_others_are_stored(tmp_path):
    path = tmp_path / "rows.jsonl"
    good = b'\n{"question": "What is 2 + 2?", "answer": "4", "sample": 0}\n'
    path.write_bytes(good + b"\n".join(line for line, _ in BAD) + good.replace(b": 0", b": 7"))
    with ReplyStore(tmp_path / "replies") as store:
        new, there, bad = take(store, path)
        assert (new, there) == (2, 0)
        assert store.narrow().height == 2
    assert len(bad) == len(BAD)
    for number, (said, (_, why)) in enumerate(zip(bad, BAD, strict=True), 3):
        assert said.startswith(f"line {number}: ")
        assert why in said


@pytest.mark.parametrize("outcome", ["recitation", "cut_thinking"])
def test_an_outcome_of_the_file_is_kept_and_never_served_as_an_answer(tmp_path, outcome):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "q", "outcome": outcome}), encoding="utf-8")
    with ReplyStore(tmp_path / "replies") as store:
        assert take(store, path)[0] == 1
        assert store.narrow()["outcome"].to_list() == [outcome]
        path.write_text(json.dumps({"question": "q", "answer": "4"}), encoding="utf-8")
        assert take(store, path)[:2] == (1, 0)
        assert store.narrow()["outcome"].to_list() == ["ok"]


def test_summaries_are_said_to_be_summaries(tmp_path, source):
    with ReplyStore(tmp_path / "replies") as store:
        take(store, source, trace_kind=TraceKind.SUMMARY)
        assert set(store.narrow()["outcome"]) == {"summary"}


def test_a_file_that_breaks_off_leaves_nothing(tmp_path):
    whole = pl.DataFrame({"question": [str(i) for i in range(4000)], "answer": ["x" * 500] * 4000})
    path = tmp_path / "cut.parquet"
    whole.write_parquet(path, row_group_size=500, compression="uncompressed")
    data = bytearray(path.read_bytes())
    at = int(len(data) * 0.9)
    data[at : at + 4000] = bytes(4000)
    path.write_bytes(data)
    with ReplyStore(tmp_path / "replies", roll_bytes=100_000) as store:
        with pytest.raises(PoolError, match="nothing was imported"):
            take(store, path)
        assert store.narrow().height == 0
    assert not list((tmp_path / "replies").rglob("part-*"))
    assert not list((tmp_path / "replies").rglob("*.tmp"))


def test_an_export_has_every_reply_once_with_what_was_asked_and_comes_back(tmp_path, source):
    with ReplyStore(tmp_path / "replies") as store:
        take(store, source)
        store.put([Reply(key="k", provider="p", model="m", outcome=Outcome.SAFETY, usd=0.5)])
        for suffix in ("parquet", "jsonl"):
            assert export(store, tmp_path / f"all.{suffix}") == 4
        some = pl.col("outcome") == "ok"
        assert export(store, tmp_path / "some.parquet", some) == 3
    everything = pl.read_parquet(tmp_path / "all.parquet")
    assert everything.schema == COLUMNS
    lines = pl.read_ndjson(tmp_path / "all.jsonl", schema=COLUMNS)
    assert lines.equals(everything)
    out = pl.read_parquet(tmp_path / "some.parquet")
    assert sorted(out["prompt"]) == sorted(QUESTIONS)
    assert set(out["settings"]) == {'{"extra":{"top_k":20},"max_tokens":99,"temperature":0.6}'}
    with ReplyStore(tmp_path / "again") as store:
        assert take(store, tmp_path / "some.parquet") == (3, 0, [])
        assert set(store.narrow()["key"]) == set(out["key"])
    assert not list(tmp_path.glob(".*.tmp"))


def test_an_export_that_cannot_be_written_leaves_nothing(tmp_path, source):
    with ReplyStore(tmp_path / "replies") as store:
        take(store, source)
        with pytest.raises(StoreError, match="could not be written"):
            export(store, tmp_path / "none" / "all.parquet")


def test_replies_are_counted_by_kind(tmp_path, source):
    with ReplyStore(tmp_path / "replies") as store:
        take(store, source)
        store.put([Reply(key="k", provider="p", model="m", outcome=Outcome.SAFETY, usd=0.5)])
        lines = counted(store.narrow()).select("model", "origin", "outcome", "replies", "usd")
    assert lines.rows() == [
        ("big", "imported:theirs", "ok", 3, None),
        ("m", "live", "safety", 1, 0.5),
    ]


@pytest.fixture
def s1data(tmp_path, monkeypatch, capsys):
    """The command line in this process: code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache"))

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["replies", *map(str, arguments)])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    return call


RECIPE = """
name: mine
version: 2026.11.0
sources: [{name: q, path: q.jsonl}]
models:
  teacher: {provider: openai_compatible, model: big, temperature: 0.6, max_tokens: 99, extra: {top_k: 20}}
stages: [drop_duplicates]
"""


def test_the_commands_import_for_a_recipe_list_check_compact_and_export(tmp_path, source, s1data):
    (tmp_path / "my.yaml").write_text(RECIPE, encoding="utf-8")
    done = s1data("import", source, "--recipe", "my.yaml", "--model", "teacher")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 rows: 3 stored" in done.stdout
    with ReplyStore(tmp_path / "cache" / "replies") as store:
        assert served(store, AddTraces(teachers=("m",))).open == {}
    listed = json.loads(s1data("list", "--json").stdout)
    assert [line["replies"] for line in listed["replies"]] == [3]
    assert "3 replies" in s1data("compact").stdout
    assert "3 replies" in s1data("export", "out.jsonl", "--model", "big").stdout
    assert s1data("export", "out.jsonl").returncode == 2
    assert s1data("export", "no.jsonl", "--model", "none").returncode == 1
    assert not (tmp_path / "no.jsonl").exists()
    assert s1data("check").returncode == 0
    (part,) = (tmp_path / "cache").rglob("part-*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    done = s1data("check")
    assert done.returncode == 1
    assert part.name in done.stderr
    seen_before = s1data("check")
    assert seen_before.returncode == 1
    assert part.name in seen_before.stdout
    shutil.rmtree(tmp_path / "cache" / "replies" / "damaged")
    assert s1data("check").returncode == 0
    again = s1data("import", source, "--recipe", "my.yaml", "--model", "teacher")
    assert "3 stored" in again.stdout


def test_a_bad_line_of_a_dead_process_is_named_and_set_aside(tmp_path, s1data):
    home = tmp_path / "cache" / "replies"
    code = (
        "import os, sys; from pathlib import Path; from s1data.models import Outcome, Reply\n"
        "from s1data.store.replies import ReplyStore\n"
        "store = ReplyStore(Path(sys.argv[1]))\n"
        "store.put([Reply(key=k, provider='p', model='m', outcome=Outcome.OK) for k in 'ab'])\n"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, home], check=False)
    (journal,) = home.rglob("journal-*")
    journal.write_bytes(journal.read_bytes().replace(b'"key":"a"', b'"key":"c"'))
    done = s1data("check")
    assert done.returncode == 1
    assert "1 of 2 lines are not as they were written" in done.stderr
    with ReplyStore(home) as store:
        assert set(store.get(["a", "b", "c"])) == {"b"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("list", "--store", "none"), 2, "no reply store there"),
        (("list", "--outcome", "oks"), 2, "nearest: ok"),
        (("import", "none.jsonl", "--model", "gemini:g"), 2, "no such file"),
        (("import", "empty.jsonl", "--model", "gemini:g"), 2, "got an empty file"),
        (("import", "rubbish.parquet", "--model", "gemini:g"), 2, "cannot be read"),
        (("import", "empty", "--model", "gemini:g"), 2, "one JSON file per question"),
        (("import", "x.jsonl", "--model", "g"), 2, "wanted gemini:MODEL or openai_compatible"),
        (("import", "x.jsonl", "--model", "gemini:g", "--prompt", "?"), 2, "must stand in it"),
        (("import", "x.jsonl", "--model", "gemini:g", "--only", "model"), 2, "wanted KEY=VALUE"),
        (("import", "x.jsonl", "--model", "gemini:g", "--store", "empty/.."), 2, "no reply store"),
        (("import", "x.csv", "--model", "gemini:g"), 2, "wanted a Parquet file"),
        (("import", "good.parquet", "--model", "gemini:g", "--answer", "said"), 2, "column said"),
        (("import", "good.parquet", "--model", "t", "--recipe", "none.yaml"), 2, "none.yaml"),
        (("export", "x.txt"), 2, ".parquet, .jsonl"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_line_and_leaves_nothing(tmp_path, s1data, arguments, code, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "x.jsonl").write_text('{"question": "q", "answer": "a"}')
    (tmp_path / "x.csv").write_text("question,answer\nq,a\n")
    (tmp_path / "rubbish.parquet").write_bytes(b"PAR1 and no more")
    table(tmp_path, "parquet").rename(tmp_path / "good.parquet")
    done = s1data(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("part-*"))
