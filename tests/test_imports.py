"""`import s1data` and `s1data --help` stay light: nothing heavy is loaded before it is used.

What they cost in seconds is measured by `python -m bench.imports`; which modules they load is the
cause, and can be told exactly.
"""

import subprocess
import sys

import pytest

HEAVY = {
    "accelerate",
    "datasets",
    "google",
    "huggingface_hub",
    "matplotlib",
    "openai",
    "pandas",
    "peft",
    "pyarrow",
    "reasoning_gym",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "transformers",
    "trl",
}
NUMPY = "numpy"  # 0.13 s of CPU, nearly the whole allowance of 0.15

HELP = """
import s1data.cli
try:
    s1data.cli.main(["--help"])
except SystemExit as end:
    assert not end.code, end.code
"""
LOAD = """
import s1data
from s1data.published import published
for name in published():
    s1data.Pipeline.load(name)
"""
LOADED = "\nimport sys; print('\\n', *sys.modules)"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        pytest.param("import s1data", HEAVY | {NUMPY}, id="import"),
        pytest.param(HELP, HEAVY | {NUMPY}, id="help"),
        pytest.param(LOAD, HEAVY, id="recipes"),
    ],
)
def test_nothing_heavy_is_loaded(code, heavy):
    done = subprocess.run(
        [sys.executable, "-c", code + LOADED], check=True, capture_output=True, text=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "s1data" in loaded, "this is not the list of modules"
    assert loaded & heavy == set()
