"""A stage of another package is found by its entry point and held to the same laws."""

import os
import subprocess
import sys
from pathlib import Path

from tests.laws import laws

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_the_laws_find_the_stage_of_an_installed_package():
    path = os.pathsep.join([str(HERE / "plugin"), str(ROOT)])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-k",
            "drop_shouted",
            "-p",
            "no:cacheprovider",
            str(HERE / "test_laws.py"),
        ],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    every = (*laws.OF_A_CLASS, *laws.OF_A_VALUE, *laws.OF_THE_EXAMPLE, *laws.OF_ITS_WORK)
    for law in every:
        assert f"[drop_shouted-{law.__name__}] PASSED" in done.stdout
