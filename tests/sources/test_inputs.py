"""Named inputs: a plain frame, a column that names files, and no line that may be skipped."""

import polars as pl
import pytest

from s1data.errors import PoolError
from s1data.sources import Input, open_input


def lay(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, columns in files.items():
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")
    return folder


def opened(bound, **fields):
    return open_input(Input(**fields), "bench", bound)


def test_all_columns_are_taken_unless_some_are_named(tmp_path):
    lay(tmp_path, a={"question": ["q"], "gold": [1], "x": [[1]]})
    path = tmp_path / "a.parquet"
    assert opened(path).read().to_dicts() == [{"question": "q", "gold": 1, "x": [1]}]
    assert opened(path, columns=["gold"]).read().to_dicts() == [{"gold": 1}]
    renamed = opened(path, columns={"answer": "gold"})
    assert renamed.read().to_dicts() == [{"answer": "1"}]  # a canonical name is text everywhere
    assert renamed.schema == {"answer": pl.String}
    assert renamed.unread == ("question", "x")


def test_a_folder_or_a_glob_says_which_file_a_row_is_from(tmp_path):
    lay(tmp_path, aime={"question": ["a", "b"]}, empty={"question": []}, math={"question": ["c"]})
    for bound in (tmp_path, tmp_path / "*.parquet"):
        table = opened(bound)
        frame = table.read()
        assert frame["file"].to_list() == ["aime", "aime", "math"]
        assert dict(frame.schema) == table.schema
    assert "file" not in opened(tmp_path / "aime.parquet").schema


def test_names_of_files_decide_only_where_they_are_content(tmp_path):
    one = lay(tmp_path / "one", a={"question": ["a"]})
    two = lay(tmp_path / "two", b={"question": ["a"]})
    assert opened(one / "a.parquet").digest() == opened(two / "b.parquet").digest()
    assert opened(one).digest() != opened(two).digest()


def test_a_file_column_of_ones_own_cannot_be_covered(tmp_path):
    lay(tmp_path, a={"question": ["a"], "file": ["mine"]})
    with pytest.raises(PoolError, match="file is the name of each row's file"):
        _ = opened(tmp_path).schema
    assert opened(tmp_path, columns=["question"]).read()["file"].to_list() == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", b'{"question": "a"}\nbad\n', "line 2 of "),
        ("x.jsonl", b'{"question": 7}\n', "line 1 of "),
        ("x.csv", b"question,answer\na\n", "line 2 of "),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PoolError) as caught:
        opened(tmp_path / name).read()
    assert str(caught.value).startswith("input bench: ")
    assert says in str(caught.value)


def test_an_id_of_digits_stays_text_in_csv(tmp_path):
    (tmp_path / "x.csv").write_text("id,score\n0123456789012345,0.5\n1234567890123456,1\n")
    frame = opened(tmp_path / "x.csv").read()
    assert frame.schema == {"id": pl.String, "score": pl.Float64}


def test_a_missing_column_and_a_missing_place_are_said(tmp_path):
    lay(tmp_path, a={"question": ["a"]})
    with pytest.raises(
        PoolError, match=r"input bench: there is no column 'qestion'.*nearest: question"
    ):
        _ = opened(tmp_path, columns=["qestion"]).schema
    with pytest.raises(PoolError, match=r"input bench has no place yet: .*--input bench=PATH"):
        opened(None)


def test_a_frame_is_an_input(tmp_path):
    frame = pl.DataFrame({"question": ["a", None], "n": [1, 2]})
    assert opened(frame).read().equals(frame)
    assert opened(frame).digest() != opened(frame.head(1)).digest()
