"""JSON Lines: a bad line costs itself, numbers keep their digits, places are exact."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data.errors import PoolError
from s1data.sources import sentence
from s1data.sources.lines import CHUNK_LINES
from tests.sources.reading import read, reasons, source

BAD = {
    "not UTF-8": (b'{"question": "\xff"}', "byte 0xff at byte 14 of the line is not UTF-8"),
    "cut": (b'{"question": "x', "bad JSON at byte 15 of the line"),
    "two values": (b'{"question": "x"} {}', "bad JSON at byte 18 of the line"),
    "after an umlaut": ('{"question": "ü",}'.encode(), "bad JSON at byte 17 of the line"),
    "not a number": (b'{"question": "x", "n": NaN}', "bad JSON"),
    "infinite": (b'{"question": "x", "n": 1e999}', "bad JSON"),
    "lone surrogate": (b'{"question": "\\ud800"}', "bad JSON"),
    "a list": (b'["x"]', "wanted a JSON object, got a list"),
    "a number": (b"7", "wanted a JSON object, got a number"),
    "null": (b"null", "wanted a JSON object, got null"),
    "too deep": (b'{"question":' + b"[" * 5000, "bad JSON"),
    "deep within": (
        b'{"question": "x", "answer": ' + b"[" * 1000 + b"1.5" + b"]" * 1000 + b"}",
        "answer is nested too deeply",
    ),
    "zero bytes": (b"\0\0\0", "bad JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_costs_itself_and_says_where_and_why(tmp_path, name):
    line, wrong = BAD[name]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"question": "a"}\n\n' + line + b'\n{"question": "b"}')
    got = read(path)
    assert got.rows["question"].to_list() == ["a", "b"]
    assert got.rows["position"].to_list() == [0, 2]
    assert reasons(got) == {1: "unreadable_row"}
    evidence = json.loads(got.dropped["evidence"][0])
    assert (evidence["file"], evidence["line"], evidence["offset"]) == (1, 3, 19)
    assert wrong in evidence["wrong"]
    assert wrong in sentence("unreadable_row", got.dropped["evidence"][0])


@pytest.mark.parametrize("value", [7, 7.5, True, ["a"], {"a": 1}, 10**30])
def test_a_question_that_is_no_text_is_a_reason(tmp_path, value):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"question": value}) + '\n{"question": "b"}\n')
    got = read(path)
    assert got.rows["question"].to_list() == ["b"]
    assert reasons(got) == {0: "wrong_type"}
    assert "not text" in sentence("wrong_type", got.dropped["evidence"][0])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_a_byte_order_mark_and_a_missing_last_end_change_nothing(
    tmp_path, end, start, last
):
    path = tmp_path / "x.jsonl"
    lines = ['{"question": "a\\nb", "answer": "1"}', "", '{"question": "c"}']
    text = start + end.join(lines) + (end if last else "")
    path.write_bytes(text.encode())
    got = read(path)
    assert got.rows.select("question", "answer").rows() == [("a\nb", "1"), ("c", None)]
    assert got.dropped.is_empty()


def test_the_place_of_a_first_line_counts_the_byte_order_mark(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbfbad\n")
    assert json.loads(read(path).dropped["evidence"][0])["offset"] == 3


def test_one_bad_line_among_many_chunks_costs_only_itself(tmp_path):
    path = tmp_path / "x.jsonl"
    lines = [b'{"question": "q%d", "n": %d}\n' % (i, i) for i in range(3 * CHUNK_LINES)]
    bad = CHUNK_LINES + 77
    lines[bad] = b"\xfe" + lines[bad]
    path.write_bytes(b"".join(lines))
    got = read(path, columns={"n": "n"})
    assert reasons(got) == {bad: "unreadable_row"}
    assert got.rows["n"].to_list() == [i for i in range(3 * CHUNK_LINES) if i != bad]


@pytest.mark.parametrize("number", ["0.10", "1e3", "123456789012345678901234567890", "-7", "1.0", "18446744073709551616"])  # fmt: skip
def test_a_number_taken_as_text_keeps_the_digits_it_was_written_with(tmp_path, number):
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"question": "q", "answer": {number}}}\n')
    assert read(path).rows["answer"].to_list() == [number]


OWN = {
    "integers": (["1", "null", "-3"], pl.Int64, [1, None, -3]),
    "with a float": (["1", "2.5"], pl.Float64, [1.0, 2.5]),
    "true or false": (["true", "null"], pl.Boolean, [True, None]),
    "texts": (['"a"', '"b"'], pl.String, ["a", "b"]),
    "mixed": (['"a"', "1", "0.50", "true"], pl.String, ["a", "1", "0.50", "true"]),
    "nested": (['{"b": 1, "a": [2.50]}', "null"], pl.String, ['{"a":[2.5],"b":1}', None]),
    "nulls": (["null", "null"], pl.String, [None, None]),
    "beyond 64 bits": (["1", str(2**63)], pl.String, ["1", str(2**63)]),
}


@pytest.mark.parametrize("name", OWN)
def test_a_column_of_ones_own_has_the_dtype_that_holds_all_its_values(tmp_path, name):
    written, dtype, values = OWN[name]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(f'{{"question": "q", "v": {v}}}\n' for v in written))
    opened = source(path, columns={"mine": "v"})
    assert opened.schema["mine"] == dtype
    rows = opened.read().rows
    assert rows.schema["mine"] == dtype
    assert rows["mine"].to_list() == values
    assert opened.read(limit=1).rows.schema == rows.schema  # a part looks like the whole


def test_a_key_that_comes_late_is_a_column_and_is_null_before(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "a"}\n' * 50 + '{"question": "b", "late": 1, "odd": 2}\n')
    opened = source(path, columns={"late": "late"})
    assert opened.unread == ("odd",)
    assert opened.read().rows["late"].to_list() == [None] * 50 + [1]


def test_a_limit_counts_lines_of_every_kind(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"question": "a"}\nbad\n{"question": ""}\n{"question": "b"}\n')
    for limit in range(6):
        got = read(path, limit=limit)
        assert got.rows.height + got.dropped.height == min(limit, 4)


def test_a_stage_column_with_parts_is_taken_from_parquet_only(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "a", "attempts": []}\n')
    with pytest.raises(PoolError, match="'attempts', taken as attempts: wanted List"):
        source(path, columns={"attempts": "attempts"}).read()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from(["question", "answer", "own"]), JSON), max_size=8), st.binary(max_size=30))  # fmt: skip
def test_no_line_is_ever_lost(tmp_path_factory, items, noise):
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    lines = [json.dumps({"question": "q", "own": None}), *(json.dumps(i) for i in items)]
    path.write_bytes("\n".join(lines).encode() + b"\n" + noise)
    got = read(path, columns={"mine": "own"})
    noisy = sum(1 for line in noise.split(b"\n") if line and not line.isspace())
    assert got.rows.height + got.dropped.height == len(lines) + noisy
    texts = [i["question"] for i in items if isinstance(i.get("question"), str) and i["question"].strip()]  # fmt: skip
    assert got.rows["question"].to_list()[: 1 + len(texts)] == ["q", *texts]
