"""Files, folders and globs; what a digest knows; the cap; frames and datasets from Python."""

import json

import polars as pl
import pytest

from s1data import pool
from s1data.errors import PoolError
from s1data.sources import Source, open_source
from tests.sources.reading import read, reasons, source

ROWS = {"question": ["a", "b"], "answer": ["1", "2"], "level": [1, 2]}


def lay(folder, **files):
    for name, columns in files.items():
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(columns).write_parquet(path)
    return folder


def test_a_folder_is_its_files_in_order_of_name_and_a_glob_goes_deeper(tmp_path):
    lay(
        tmp_path,
        **{"b": {"question": ["b"]}, "a": {"question": ["a"]}, "deep/c": {"question": ["c"]}},
    )
    (tmp_path / "notes.txt").write_text("not a pool")
    (tmp_path / ".hidden.parquet").write_text("not a pool")
    (tmp_path / "z.jsonl").write_text('{"question": "z"}\n')
    assert read(tmp_path).rows["question"].to_list() == ["a", "b", "z"]
    assert read(tmp_path / "**" / "*.parquet").rows["question"].to_list() == ["a", "b", "c"]


def test_a_recipes_path_is_relative_to_the_recipe_and_a_bound_one_to_here(tmp_path, monkeypatch):
    lay(tmp_path / "there", x={"question": ["there"]})
    lay(tmp_path / "here", x={"question": ["here"]})
    monkeypatch.chdir(tmp_path / "here")
    spec = Source(name="src", path="x.parquet")
    base = tmp_path / "there"
    assert open_source(spec, None, base).read().rows["question"].to_list() == ["there"]
    assert open_source(spec, "x.parquet", base).read().rows["question"].to_list() == ["here"]


def test_a_name_with_the_signs_of_a_glob_is_a_file_if_it_is_one(tmp_path):
    lay(tmp_path / "[x]", **{"q[1]": {"question": ["it"]}, "q1": {"question": ["other"]}})
    assert read(tmp_path / "[x]" / "q[1].parquet").rows["question"].to_list() == ["it"]
    opened = source(path="q*.parquet", base=tmp_path / "[x]")
    assert opened.read().rows["question"].to_list() == ["other", "it"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("maths/al.parquet", "no 'al.parquet' in maths; nearest: al1.parquet"),
        ("math/al1.parquet", "no 'math' in"),
        ("math/al1.parquet", "nearest: maths"),
        ("math/*.parquet", "nearest: maths"),
        ("maths/*.csv", "no file matches maths/*.csv; maths holds al1.parquet"),
        ("maths/al1.parquet/x", "al1.parquet is no folder"),
        ("maths/*.txt", "no file matches"),
        ("*/*.parquett", "no file matches"),
    ],
)
def test_a_path_that_is_not_there_names_the_nearest_that_is(tmp_path, path, says):
    lay(tmp_path, **{"maths/al1": ROWS})
    with pytest.raises(PoolError) as caught:
        source(path=path, base=tmp_path)
    assert says in str(caught.value)


def test_a_source_without_a_place_says_how_to_give_one():
    with pytest.raises(PoolError, match="--input src=PATH"):
        source()


def test_files_may_differ_in_columns_and_a_missing_one_is_null(tmp_path):
    lay(tmp_path, a={"question": ["a"], "answer": [1]}, b={"question": ["b"], "level": [2]})
    (tmp_path / "c.jsonl").write_text('{"question": "c", "level": 2.5, "answer": "x"}\n')
    opened = source(tmp_path, columns={"level": "level"})
    rows = opened.read().rows
    assert rows["answer"].to_list() == ["1", None, "x"]
    assert rows["level"].to_list() == [None, 2.0, 2.5]
    assert opened.schema["level"] == rows.schema["level"] == pl.Float64
    assert rows["position"].to_list() == [0, 1, 2]


def test_files_that_disagree_on_a_column_are_both_named(tmp_path):
    lay(tmp_path, a={"question": ["a"], "level": [1]}, b={"question": ["b"], "level": ["hard"]})
    with pytest.raises(PoolError, match=r"'level' is Int64 in a.parquet but String in b.parquet"):
        _ = source(tmp_path, columns={"level": "level"}).schema
    assert read(tmp_path).rows.height == 2  # who does not take it is not disturbed


def test_a_column_that_is_not_there_names_the_nearest(tmp_path):
    lay(tmp_path, a={"problem": ["a"], "final": ["x"]})
    with pytest.raises(PoolError, match=r"'problme' to take as question; nearest: problem"):
        _ = source(tmp_path, columns={"question": "problme"}).schema


def test_columns_are_renamed_and_the_rest_is_told(tmp_path):
    lay(tmp_path, a={"problem": ["p"], "question": ["no"], "solution": ["s"], "x": [1], "y": [2]})
    opened = source(
        tmp_path / "a.parquet", columns={"question": "problem", "mine": "x", "also": "x"}
    )
    row = opened.read().rows.row(0, named=True)
    assert (row["question"], row["solution"], row["mine"], row["also"]) == ("p", "s", 1, 1)
    assert opened.unread == ("question", "y")
    assert opened.brings == ("id", "question", "solution", "also", "mine")
    assert list(row) == ["position", *opened.schema]
    assert set(opened.schema) == {"id", *pool.SOURCE_COLUMNS, "also", "mine"}


def test_a_rows_own_licence_wins_over_the_sources():
    frame = pl.DataFrame({"question": ["a", "b"], "lic": ["mit", None]})
    got = read(frame, columns={"licence": "lic"}, licence="cc-by-4.0")
    assert got.rows["licence"].to_list() == ["mit", "cc-by-4.0"]
    assert read(frame, licence="cc-by-4.0").rows["licence"].to_list() == ["cc-by-4.0"] * 2


def test_the_digest_moves_with_what_decides_and_with_nothing_else(tmp_path):
    lay(tmp_path / "one", a=ROWS)
    lay(tmp_path / "two", other_name=ROWS)
    lay(tmp_path / "three", a={**ROWS, "answer": ["1", "3"]})

    def digest(folder="one", **fields):
        return open_source(Source(**{"name": "src", **fields}), tmp_path / folder).digest()

    base = digest()
    assert digest("two") == digest(name="renamed", priority=3) == digest(cap_seed=4) == base
    changed = [
        digest("three"),
        digest(columns={"level": "level"}),
        digest(columns={"question": "answer"}),
        digest(licence="mit"),
        digest(cap=1),
        digest(cap=1, cap_seed=1),
    ]
    assert len({base, *changed}) == len(changed) + 1


def test_the_order_of_files_counts_since_it_is_the_order_of_rows(tmp_path):
    lay(tmp_path / "one", a={"question": ["a"]}, b={"question": ["b"]})
    lay(tmp_path / "two", b={"question": ["a"]}, a={"question": ["b"]})
    lay(tmp_path / "three", x={"question": ["a"]}, y={"question": ["b"]})
    digests = [source(tmp_path / name).digest() for name in ("one", "two", "three")]
    assert digests[0] == digests[2] != digests[1]


def test_the_same_bytes_under_another_ending_are_other_content(tmp_path):
    (tmp_path / "x.csv").write_text('{"question": "a"}\n')
    (tmp_path / "x.jsonl").write_text('{"question": "a"}\n')
    assert source(tmp_path / "x.csv").digest() != source(tmp_path / "x.jsonl").digest()


def test_provenance_names_files_with_their_hashes(tmp_path):
    lay(tmp_path, a=ROWS)
    told = source(tmp_path).provenance()
    assert told["kind"] == "files"
    assert [(f["name"], len(f["sha256"])) for f in told["files"]] == [("a.parquet", 64)]
    assert told["files"][0]["bytes"] == (tmp_path / "a.parquet").stat().st_size
    json.dumps(told)


def test_a_file_that_changes_between_its_digest_and_its_reading_is_refused(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "a"}\n')
    opened = source(path)
    opened.digest()
    path.write_text('{"question": "a"}\n{"question": "b"}\n')
    with pytest.raises(PoolError, match=r"x.jsonl: the file changed while it was being read"):
        opened.read()


def test_a_cap_keeps_so_many_by_id_whatever_their_order_and_says_so():
    questions = [f"question {i}" for i in range(200)]
    frame = pl.DataFrame({"question": questions})
    got = read(frame, cap=50)
    assert got.rows.height == 50
    assert set(reasons(got).values()) == {"over_cap"}
    assert got.dropped["id"].to_list() == [
        pool.question_id(questions[i]) for i in got.dropped["position"]
    ]
    places = [json.loads(evidence)["place"] for evidence in got.dropped["evidence"]]
    assert sorted(places) == list(range(51, 201))
    kept = set(got.rows["id"])
    assert set(read(frame.reverse(), cap=50).rows["id"]) == kept
    assert kept < set(read(frame, cap=51).rows["id"])  # one more is only one more
    assert set(read(frame, cap=50, cap_seed=1).rows["id"]) != kept
    assert read(frame, cap=200).dropped.is_empty()


def test_a_cap_counts_rows_and_not_lines_without_a_question():
    got = read(pl.DataFrame({"question": ["", None, "a", "b"]}), cap=2)
    assert got.rows["question"].to_list() == ["a", "b"]


def test_a_limit_counts_over_all_files(tmp_path):
    lay(tmp_path, a=ROWS, b=ROWS)
    for limit in range(6):
        assert read(tmp_path, limit=limit).rows.height == min(limit, 4)


def test_a_dataset_is_read_as_the_frame_it_was_made_from(recwarn):
    datasets = pytest.importorskip("datasets", reason="the package `datasets` is not installed")
    dataset = datasets.Dataset.from_dict(ROWS)
    frame = pl.DataFrame(ROWS)
    columns = {"level": "level"}
    one, other = source(dataset, columns=columns), source(frame, columns=columns)
    assert one.read().rows.equals(other.read().rows)
    assert one.digest() == other.digest()
    assert read(dataset.select([1, 0])).rows["question"].to_list() == ["b", "a"]
    picked = dataset.select([1])
    splits = datasets.DatasetDict({"train": dataset, "test": picked})
    assert read(splits, split="test").rows["question"].to_list() == ["b"]
    with pytest.raises(PoolError, match=r"no split 'tset'; nearest: test"):
        source(splits, split="tset")


def test_a_frames_digest_knows_only_what_is_taken():
    frame = pl.DataFrame({**ROWS, "other": [pl.Series([1]), None]})
    base = source(frame).digest()
    assert source(frame.with_columns(other=1)).digest() == base
    assert source(frame.with_columns(answer=pl.lit("9"))).digest() != base
    assert source(frame.head(1)).digest() != base


@pytest.mark.parametrize("bound", [7, ["x.parquet"], {"question": ["a"]}])
def test_something_else_from_python_is_refused(bound):
    with pytest.raises(PoolError, match="wanted a path, a polars DataFrame or a Dataset, got"):
        source(bound)


def test_columns_of_ones_own_keep_their_dtype_or_get_a_plain_one():
    frame = pl.DataFrame(
        {
            "question": ["a"],
            "list": [[1, 2]],
            "kind": pl.Series(["x"], dtype=pl.Categorical),
            "exact": pl.Series(["1.5"]).cast(pl.Decimal(10, 2)),
            "when": pl.Series(["2026-01-02"]).str.to_date(),
        }
    )
    names = frame.columns[1:]
    opened = source(frame, columns={name: name for name in names})
    rows = opened.read().rows
    assert [rows.schema[n] for n in names] == [pl.List(pl.Int64), pl.String, pl.Float64, pl.Date]
    assert {n: opened.schema[n] for n in names} == {n: rows.schema[n] for n in names}
    assert len(opened.digest()) == 64


@pytest.mark.real
def test_the_real_pool_is_read_whole_with_the_ids_it_was_published_with(
    real_data,
):
    got = read(real_data / "pool.parquet", columns={"published": "question_hash"})
    assert got.rows.height == 83_481
    assert got.dropped.is_empty()
    assert (got.rows["id"] == got.rows["published"]).all()
