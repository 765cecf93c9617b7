"""`s1data cost`: what was paid, measured and estimated, and what was not counted, each said so."""

import json
from types import SimpleNamespace

import polars as pl
import pytest

from s1data import digest
from s1data.cli import main
from s1data.run import Run
from s1data.scaling.cost import PAPER_HOURS, cost
from s1data.scaling.grading import SAMPLES
from s1data.store import Spending

TRACE = {"teacher": "big", "sample": 0, "finish": "stop", "verdict": True, "thinking": "T",
         "answer": "A", "thinking_tokens": 90, "answer_tokens": 10}  # fmt: skip
ASKED = {
    "requests": 12,
    "prompt_tokens": 5,
    "thinking_tokens": 900,
    "answer_tokens": 100,
    "usd": 1.5,
}


def finished(folder, rows=4, models=None, *, rehearsal=False):
    """What the command reads of a run: recipe, manifest, set."""
    folder.mkdir()
    (folder / "pipeline.yaml").write_text("{}")
    lines = [{"id": str(i), "question": f"{i}?", "traces": [TRACE]} for i in range(rows)]
    pl.DataFrame(lines, infer_schema_length=None).write_parquet(folder / "selected.parquet")
    files = {"selected.parquet": digest.of_file(folder / "selected.parquet")}
    manifest = {"models": models or {}, "rehearsal": rehearsal, "files": files, "stages": []}
    manifest["selected"] = {"rows": rows}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def s1data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["cost", *map(str, arguments)])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return call


def test_1000_rows_at_the_papers_rate_are_its_6_93_h100_hours(tmp_path):
    run = Run.open(finished(tmp_path / "r", rows=1_000))
    (_, training, _) = cost(run, gpu_usd=7.2)
    assert round(training.figures["gpu_hours"], 2) == 6.93
    assert training.figures["tokens"] == 100_000
    # Under 50 dollars for whatever an H100 costs up to $7.21 an hour: training, and nothing else.
    assert training.usd < 50 < cost(run, gpu_usd=7.22)[1].usd
    # The whole 59K took 394 hours in the paper: its rate per row is the same within 4%.
    assert pytest.approx(394, rel=0.04) == PAPER_HOURS * 59.029


def test_one_table_says_what_is_counted_and_what_is_not(s1data, tmp_path):
    finished(tmp_path / "r", models={"big": ASKED, "free": ASKED | {"usd": 0.0}})
    done = s1data("r", "--gpu-usd", 2)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["models", "$1.50"], ["models", "-"], ["training", "$0.06"], ["evaluation", "-"],
        ["total", "$1.56"],
    ]  # fmt: skip
    assert "big: 12 calls, 1,000 tokens generated" in lines[0]
    assert "without a price" in lines[1]
    assert "400 tokens, 5 epochs: 0.03 H100-hours at the s1 paper's rate" in lines[2]
    assert "not counted" in lines[3]
    assert lines[4].endswith("without evaluation, models")


def test_a_rehearsal_paid_nothing_and_recorded_traces_are_not_said_to_be_free(s1data, tmp_path):
    finished(tmp_path / "a", models={"big": ASKED}, rehearsal=True)
    finished(tmp_path / "b")
    rehearsed, recorded = s1data("a", "--json"), s1data("b", "--json")
    assert json.loads(rehearsed.out)["usd"] == 0
    assert "a rehearsal: nothing was paid of $1.50" in rehearsed.out
    assert "recorded attempts and traces cost is not counted" in recorded.out
    assert json.loads(recorded.out)["without_dollars"] == ["evaluation", "models", "training"]


def test_records_of_training_and_evaluation_take_the_place_of_estimates(s1data, tmp_path):
    finished(tmp_path / "r", models={"big": ASKED})
    (tmp_path / "m").mkdir()
    record = {
        "rows": 4,
        "tokens": 4_000,
        "gpu_hours": 2.5,
        "gpu": "H100",
        "settings": {"epochs": 3},
    }
    (tmp_path / "m/training.json").write_text(json.dumps(record))
    (tmp_path / "e/samples").mkdir(parents=True)
    blank = dict.fromkeys(SAMPLES)
    sample = blank | {"id": "a", "thinking_tokens": 30, "answer_tokens": 3}
    for name in ("max8", "max32"):
        pl.DataFrame([sample], schema=SAMPLES).write_parquet(tmp_path / f"e/samples/{name}.parquet")
    with Spending(tmp_path / "e/spending.jsonl", None) as spending:
        spending.reserve([("k", 1.0)])
        spending.settle([("k", 0.25)])
    done = s1data("r", "--training", "m", "--evaluation", "e", "--gpu-usd", 2, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert [one["usd"] for one in said["items"]] == [1.5, 5.0, 0.25]
    assert (said["usd"], said["without_dollars"]) == (6.75, [])
    assert "2.50 hours of H100" in said["items"][1]["says"]
    assert said["items"][2]["figures"] == {"budgets": 2, "answers": 2, "tokens": 66}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("r", "--training", "r"), "wanted the folder of a model that s1data.scaling.train made"),
        (("r", "--evaluation", "r"), "wanted a folder of s1data scale"),
        (("r", "--gpu-usd", "-1"), "--gpu-usd"),
        (("r", "--gpu-usd", "nan"), "a number of dollars is wanted, got nan"),
        (("r", "--gpu-usd", "inf"), "a number of dollars is wanted, got inf"),
        (("r", "--epochs", "inf"), "--epochs inf: wanted a number of epochs"),
    ],
)
def test_a_folder_that_is_another_is_refused_in_one_line(s1data, tmp_path, arguments, says):
    finished(tmp_path / "r")
    done = s1data(*arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err


def test_what_nobody_counted_is_unknown_and_no_zero(s1data, tmp_path):
    finished(tmp_path / "r")
    done = s1data("r")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].split(maxsplit=2) == [
        "total",
        "unknown",
        "nothing has a price",
    ]
    assert json.loads(s1data("r", "--json").out)["usd"] is None


def test_a_run_without_traces_has_its_table_too(s1data, tmp_path):
    folder = finished(tmp_path / "r", models={"big": ASKED})
    pl.DataFrame({"id": ["a"], "question": ["?"]}).write_parquet(folder / "selected.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {"selected.parquet": digest.of_file(folder / "selected.parquet")}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = s1data("r", "--gpu-usd", 3)
    assert done.code == 0, done.err
    assert "not estimated: the set has no traces with their texts to train on" in done.out
    assert done.out.splitlines()[-1].split()[:2] == ["total", "$1.50"]


RECORD = {"rows": 4, "tokens": 9, "gpu_hours": 2.5, "gpu": "H100", "settings": {"epochs": 3}}


@pytest.mark.parametrize(
    ("name", "value"), [("gpu_hours", -1.0), ("gpu_hours", float("nan")), ("tokens", None),
                        ("rows", "4")],
)  # fmt: skip
def test_a_training_record_that_cannot_be_is_refused(s1data, tmp_path, name, value):
    finished(tmp_path / "r")
    (tmp_path / "m").mkdir()
    (tmp_path / "m/training.json").write_text(json.dumps(RECORD | {name: value}))
    done = s1data("r", "--training", "m", "--gpu-usd", 2)
    assert (done.code, done.err.count("\n"), done.out) == (2, 1, "")
    assert f"training.json: {name}: wanted a number from 0 on, got {value!r}" in done.err


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("models"),
        lambda m: m.update(models=[1]),
        lambda m: m["models"].update(big="much"),
        lambda m: m["models"]["big"].update(usd=float("nan")),
        lambda m: m["models"]["big"].update(requests="12"),
    ],
)
def test_a_damaged_run_is_one_line(s1data, tmp_path, change):
    folder = finished(tmp_path / "r", models={"big": dict(ASKED)})
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = s1data("r")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "not as a run writes it" in done.err


def test_damaged_samples_are_one_line(s1data, tmp_path):
    finished(tmp_path / "r")
    (tmp_path / "e/samples").mkdir(parents=True)
    (tmp_path / "e/samples/max8.parquet").write_bytes(b"PAR1")
    done = s1data("r", "--evaluation", "e")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "max8.parquet: cannot be read as samples" in done.err
