"""A reply that stands twice outlives damage to either copy: nothing is chosen among unread parts."""

from __future__ import annotations

import polars as pl
import pytest

from s1data.models import Outcome, Reply
from s1data.store.replies import ReplyStore


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    """One bit of the first column chunk: the footer, and so most of the index, still reads."""
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


def put(home, *keys, asked):
    """Rolls replies into a part of their own and returns its path."""
    before = set(home.rglob("part-*.parquet"))
    with ReplyStore(home) as store:
        store.put(
            [
                Reply(
                    key=key,
                    provider="p",
                    model="m",
                    outcome=Outcome.OK,
                    answer=f"{key} {asked}",
                    asked=asked,
                )
                for key in keys
            ]
        )
    (new,) = set(home.rglob("part-*.parquet")) - before
    return new


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.fixture(params=["small", "full"])
def twice(request, tmp_path):
    """A store where "twice" stands in two parts, the earlier counting; and those parts.

    A full part is not rewritten by a compaction that finds nothing to drop in it.
    """
    counts = put(tmp_path, "twice", "first", asked=EARLY)
    other = put(tmp_path, "twice", "second", asked=LATE)
    put(tmp_path, "third", asked=LATE)
    if request.param == "full":
        counts = counts.rename(counts.with_name(counts.stem + "-full.parquet"))
    return tmp_path, counts, other


@pytest.mark.parametrize("damage", [cut, flipped])
@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen sound"])
def test_compaction_keeps_the_sound_copy_when_the_one_that_counts_is_damaged(twice, damage, seen):
    home, counts, _ = twice
    with ReplyStore(home) as store:
        if seen:
            assert store.get(["twice"])["twice"].answer == f"twice {EARLY}"
        counts.write_bytes(damage(counts.read_bytes()))
        store.compact()
        assert [one for one in store.damaged if counts.name in one]
        assert (home / "damaged" / counts.name).exists()
    with ReplyStore(home) as store:
        left = store.get(["twice", "first", "second", "third"])
    assert {key: one.answer for key, one in left.items()} == {
        "twice": f"twice {LATE}",
        "second": f"second {LATE}",
        "third": f"third {LATE}",
    }


@pytest.mark.parametrize("damage", [cut, flipped])
def test_damage_to_the_copy_that_does_not_count_costs_only_its_own_replies(twice, damage):
    home, _, other = twice
    other.write_bytes(damage(other.read_bytes()))
    with ReplyStore(home) as store:
        store.compact()
        left = store.get(["twice", "first", "second", "third"])
    assert set(left) == {"twice", "first", "third"}
    assert left["twice"].answer == f"twice {EARLY}"


@pytest.mark.parametrize("damage", [cut, flipped])
def test_all_replies_are_listed_each_once_from_the_sound_copy(twice, damage):
    home, counts, _ = twice
    counts.write_bytes(damage(counts.read_bytes()))
    with ReplyStore(home) as store:
        rows = pl.concat(store.frames()).sort("key")
    assert rows.get_column("answer").to_list() == [
        f"second {LATE}",
        f"third {LATE}",
        f"twice {LATE}",
    ]


def test_a_check_reads_again_what_was_sound_and_a_damaged_file_put_back_is_not_served(twice):
    home, counts, _ = twice
    with ReplyStore(home) as store:
        assert set(store.get(["first"])) == {"first"}
        sound = counts.read_bytes()
        bad = sound.replace(b"first 2026", b"first 2062")
        assert bad != sound, "the damage must lie in the answer"
        counts.write_bytes(bad)
        assert store.check().set_aside == [counts.name]
        assert store.get(["first"]) == {}
        counts.write_bytes(bad)
        assert store.get(["first"]) == {}
        assert len(store.damaged) == 2


def test_a_damaged_part_is_not_even_read_for_the_index_and_one_put_back_counts_again(twice):
    home, counts, _ = twice
    sound = counts.read_bytes()
    damaged = sound.replace(b"first", b"third")
    assert damaged != sound
    counts.write_bytes(damaged)
    with ReplyStore(home) as store:
        known = store.known(pl.Series(["first", "third"]))
        assert known.drop_nulls("outcome").select("key", "asked").rows() == [("third", LATE)]
        assert [line.partition(":")[0] for line in store.damaged] == [counts.name]
        counts.write_bytes(sound)
        store.compact()
        assert set(store.get(["first", "third"])) == {"first", "third"}
