"""Datasets of the Hub: one commit is read and recorded; what is wrong is one clear line.

The client libraries read their settings when they are imported, so each case is a process.
"""

import io
import json
import os
import subprocess
import sys

import polars as pl
import pytest

from tests.hub.loopback_hub import REPO, serving

OLD, NEW = "1" * 40, "2" * 40

CHILD = """
import json, sys
from s1data.errors import PoolError
from s1data.sources import Source, open_source
out = []
for fields in json.loads(sys.argv[1]):
    opened = open_source(Source(name="far", **fields))
    try:
        read = opened.read()
        out.append({
            "questions": read.rows["question"].to_list(),
            "answers": read.rows["answer"].to_list(),
            "unread": opened.unread,
            "digest": opened.digest(),
            "provenance": opened.provenance(),
        })
    except PoolError as error:
        out.append({"error": str(error)})
print(json.dumps(out))
"""


def parquet(questions):
    file = io.BytesIO()
    frame = pl.DataFrame({"prompt": questions, "gold": range(len(questions)), "score": 0.5})
    frame.write_parquet(file)
    return file.getvalue()


COMMITS = {
    OLD: {"README.md": b"old\n", "data/train-00000-of-00001.parquet": parquet(["old one"])},
    NEW: {
        "README.md": b"new\n",
        "data/train-00000-of-00001.parquet": parquet(["new one", "new two"]),
        "data/test-00000-of-00001.parquet": parquet(["held out"]),
    },
}
COLUMNS = {"question": "prompt", "answer": "gold"}


def opened(home, url, *sources, **env):
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        **env,
    }
    fields = [{"hub": REPO, "columns": COLUMNS, **source} for source in sources]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps(fields)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Retry" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def hub():
    with serving(COMMITS, {"main": NEW, "v1": OLD}) as server:
        yield server


@pytest.fixture(scope="module")
def results(hub, tmp_path_factory):
    """Every case that needs the server, in one process: its imports take seconds."""
    cases = {
        "main": {},
        "commit": {"revision": NEW},
        "tag": {"revision": "v1"},
        "split": {"split": "test"},
        "no revision": {"revision": "v9"},
        "no split": {"split": "validation"},
        "no config": {"config": "french"},
        "no column": {"columns": {"question": "promt"}},
        "no repo": {"hub": "org/nothing"},
    }
    home = tmp_path_factory.mktemp("home")
    return dict(zip(cases, opened(home, hub.url, *cases.values()), strict=True))


def test_the_main_branch_is_read_at_its_commit_and_the_commit_is_recorded(results):
    main = results["main"]
    assert main["questions"] == ["new one", "new two"]
    assert main["answers"] == ["0", "1"]
    assert main["unread"] == ["score"]
    assert main["provenance"] == {
        "kind": "hub",
        "repo": REPO,
        "revision": NEW,
        "asked": None,
        "config": None,
        "split": "train",
    }


def test_a_tag_is_another_commit_with_other_content(results):
    assert results["tag"]["questions"] == ["old one"]
    assert results["tag"]["provenance"]["revision"] == OLD
    assert results["tag"]["digest"] != results["main"]["digest"]


def test_what_decides_is_the_commit_and_not_how_it_was_named(results):
    assert results["commit"]["digest"] == results["main"]["digest"]


def test_a_split_is_content_of_its_own(results):
    assert results["split"]["questions"] == ["held out"]
    assert results["split"]["digest"] != results["main"]["digest"]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no revision", ["no such revision", "v9"]),
        ("no split", ["validation", "train", "test"]),
        ("no config", ["french", "default"]),
        ("no column", ["'promt'", "nearest: prompt"]),
        ("no repo", ["org/nothing", "no such dataset"]),
    ],
)
def test_what_is_not_there_is_said_in_a_line(results, case, says):
    error = results[case]["error"]
    assert error.startswith("source far")
    assert "\n" not in error
    for part in says:
        assert part in error


def test_without_a_network_one_line_says_so_and_a_cached_commit_is_still_read(hub, tmp_path):
    nowhere = "http://127.0.0.1:9"
    (unreachable,) = opened(tmp_path, nowhere, {})
    assert "cannot be reached" in unreachable["error"]
    assert "\n" not in unreachable["error"]
    assert opened(tmp_path, hub.url, {"revision": NEW})[0]["questions"] == ["new one", "new two"]
    again, other = opened(
        tmp_path, nowhere, {"revision": NEW}, {"revision": OLD}, HF_HUB_OFFLINE="1"
    )
    assert again["questions"] == ["new one", "new two"]
    assert "cannot be reached" in other["error"]  # never another commit in its place
