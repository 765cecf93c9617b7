"""The command line: help that fits, one line for what is wrong, codes that are honest."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from s1data import cli
from tests import pools

COMMANDS = sorted(cli.app.commands)


def call(*arguments, cwd=None, **env):
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd, env=os.environ | env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    pools.lay(tmp_path)
    return tmp_path


def test_no_command_is_there_before_its_time():
    assert COMMANDS == [
        "ask",
        "compare",
        "cost",
        "emulate",
        "export",
        "init",
        "overlaps",
        "plan",
        "push",
        "recipes",
        "replies",
        "report",
        "run",
        "scale",
        "schema",
        "stages",
        "verify",
        "why",
    ]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_has_an_example_and_fits_a_screen(command):
    done = call(*([command] if command else []), "--help", COLUMNS="100")
    assert done.returncode == 0
    assert "Example:" in done.stdout
    assert len(done.stdout.splitlines()) <= 40
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_run_tells_the_funnel_and_where_the_set_is(folder):
    done = call("run", "small.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "20 questions in runs/small/selected.parquet" in done.stdout
    assert "in_benchmark" in done.stdout
    assert "drop_contaminated" in done.stderr  # progress in plain lines, since it is no terminal
    again = call("run", "small.yaml", cwd=folder)
    assert again.stdout == done.stdout
    assert again.stderr.count("as before") == 5


def test_json_goes_alone_to_stdout(folder):
    done = call("run", "small.yaml", "--json", cwd=folder)
    told = json.loads(done.stdout)
    assert (told["finished"], told["rows"], told["asked_for"]) == (True, 20, 20)
    assert told["stages"][0]["stage"] == "read"
    assert done.stderr == ""


def test_quiet_says_nothing_and_the_log_file_everything(folder):
    done = call("run", "small.yaml", "--quiet", "--log-file", "run.log", cwd=folder)
    assert done.stderr == ""
    lines = (folder / "run.log").read_text().splitlines()
    assert len(lines) == 5
    assert all(line[:4].isdigit() and line[4] == "-" for line in lines)


def test_fewer_rows_than_asked_for_is_not_success(folder):
    done = call("run", "small.yaml", "--set", "keep.n=5000", cwd=folder)
    assert done.returncode == 1
    assert "asked for: 5,000" in done.stderr
    assert (folder / "runs/small/selected.parquet").exists()


def test_plan_says_what_is_cached_and_what_differs(folder):
    before = call("plan", "small.yaml", cwd=folder)
    assert "read" in before.stdout
    assert "not taken: note" in before.stdout
    assert not (folder / "runs").exists()
    call("run", "small.yaml", cwd=folder)
    after = call("plan", "small.yaml", "--set", "drop_contaminated.n=9", "--json", cwd=folder)
    status = {s["label"]: s for s in json.loads(after.stdout)["stages"]}
    assert [s["status"] for s in status.values()] == [
        "cached",
        "cached",
        "cached",
        "runs",
        "unknown",
    ]
    assert status["drop_contaminated"]["why"] == "n 8 → 9"


def test_why_tells_the_way(folder):
    call("run", "small.yaml", cwd=folder)
    done = call("why", "runs/small", "--text", pools.question(10), cwd=folder)
    assert "dropped in_benchmark" in done.stdout
    assert "--set drop_contaminated.n=" in done.stdout
    told = json.loads(
        call("why", "runs/small", "--text", pools.question(10), "--json", cwd=folder).stdout
    )
    assert told[0]["outcome"] == "dropped"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run"], 2, "Missing argument"),
        (["runn"], 2, "Did you mean"),
        (["run", "small.yaml", "--limit", "0"], 2, "--limit"),
        (["run", "smal.yaml"], 2, "nearest: small.yaml"),
        (["run", "quickstrat"], 2, "nearest: quickstart"),
        (["run", "."], 2, "a folder"),
        (["run", "small.yaml", "--set", "keep.n=x"], 2, "a whole number"),
        (["run", "small.yaml", "--until", "kep"], 2, "nearest: keep"),
        (["run", "small.yaml", "--input", "sums=sum.jsonl"], 2, "sums.jsonl"),
        (["run", "small.yaml", "--from", "nowhere"], 1, "wanted a run directory"),
        (["run", "small.yaml", "--out", "small.yaml"], 1, "got a file"),
        (["run", "small.yaml", "--out", "/dev/null/x"], 1, "cannot be made"),
        (["run", "small.yaml", "--log-file", "no/such/log"], 2, "No such file"),
        (["plan", "bench.csv"], 2, "bench.csv"),
        (["why", "runs/none", "abcd"], 1, "wanted a run directory"),
        (["why", "runs/none"], 2, "--text"),
        (["stages", "drop_dupes"], 2, "nearest: drop_duplicates"),
        (["init", "nothing.jsonl"], 2, "nothing.jsonl"),
        (["init", "sums.jsonl", "--out", "small.yaml"], 2, "a file already"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_line_with_the_right_code(folder, arguments, code, says):
    done = call(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("s1data: ")
    assert says in done.stderr
    assert done.stdout == ""


def test_debug_shows_the_traceback(folder):
    assert "Traceback" in call("--debug", "why", "nowhere", "abcd", cwd=folder).stderr


def test_interrupt_ends_with_130_and_keeps_what_is_finished(folder):
    code = "import sys; from s1data.cli import main; main(sys.argv[1:])"
    pools.lay(folder, rows=30000)
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "small.yaml"],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (folder / "runs/small/stages/00-read/record.json").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("s1data: interrupted")
    assert "Traceback" not in errors
    assert call("run", "small.yaml", cwd=folder).returncode == 0


def test_init_writes_a_recipe_that_runs(folder):
    assert call("init", "sums.jsonl", "--out", "mine.yaml", cwd=folder).returncode == 0
    done = call("run", "mine.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "questions in runs/sums/selected.parquet" in done.stdout


def test_lists_are_there_for_people_and_programs():
    assert "keep_s1" in call("stages").stdout
    assert {s["name"] for s in json.loads(call("stages", "--json").stdout)} >= {"keep_s1"}
    assert "example:" in call("stages", "drop_contaminated").stdout
    assert "quickstart" in call("recipes").stdout
    assert "$defs" in json.loads(call("schema").stdout)


@pytest.mark.parametrize("option", ["--out", "--from", "--input"])
def test_an_empty_path_is_no_path(folder, option):
    value = "sums=" if option == "--input" else ""
    done = call("run", "small.yaml", option, value, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_is_one_line_and_the_run_goes_on_after(folder):
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from s1data.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "run", "small.yaml", "--quiet"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "could not be written" in done.stderr
    assert not list(folder.rglob("*.part"))
    assert call("run", "small.yaml", cwd=folder).returncode == 0
