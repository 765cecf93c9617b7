"""The whole loop: a set curated, exported, learnt by a tiny model, and budgets forced on that."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from s1data.export.templates import Template
from s1data.run import Run
from s1data.scaling import lessons

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_make_loop_goes_from_questions_to_a_curve(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/loop.py"), str(tmp_path / "loop")],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "not of accuracy" in done.stdout
    home = tmp_path / "loop"
    losses = [
        one["loss"] for one in json.loads((home / "model/training.json").read_text())["losses"]
    ]
    assert losses[-1] < 0.4 * losses[0]
    told = json.loads((home / "curve/curve.json").read_text())
    assert told["control"] == 100
    assert (home / "curve/curve.png").read_bytes().startswith(b"\x89PNG")
    caps = {"max16": 16, "max64": 64, "max320-wait1": 320, "max320-wait2": 320}
    assert {point["budget"] for point in told["points"]} == set(caps)
    tables = {name: pl.read_parquet(home / f"curve/samples/{name}.parquet") for name in caps}
    for name, table in tables.items():
        assert table["thinking_tokens"].max() <= caps[name]
        assert table["error"].null_count() == table.height
    cut = tables["max16"].filter("cut")["thinking_tokens"]
    assert set(cut) == {16}
    assert len(cut) > 8
    # It learnt to end its thinking, and a "Wait" makes it go on.
    assert tables["max320-wait1"]["waits"].max() == 1
    assert tables["max320-wait2"]["waits"].max() == 2
    thought = [table["thinking_tokens"].mean() for table in tables.values()]
    assert all(a < b for a, b in pairwise(thought))
    # The run itself can be trained on, and teaches the same rows as its export.
    template = Template.load(str(home / "base"))
    of_run = list(lessons.read(str(home / "run"), "think", template))
    assert of_run == list(lessons.read(str(home / "train.jsonl"), "think", template))
    assert len(of_run) == Run.open(home / "run").selected.height
