"""A run whose files are not what it wrote: every reader says so in one line, verify as a finding."""

import contextlib
import io
import json
import re

import pytest

from s1data.cli import main

NAMES = ("ledger.parquet", "selected.parquet", "manifest.json")
DAMAGE = [
    ("a byte more", "ledger.parquet", lambda path: path.write_bytes(path.read_bytes() + b"x")),
    ("cut", "selected.parquet", lambda path: path.write_bytes(path.read_bytes()[:1000])),
    ("gone", "selected.parquet", lambda path: path.unlink()),
    ("cut", "manifest.json", lambda path: path.write_bytes(path.read_bytes()[:300])),
    ("not UTF-8", "manifest.json", lambda path: path.write_bytes(b"\xff{}")),
    ("no manifest", "manifest.json", lambda path: path.write_text("[]")),
]
READERS = [
    ["report"],
    ["verify"],
    ["export", "--format", "think", "--out", "t.jsonl"],
    ["push", "org/x", "--dry-run"],
    ["why", "--row", "3"],
    ["compare"],
]


def said(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main([str(a) for a in arguments])
    return ended.value.code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(("how", "name", "damage"), DAMAGE)
def test_each_reader_names_the_file_and_writes_nothing_from_it(
    run, tmp_path, monkeypatch, how, name, damage
):
    monkeypatch.chdir(tmp_path)
    damage(run / name)
    for command, *rest in READERS:
        code, out, err = said(command, run, *rest)
        assert code == 1, (command, out, err)
        wanted = rf"{name}: is (gone or |)not (what|there)"
        assert re.search(wanted, out + err), (command, out, err)
        assert err.count("\n") <= 1, (command, err)
    assert not (tmp_path / "t.jsonl").exists()
    code, out, _ = said("verify", run, "--json")
    found = json.loads(out)
    assert (code, found["reached"]) == (1, None)
    assert found["differences"][0].startswith("hashes: ")


def test_what_is_damaged_is_mended_by_the_same_run_again(run, runs):
    from s1data.recipe import Pipeline
    from s1data.run import Run

    whole = (run / "ledger.parquet").read_bytes()
    for name in NAMES:
        (run / name).write_bytes(b"damaged")
    Pipeline.load(runs / "pool" / "shared.yaml").run(run)
    assert (run / "ledger.parquet").read_bytes() == whole
    assert Run.open(run).selected.height == 24
