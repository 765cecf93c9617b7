"""Whatever is handed over ends in rows, in reasons, or in one clear line: never in a traceback."""

import json
import os

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s1data import pool
from s1data.errors import PoolError
from s1data.sources import sentence
from tests.sources.reading import read, reasons, source


def parquet(path, **columns):
    pl.DataFrame(columns).write_parquet(path)
    return path


def cut(path):
    parquet(path, question=["q"] * 1000)
    path.write_bytes(path.read_bytes()[:-20])


def spoilt(path):
    parquet(path, question=[f"a question that is long enough {i}" for i in range(1000)])
    data = bytearray(path.read_bytes())
    data[50:90] = bytes(40)
    path.write_bytes(bytes(data))


def bad_text(path):
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"question": bad}), path)


def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


def dangling(path):
    path.symlink_to(path.parent / "gone.parquet")


def circular(path):
    path.symlink_to(path)


def two_headers(path):
    path.write_text("question,answer,answer\nq,a,b\n")


FILES = {
    "cut short": ("x.parquet", cut, ["x.parquet", "Parquet"]),
    "spoilt inside": ("x.parquet", spoilt, ["x.parquet", "Parquet"]),
    "text that is not UTF-8": ("x.parquet", bad_text, ["x.parquet", "Parquet"]),
    "empty file as Parquet": ("x.parquet", lambda p: p.write_bytes(b""), ["x.parquet", "Parquet"]),
    "JSON called Parquet": ("x.parquet", lambda p: p.write_text('{"question": "q"}'), ["x.parquet"]),
    "numeric question": ("x.parquet", lambda p: parquet(p, question=[1, 2]), ["x.parquet", "'question'", "wanted text", "Int64"]),
    "list question": ("x.parquet", lambda p: parquet(p, question=[["a"]]), ["'question'", "wanted text", "List"]),
    "bytes as answer": ("x.parquet", lambda p: parquet(p, question=["q"], answer=[b"a"]), ["'answer'", "wanted text", "Binary"]),
    "no question column": ("x.parquet", lambda p: parquet(p, questions=["q"]), ["no column 'question'", "nearest: questions", "columns:"]),
    "no question key": ("x.jsonl", lambda p: p.write_text('{"prompt": "q"}\n'), ["no column 'question'", "prompt"]),
    "another ending": ("x.json", lambda p: p.write_text("[]"), ["x.json", ".parquet, .jsonl, .ndjson, .csv", "got .json"]),
    "no ending": ("pool", lambda p: p.write_text("x"), ["got no ending"]),
    "empty folder": ("dir", folder, ["folder", "no file to read", ".parquet"]),
    "folder called Parquet": ("x.parquet", folder, ["no file to read"]),
    "pipe": ("x.jsonl", pipe, ["neither a file nor a folder"]),
    "dangling link": ("x.parquet", dangling, ["No such file"]),
    "circular link": ("x.parquet", circular, ["symbolic links"]),
    "UTF-16 lines": ("x.jsonl", lambda p: p.write_bytes('{"question": "q"}'.encode("utf-16")), ["UTF-16", "UTF-8"]),
    "UTF-16 CSV": ("x.csv", lambda p: p.write_bytes("question\nq".encode("utf-16")), ["UTF-16", "UTF-8"]),
    "two equal headers": ("x.csv", two_headers, ["x.csv", "'answer' twice"]),
    "broken header": ("x.csv", lambda p: p.write_text('"question\nq'), ["x.csv", "header"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used_is_one_line_that_names_the_source(tmp_path, name):
    file, make, says = FILES[name]
    make(tmp_path / file)
    with pytest.raises(PoolError) as caught:
        source(tmp_path / file).read()
    message = str(caught.value)
    assert message.startswith("source src")
    assert "\n" not in message
    for part in says:
        assert part in message


def test_a_file_without_permission_is_said_so(tmp_path):
    path = parquet(tmp_path / "x.parquet", question=["q"])
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # root may read everything: look with other eyes, from which the folder is closed
        os.seteuid(65534)
    try:
        with pytest.raises(PoolError, match="Permission denied"):
            source(path).read()
    finally:
        if root:
            os.seteuid(0)


QUESTIONS = {
    "null": (None, "no_question"),
    "empty": ("", "no_question"),
    "blank": (" \t\r\n ", "no_question"),
    "separators": ("\x1c\x1d\x1e\x1f", "no_question"),
    "wide space": ("\u2003\u3000", "no_question"),
    "a letter": ("x", None),
    "a zero byte": ("a\0b", None),
    "combining": ("e\u0301", None),
    "five megabytes": ("why " * 1_250_000, None),
}


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv", "frame"])
def test_every_question_is_a_row_or_has_a_reason_whatever_the_format(tmp_path, ending):
    asked = [question for question, _ in QUESTIONS.values()]
    frame = pl.DataFrame({"question": asked, "n": range(len(asked))})
    path = tmp_path / f"x.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()))
    elif ending == "csv":
        frame.write_csv(path, quote_style="non_numeric")
    got = read(frame if ending == "frame" else path, columns={"n": "n"})
    wanted = {i: why for i, (_, why) in enumerate(QUESTIONS.values()) if why}
    assert reasons(got) == wanted
    assert got.dropped["id"].null_count() == got.dropped.height
    kept = [question for question, why in QUESTIONS.values() if why is None]
    assert got.rows["question"].to_list() == kept
    assert got.rows["id"].to_list() == [pool.question_id(question) for question in kept]
    assert got.rows["n"].to_list() == [i for i in range(len(asked)) if i not in wanted]
    words = [sentence(*pair) for pair in got.dropped.select("reason", "evidence").iter_rows()]
    assert words[0] == "the question is null"
    assert words[2] == "the question is white space only"


@pytest.mark.parametrize(
    ("file", "content"),
    [("x.jsonl", b""), ("x.jsonl", b"\n\n \n"), ("x.csv", b""), ("x.csv", b"question,mine\n"), ("x.jsonl", b"\xef\xbb\xbf")],
)  # fmt: skip
def test_nothing_in_a_file_is_no_rows_with_all_columns(tmp_path, file, content):
    path = tmp_path / file
    path.write_bytes(content)
    opened = source(path, columns={"own": "mine"})
    got = opened.read()
    assert got.rows.height == got.dropped.height == 0
    assert got.rows.schema == {"position": pl.UInt32, **opened.schema}
    assert "own" in opened.schema


def test_no_rows_of_a_frame_and_of_parquet_keep_the_dtypes(tmp_path):
    frame = pl.DataFrame(schema={"question": pl.String, "n": pl.Int16})
    frame.write_parquet(tmp_path / "x.parquet")
    for bound in (frame, tmp_path / "x.parquet"):
        got = read(bound, columns={"n": "n"})
        assert got.rows.height == 0
        assert got.rows.schema["n"] == pl.Int16


def test_a_question_column_of_nulls_alone_is_a_reason_for_every_row():
    got = read(pl.DataFrame({"question": [None, None]}))
    assert reasons(got) == {0: "no_question", 1: "no_question"}


def test_what_is_no_text_becomes_text_by_one_rule(tmp_path):
    frame = pl.DataFrame(
        {
            "question": ["a", "b"],
            "answer": [12, None],
            "solution": [0.5, 2.0],
            "metadata": [{"b": [1.0, 2.5], "a": "ü"}, {"b": [], "a": None}],
            "cot_type": pl.Series(["x", "y"], dtype=pl.Categorical),
            "source_type": [True, False],
        }
    )
    frame.write_parquet(tmp_path / "x.parquet")
    rows = [{**row, "cot_type": str(row["cot_type"])} for row in frame.to_dicts()]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, other = read(tmp_path / "x.parquet").rows, read(tmp_path / "x.jsonl").rows
    assert one.equals(other)
    assert one["answer"].to_list() == ["12", None]
    assert one["solution"].to_list() == ["0.5", "2.0"]
    assert one["metadata"].to_list() == ['{"a":"ü","b":[1.0,2.5]}', '{"a":null,"b":[]}']
    assert one["source_type"].to_list() == ["true", "false"]


def test_not_a_number_inside_a_list_is_text_not_a_crash():
    got = read(pl.DataFrame({"question": ["a"], "metadata": [[float("nan"), 1.0]]}))
    assert got.rows["metadata"].to_list() == ['["nan",1.0]']
