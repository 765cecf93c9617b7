"""A thousand real questions, each with a trace, of a teacher that fails at every fifth: rehearsed."""

from pathlib import Path

import pytest

from s1data.emulator import Script
from s1data.recipe import Pipeline

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
FAULTS = {"safety": 0.1, "cut_thinking": 0.1}


def test_a_thousand_come_out_and_a_row_is_taught_for_each_hole(real_data, tmp_path):
    script = Script.of({"seed": 8, "models": {"big": {"role": "teacher"}}, "faults": FAULTS})
    run = Pipeline.load(HERE / "filled.yaml").run(
        tmp_path / "run",
        inputs={"pool": real_data / "pool.parquet"},
        rehearse=True,
        script=script,
    )
    assert run.selected.height == 1000
    assert run.selected["source_type"].value_counts()["count"].max() <= 120
    (said,) = [s["figures"] for s in run.manifest["stages"] if s["label"] == "drop_unfilled"]
    failed = sum(said["not_accepted"].values())
    assert said["taught"] == 1000 + failed == run.manifest["models"]["teacher"]["sent"]
    page = (HERE.parents[1] / "docs" / "selection.md").read_text(encoding="utf-8")
    assert f"{said['taught']:,} were taught, {failed} in vain" in page
    assert f"{said['reserve_left']} of the reserve were not needed" in page
