"""Traces get their texts where they are written out: by key, in place, whatever the files hold."""

from __future__ import annotations

import polars as pl

from s1data import pool
from s1data.texts import with_texts


def traces(*keys):
    empty = dict.fromkeys(field.name for field in pool.TRACE.fields)
    return [empty | {"teacher": "t", "sample": i, "reply_key": key} for i, key in enumerate(keys)]


def rows(*lists):
    column = pl.Series("traces", list(lists), dtype=pool.COLUMNS["traces"])
    return pl.DataFrame({"id": [str(i) for i in range(len(lists))]}).with_columns(column)


def texts_file(path, **texts):
    lines = [(key, *parts) for key, parts in texts.items()]
    frame = pl.DataFrame(lines, schema=["reply_key", "thinking", "answer"], orient="row")
    frame.write_parquet(path)
    return path


def test_each_trace_gets_its_own_text_in_place(tmp_path):
    one = texts_file(tmp_path / "1", a=("ta", "aa"), z=("tz", "az"))
    two = texts_file(tmp_path / "2", b=("tb", "ab"))
    out = with_texts(rows(traces("b", "a"), [], None, traces("a", "gone", None)), [one, two])
    said = [
        None if given is None else [(t["reply_key"], t["thinking"], t["answer"]) for t in given]
        for given in out["traces"].to_list()
    ]
    b, a = ("b", "tb", "ab"), ("a", "ta", "aa")
    assert said == [[b, a], [], None, [a, ("gone", None, None), (None, None, None)]]
    assert out["id"].to_list() == ["0", "1", "2", "3"]
    assert [t["sample"] for t in out["traces"][3]] == [0, 1, 2]


def test_without_files_or_traces_nothing_is_lost():
    assert with_texts(rows(traces("a")), [])["traces"][0][0]["thinking"] is None
    assert with_texts(rows([], None), [])["traces"].to_list() == [[], None]
    plain = pl.DataFrame({"id": ["a"]})
    assert with_texts(plain, []) is plain
