"""Vectors come back as they were stored, from whatever was not lost or damaged."""

import logging
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s1data import StageError
from s1data.embedding import VectorCache, encoder_of, keys_of, text_key

ENCODER = "0123456789abcdef"
OTHER = "f" * 16

WRITER = """
import sys
from pathlib import Path
import numpy as np, polars as pl
from s1data.embedding import VectorCache, text_key
home, encoder, start, count, step = sys.argv[1:]
cache = VectorCache(Path(home), encoder)
for n in range(int(start), int(start) + int(count), int(step)):
    numbers = range(n, n + int(step))
    keys = pl.Series([text_key(str(i)) for i in numbers])
    cache.put(keys, np.array([[i, i + 0.5] for i in numbers], dtype=np.float32))
    print(n + int(step), flush=True)
"""


def keys(*texts):
    return keys_of(ENCODER, pl.Series(list(texts), dtype=pl.String))


def vectors(count, seed=0, dimensions=5):
    return np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)


def writer(home, start, count, step):
    command = [sys.executable, "-c", WRITER, home, ENCODER, *map(str, (start, count, step))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@given(
    puts=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=5),
    asked=st.lists(st.integers(0, 40), max_size=20),
)
def test_what_was_put_is_found_in_any_order_and_number(tmp_path_factory, puts, asked):
    home, table = tmp_path_factory.mktemp("vectors"), vectors(41)
    cache = VectorCache(home, ENCODER)
    for numbers in puts:
        cache.put(keys(*map(str, numbers)), table[numbers])
    stored = {n for numbers in puts for n in numbers}
    for reader in (cache, VectorCache(home, ENCODER)):
        assert reader.missing(keys(*map(str, asked))).to_list() == [n not in stored for n in asked]
        there = [n for n in asked if n in stored]
        found = reader.get(keys(*map(str, there)))
        assert found.dtype == np.float32
        if there:
            assert found.tobytes() == table[there].tobytes()


def test_a_key_may_stand_without_its_encoder(tmp_path):
    cache, table = VectorCache(tmp_path, ENCODER), vectors(2)
    cache.put(pl.Series([text_key("a"), text_key("b")]), table)
    assert cache.get(keys("b", "a")).tobytes() == table[::-1].tobytes()


def test_encoders_share_nothing(tmp_path):
    VectorCache(tmp_path, ENCODER).put(keys("a"), vectors(1))
    other = VectorCache(tmp_path, OTHER)
    assert other.missing(pl.Series([text_key("a")])).all()
    other.put(pl.Series([text_key("a")]), vectors(1, dimensions=9))
    assert VectorCache(tmp_path, ENCODER).get(keys("a")).shape == (1, 5)


def test_a_vector_that_is_not_stored_is_an_error_that_says_what_to_do(tmp_path):
    cache = VectorCache(tmp_path, ENCODER)
    cache.put(keys("a"), vectors(1))
    with pytest.raises(StageError, match=r"2 vectors.* 1 are not in .*run add_embedding"):
        cache.get(keys("a", "b"))


@pytest.mark.parametrize(
    ("given_keys", "given_vectors", "says"),
    [
        (keys("a"), vectors(2), r"shape \(1, dimensions\), got float32 of shape \(2, 5\)"),
        (keys("a"), vectors(1).astype(np.float64), "got float64"),
        (pl.Series(["no key"]), vectors(1), "got 'no key'"),
        (keys_of(OTHER, pl.Series(["a"])), vectors(1), f"encoder {ENCODER}, got '{OTHER}:"),
        (pl.Series([None], dtype=pl.String), vectors(1), "got None"),
        (keys("a"), vectors(1, dimensions=6), "wanted 5 dimensions .*, got 6"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path, given_keys, given_vectors, says):
    cache = VectorCache(tmp_path, ENCODER)
    cache.put(keys("there"), vectors(1))
    cache.missing(keys("there"))
    with pytest.raises(StageError, match=says):
        cache.put(given_keys, given_vectors)


@pytest.mark.parametrize("encoder", ["", "../x", ".hidden", "a/b"])
def test_an_encoder_is_no_path(tmp_path, encoder):
    with pytest.raises(StageError, match="identity"):
        VectorCache(tmp_path, encoder)


def damage_by_cutting(content):
    return content[: len(content) // 2]


def damage_by_one_bit(content):
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.mark.parametrize(
    "damaged", [damage_by_cutting, damage_by_one_bit, lambda _: b""], ids=["cut", "bit", "empty"]
)
def test_a_damaged_part_is_set_aside_and_only_its_vectors_are_missing(tmp_path, caplog, damaged):
    VectorCache(tmp_path, ENCODER).put(keys("a", "b"), vectors(2))
    (part,) = (tmp_path / ENCODER).iterdir()
    VectorCache(tmp_path, ENCODER).put(keys("c"), vectors(1, seed=1))
    part.write_bytes(damaged(part.read_bytes()))

    cache = VectorCache(tmp_path, ENCODER)
    with caplog.at_level(logging.WARNING):
        assert cache.missing(keys("a", "b", "c")).to_list() == [True, True, False]
    assert "damaged and set aside" in caplog.text
    assert part.name in caplog.text
    assert part.with_suffix(".npy.damaged").exists()

    cache.put(keys("a", "b"), vectors(2))
    caplog.clear()
    again = VectorCache(tmp_path, ENCODER).get(keys("a", "b", "c"))
    assert again.tobytes() == np.concatenate([vectors(2), vectors(1, seed=1)]).tobytes()
    assert caplog.text == ""


def test_many_processes_write_at_once_and_see_each_other(tmp_path):
    writers = [writer(tmp_path, start, 120, 10) for start in (0, 60, 120)]  # they overlap
    cache, wanted = VectorCache(tmp_path, ENCODER), keys(*map(str, range(240)))
    for each in writers:
        each.communicate()
        assert each.returncode == 0
    assert not cache.missing(wanted).any()
    assert cache.get(wanted).tolist() == [[i, i + 0.5] for i in range(240)]


def test_what_was_stored_outlives_a_kill(tmp_path):
    child = writer(tmp_path, 0, 100_000, 50)
    acknowledged = [int(child.stdout.readline()) for _ in range(8)][-1]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    stored = keys(*map(str, range(acknowledged)))
    found = VectorCache(tmp_path, ENCODER).get(stored)
    assert found.tolist() == [[i, i + 0.5] for i in range(acknowledged)]


def test_a_half_written_part_is_never_read(tmp_path):
    cache = VectorCache(tmp_path, ENCODER)
    cache.put(keys("a"), vectors(1))
    (part,) = (tmp_path / ENCODER).iterdir()
    part.rename(part.with_suffix(".npy.77-abcd.partial"))
    assert VectorCache(tmp_path, ENCODER).missing(keys("a")).all()


def test_a_key_tells_its_encoder():
    assert encoder_of(keys("a", None, "b")) == ENCODER
    assert encoder_of(keys(None)) is None
    assert keys("a", None).to_list() == [f"{ENCODER}:{text_key('a')}", None]


def test_foreign_and_mixed_keys_are_refused():
    with pytest.raises(StageError, match="got 'mine'"):
        encoder_of(pl.Series([*keys("a"), "mine"]))
    with pytest.raises(StageError, match=f"one encoder, got those of {ENCODER}, {OTHER}"):
        encoder_of(pl.Series([*keys("a"), *keys_of(OTHER, pl.Series(["a"]))]))


def test_heavy_libraries_wait_until_something_is_encoded():
    code = (
        "import sys, s1data.embedding, s1data.encoders, s1data.stages.vectors, s1data.stages.domains;"
        "print([m for m in ('sklearn', 'torch', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
