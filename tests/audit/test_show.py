"""`make audit` prints every case with its texts."""

import os
import subprocess
import sys

import pytest


def shown(home, *names):
    command = [sys.executable, "-m", "tests.audit.show", *names]
    told = os.environ | {"S1DATA_REAL": str(home)}
    return subprocess.run(command, env=told, capture_output=True, text=True, check=False)


def test_without_the_real_questions_it_says_where_they_belong(tmp_path):
    ended = shown(tmp_path, "contamination")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"no real questions in {tmp_path}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.real
def test_every_case_has_its_texts(real_data):
    ended = shown(real_data)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("== ") > 1_000
    assert "(not in the data)" not in ended.stdout
