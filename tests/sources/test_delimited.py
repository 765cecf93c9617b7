"""CSV by RFC 4180: what the rules allow is read exactly, what they forbid costs one line."""

import csv
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.reading import read, reasons, source


def write(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    return path


BAD = {
    "too few fields": (b"only one", "wanted 2 fields, got 1"),
    "too many fields": (b"a,b,c", "wanted 2 fields, got 3"),
    "not UTF-8": (b"\xff,1", "byte 0xff in a field is not UTF-8"),
    "stray opening quote": (b'"a,1', "is not closed"),
    "text after a quote": (b'"a"b,1', "is not closed before the next comma"),
    "quote in the middle": (b'a"b,1', "is not quoted"),
}


@pytest.mark.parametrize("after", [b'"c",3\n', b"c,3\n"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_costs_itself(tmp_path, name, after):
    record, wrong = BAD[name]
    path = write(tmp_path, b'question,answer\n"a\nb",2\n' + record + b"\n" + after)
    got = read(path)
    assert got.rows.select("question", "answer").rows() == [("a\nb", "2"), ("c", "3")]
    assert reasons(got) == {1: "unreadable_row"}
    evidence = json.loads(got.dropped["evidence"][0])
    assert (evidence["line"], evidence["offset"]) == (4, 24)
    assert wrong in evidence["wrong"]


def test_rules_of_the_format(tmp_path):
    text = '\ufeffanswer,"the ""question""",extra\r\n1,"a, ""b""\r\nc",\r\n\r\n,d,x\r\n2,"",y'
    got = read(write(tmp_path, text.encode()), columns={"question": 'the "question"', "e": "extra"})
    assert got.rows.select("answer", "question", "e").rows() == [
        ("1", 'a, "b"\r\nc', None),
        (None, "d", "x"),
    ]
    assert reasons(got) == {2: "no_question"}


OWN = {
    "integers": (["1", "", "-20"], pl.Int64, [1, None, -20]),
    "floats": (["1", "2.50", "1e3"], pl.Float64, [1.0, 2.5, 1000.0]),
    "leading zeros": (["007", "1"], pl.String, ["007", "1"]),
    "a word": (["1", "x"], pl.String, ["1", "x"]),
    "a word first": (["x", "1"], pl.String, ["x", "1"]),
    "beyond 64 bits": (["1", "9" * 30], pl.String, ["1", "9" * 30]),
    "nothing": (["", ""], pl.String, [None, None]),
    "hexadecimal": (["12e456", "1234"], pl.String, ["12e456", "1234"]),
}


@pytest.mark.parametrize("name", OWN)
def test_a_column_of_ones_own_is_numbers_only_if_all_of_it_plainly_is(tmp_path, name):
    written, dtype, values = OWN[name]
    path = write(tmp_path, ("question,v\n" + "".join(f"q,{v}\n" for v in written)).encode())
    opened = source(path, columns={"mine": "v"})
    rows = opened.read().rows
    assert opened.schema["mine"] == rows.schema["mine"] == dtype
    assert rows["mine"].to_list() == values


def test_a_canonical_column_stays_text(tmp_path):
    got = read(write(tmp_path, b"question,answer\nq,0042\nr,1.50\n"))
    assert got.rows["answer"].to_list() == ["0042", "1.50"]


def test_a_limit_counts_records(tmp_path):
    path = write(tmp_path, b'question,answer\n"a\n",1\nbad\nb,2\n')
    for limit in range(5):
        got = read(path, limit=limit)
        assert got.rows.height + got.dropped.height == min(limit, 3)


FIELD = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    st.lists(st.tuples(FIELD.filter(str.strip), FIELD), max_size=8), st.sampled_from(["\n", "\r\n"])
)
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, records, end):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("question", "answer"), *records])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(out.getvalue().encode())
    got = read(path)
    wanted = [(q, a or None) for q, a in records if q.strip()]
    blank = [i for i, (q, _) in enumerate(records) if not q.strip()]
    assert got.rows.select("question", "answer").rows() == wanted
    assert sorted(reasons(got)) == blank
