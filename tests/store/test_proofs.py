"""Killed inside a roll or a compaction, or on a full disk, the store loses nothing acknowledged."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import polars as pl
import pytest

from s1data.errors import StoreError
from s1data.store.replies import ReplyStore
from tests.store.proving import reply

KILLS = 10
"""In each of the two: twenty in all."""

INSIDE = {"roll": "writers/*/draft.tmp", "compaction": "compacting.tmp"}
"""Files that are there only while a roll, or a compaction, writes a part."""


def acknowledged(said):
    text = said.read_text(encoding="utf-8") if said.exists() else ""
    return text[: text.rfind("\n") + 1].split()


def start(home, first, said):
    command = [sys.executable, "-m", "tests.store.proving", home, str(first), said]
    return subprocess.Popen(command)


def drafts(home, pattern):
    """Drafts as they are now; one that a kill left is told from a new one by its inode and time."""
    found = set()
    for path in home.glob(pattern):
        with suppress(FileNotFoundError):
            stat = path.stat()
            found.add((path.name, stat.st_ino, stat.st_mtime_ns))
    return found


def kill_inside(process, home, pattern, old, draw):
    """Kills at the draft of a seeded number, a seeded moment later; whether it was still there."""
    deadline = time.monotonic() + 120
    for _ in range(draw.randrange(1, 5)):
        while not (new := drafts(home, pattern) - old):
            assert time.monotonic() < deadline, "it never got there"
            assert process.poll() is None
        last, old = old, old | new
    time.sleep(draw.choice((0.0, 0.0, 0.0002, 0.001)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return bool(drafts(home, pattern) - last)


@pytest.mark.slow
@pytest.mark.parametrize("where", INSIDE)
def test_killed_inside_it_every_acknowledged_reply_is_there_once_and_readers_never_fail(
    tmp_path, where
):
    home, said = tmp_path / "replies", tmp_path / "said"
    draw = random.Random(f"20261124 {where}")
    failed, stop = [], threading.Event()

    def read():
        """A reader of all that was acknowledged before it looked, over and over."""
        while not stop.is_set():
            keys = acknowledged(said)[-400:]
            try:
                with ReplyStore(home) as store:
                    found = store.get(keys)
                    missing = [key for key in keys if key not in found]
                    wrong = [key for key, one in found.items() if one.answer != f"it is {key}"]
                    if missing or wrong:
                        failed.append((missing, wrong))
            except Exception as error:
                failed.append(repr(error))
                raise

    reader = threading.Thread(target=read)
    reader.start()
    inside = tries = 0
    try:
        while inside < KILLS:
            tries += 1
            assert tries < 10 * KILLS, f"{inside} kills inside a {where}"
            old = drafts(home, INSIDE[where])
            process = start(home, tries, said)
            inside += kill_inside(process, home, INSIDE[where], old, draw)
            keys = acknowledged(said)
            with ReplyStore(home) as store:
                frames = list(store.frames())
                stored = (
                    pl.concat(frames).get_column("key")
                    if frames
                    else pl.Series([], dtype=pl.String)
                )
                assert stored.n_unique() == len(stored)
                assert set(keys) <= set(stored)
                assert not store.damaged
    finally:
        stop.set()
        reader.join()
    assert failed == []
    assert len(acknowledged(said)) >= 4 * KILLS
    with ReplyStore(home) as store:
        keys = acknowledged(said)
        store.compact()
        assert set(store.get(keys)) == set(keys)
        assert store.check().damaged == []
    assert not list(home.glob("writers/*"))


FULL = """
import resource, signal, sys
from pathlib import Path
from s1data.errors import StoreError
from s1data.store.replies import ReplyStore
from tests.store.proving import reply

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
store = ReplyStore(Path(sys.argv[1]), roll_bytes=int(sys.argv[3]))
for number in range(100):
    try:
        store.put([reply(f"k{number}-{i}", int(sys.argv[4])) for i in range(3)])
    except StoreError as error:
        print(f"failed {error}", flush=True)
        break
    print(f"k{number}", flush=True)
try:
    store.close()
except StoreError as error:
    print(f"failed {error}", flush=True)
"""


@pytest.mark.parametrize(
    ("limit", "roll_bytes", "size"),
    [(400_000, 1_000_000, 17_000), (5_000, 300, 1)],
    ids=["no room in the journal", "no room for a part, then none in the journal"],
)
def test_where_a_file_cannot_grow_nothing_acknowledged_is_lost_and_it_is_told_in_a_line(
    tmp_path, limit, roll_bytes, size
):
    options = [str(tmp_path / "replies"), str(limit), str(roll_bytes), str(size)]
    command = [sys.executable, "-c", FULL, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    kept = [line for line in lines if not line.startswith("failed")]
    told = [line for line in lines if line.startswith("failed")]
    assert kept
    assert told
    assert all("were not kept: File too large" in line for line in told)
    keys = [f"{line}-{i}" for line in kept for i in range(3)]
    with ReplyStore(tmp_path / "replies") as store:
        assert set(store.narrow()["key"]) == set(keys)
        store.put([reply("after")])
        store.compact()
        assert set(store.get([*keys, "after"])) == {*keys, "after"}


def fill(store, keys):
    for number in range(1000):
        store.put([reply(f"k{number}")])
        keys.append(f"k{number}")


def small_disk(folder):
    """A file system of 2 MB, where this user may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_on_a_full_disk_nothing_acknowledged_is_lost_and_it_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    if not small_disk(disk):
        pytest.skip(
            "mounting a small file system is for root; the limit on a file's size stands in"
        )
    try:
        filler = disk / "filler"
        filler.write_bytes(bytes(1_000_000))
        keys = []
        with ReplyStore(disk / "replies", roll_bytes=100_000) as store:
            with pytest.raises(StoreError, match="not kept: No space left"):
                fill(store, keys)
            assert set(store.get(keys)) == set(keys)
            with pytest.raises(StoreError, match="none of them: No space left"):
                store.put_all(
                    reply(f"many{number}{os.urandom(3000).hex()}") for number in range(999)
                )
            filler.unlink()
            store.put([reply("after")])
        with ReplyStore(disk / "replies") as store:
            assert set(store.narrow()["key"]) == {*keys, "after"}
            assert store.check().damaged == []
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_a_reader_that_compactions_overtake_misses_nothing(tmp_path):
    """Parts that it listed are gone before it reads them; their replies stand in a later one."""
    done = []

    def write():
        with ReplyStore(tmp_path, roll_bytes=1) as store:
            for number in range(40):
                store.put([reply(f"k{number}", 1)])
                done.append(f"k{number}")
                if number % 2:
                    store.compact()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while writer.is_alive():
            keys = list(done)
            with ReplyStore(tmp_path) as store:
                assert set(store.get(keys)) == set(keys)
                assert {key for frame in store.frames() for key in frame["key"]} >= set(keys)
    finally:
        writer.join()
    assert len(done) == 40
