"""A SIGKILL at any moment costs the stage under way and nothing else."""

import subprocess
import sys
import time

import polars as pl
import pytest

from tests import kills, pools

pytestmark = pytest.mark.slow

STAGES = """\
  - drop_incomplete: {needs: [answer]}
  - drop_duplicates
  - drop_contaminated: {against: [bench], n: 14}
  - add_embedding: {encoder: tfidf-svd, dimensions: 16}
  - add_cluster_domain: {k: 8}
  - keep_diverse: {as: keep, n: 200, seed: 1}
"""


@pytest.fixture
def recipe(tmp_path):
    pools.lay(tmp_path, rows=3000)
    head = pools.RECIPE.partition("stages:\n")[0]
    (tmp_path / "small.yaml").write_text(f"{head}stages:\n{STAGES}", encoding="utf-8")
    return tmp_path


def start(folder, out):
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "run", "small.yaml", "--out", out, "--quiet"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def whole(folder, out):
    process = start(folder, out)
    began = time.monotonic()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return time.monotonic() - began


def bytes_of(folder, out):
    return [(folder / out / name).read_bytes() for name in ("selected.parquet", "ledger.parquet")]


def test_thirty_kills_and_the_same_bytes(recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache-1"))
    seconds = whole(recipe, "straight")
    monkeypatch.setenv("S1DATA_CACHE", str(tmp_path / "cache-2"))
    run = recipe / "killed"
    kills.kill_often(
        lambda: start(recipe, "killed"), 30, 20261124, seconds, lambda: kills.forget(run)
    )
    whole(recipe, "killed")
    assert bytes_of(recipe, "killed") == bytes_of(recipe, "straight")
    ledger = pl.read_parquet(recipe / "killed" / "ledger.parquet")
    assert ledger["row"].to_list() == list(range(3000 + 4 + 40))


def test_two_processes_on_one_run_directory(recipe):
    first = start(recipe, "both")
    owner = recipe / "both" / ".owner"
    while not owner.exists() or not owner.read_text():
        assert first.poll() is None, first.stderr.read().decode()
        time.sleep(0.01)
    second = start(recipe, "both")
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert errors.decode().startswith(f"s1data: both: process {first.pid} is running there now")
    assert len(errors.splitlines()) == 1
    first.communicate(timeout=300)
    assert first.returncode == 0
