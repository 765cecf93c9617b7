"""What graders and a judge said of a row, side by side: who, how it ended, answer, reference, method."""

import polars as pl
import pytest

import s1data
from s1data import pool
from s1data.emulator import Emulator, Script
from s1data.providers import openai_client  # noqa: F401 - not within the seconds of the check
from s1data.serving import Means

RECIPE = """
name: graded
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
inputs:
  tried: {columns: [question, model, final_answer]}
  traced: {columns: [question, model, thinking, answer]}
models:
  judge: {provider: openai_compatible, model: judge, max_tokens: 200}
stages:
  - add_recorded_attempts: {from: tried, verdict: ""}
  - add_grades: {of: attempts}
  - add_judge_grades: {model: judge}
  - add_recorded_traces: {from: traced}
  - add_grades: {as: grade_traces, of: traces}
  - drop_solved: {rule: any, unknown: keep}
  - keep_random: {as: keep, n: 1, seed: 1}
"""
THEORY, SUM = "Which theory?", "What is 2 + 2?"
POOL = pl.DataFrame({"question": [THEORY, SUM], "answer": ["big bang (theory)", "4"]})
TRIED = pl.DataFrame(
    [
        (THEORY, "small", "steady state"),
        (THEORY, "large", "big bang theory"),
        (SUM, "small", "4.0"),
        (SUM, "large", "5"),
        (SUM, "rude", "\x1b[2J5"),
    ],
    schema=["question", "model", "final_answer"],
    orient="row",
)
TRACED = pl.DataFrame(
    [(SUM, "teacher", "Two and two.", r"So it is \boxed{4}."), (SUM, "cut", "Two and", None)],
    schema=["question", "model", "thinking", "answer"],
    orient="row",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("graded")
    script = Script.of({"models": {"judge": {"role": "judge", "skill": 1.0}}})
    with pytest.MonkeyPatch.context() as patch, Emulator(script) as server:
        patch.setenv("S1DATA_CACHE", str(home / "cache"))
        yield s1data.Pipeline.from_yaml(RECIPE).run(
            home / "run",
            inputs={"pool": POOL, "tried": TRIED, "traced": TRACED},
            means=Means(endpoints={"judge": (server.openai_url,)}, no_price=True),
        )


def lines(run, question):
    (way,) = run.why(text=question)
    return {step.label: list(step.verdicts) for step in way.steps if step.verdicts}


def test_each_attempt_stands_beside_the_reference_with_verdict_and_method(run):
    said = lines(run, SUM)["add_grades"]
    assert sorted(said) == [
        "large #0 | answer 5 | reference 4 | wrong (number)",
        "rude #0 | answer \\u001b[2J5 | reference 4 | undecided (undecided:unreadable_answer)",
        "small #0 | answer 4.0 | reference 4 | right (number)",
    ]


def test_what_the_judge_decided_is_shown_as_the_judges(run):
    said = lines(run, THEORY)
    assert sorted(said["add_grades"]) == [
        "large #0 | answer big bang theory | reference big bang (theory) | undecided (undecided:answer_not_maths)",
        "small #0 | answer steady state | reference big bang (theory) | undecided (undecided:answer_not_maths)",
    ]
    assert sorted(said["add_judge_grades"]) == [
        "large #0 | answer big bang theory | reference big bang (theory) | right (judge)",
        "small #0 | answer steady state | reference big bang (theory) | wrong (judge)",
    ]


def test_a_trace_is_shown_with_the_end_of_its_text_and_the_answer_read_in_it(run):
    said = lines(run, SUM)["grade_traces"]
    assert len(said) == 2
    teacher = next(line for line in said if line.startswith("teacher #0"))
    assert teacher.endswith(r"So it is \boxed{4}. | answer 4 | reference 4 | right (exact)")
    cut = next(line for line in said if line.startswith("cut #0"))
    assert "Two and" in cut
    assert "| answer (none) | reference 4 |" in cut


def test_the_way_is_printed_with_these_lines_under_their_stage(run):
    (way,) = run.why(text=SUM)
    printed = str(way).splitlines()
    at = next(i for i, line in enumerate(printed) if line.strip().startswith("add_grades"))
    assert "| reference 4 |" in printed[at + 1]
    assert "\x1b" not in str(way)


def test_the_manifest_says_what_each_method_decided_and_what_the_judge_cost(run):
    stages = {stage["label"]: stage["figures"] for stage in run.manifest["stages"]}
    assert stages["add_grades"]["judge_calls_saved"] == 2
    judged = stages["add_judge_grades"]
    assert {m: sum(n.values()) for m, n in judged["by_method"].items()} == {"judge": 3, "number": 2}
    assert (judged["judge_calls"], judged["answers_not_shown"]) == (3, 2)
    assert pool.question_id(SUM) in run.ledger["id"].to_list()


ASKED = """
name: asked
version: 2026.11.0
sources: [{name: pool, path: unused.parquet}]
models:
  small: {provider: openai_compatible, model: small, max_tokens: 200}
stages:
  - add_attempts: {solvers: [small], samples: 2}
  - add_grades: {of: attempts}
  - keep_random: {as: keep, n: 1, seed: 1}
"""
SOLVER = {"models": {"small": {"role": "solver", "skill": 1.0}}}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    home = tmp_path_factory.mktemp("asked")
    with pytest.MonkeyPatch.context() as patch, Emulator(Script.of(SOLVER), answers=POOL) as server:
        patch.setenv("S1DATA_CACHE", str(home / "cache"))
        yield s1data.Pipeline.from_yaml(ASKED).run(
            home / "run",
            inputs={"pool": POOL},
            means=Means(
                endpoints={"small": (server.openai_url,)}, no_price=True, store=home / "own"
            ),
        )


def test_an_attempt_that_was_asked_for_is_shown_with_the_end_of_its_reply(asked):
    store = asked.path.parent / "own"
    (way,) = asked.why(text=SUM, store=store)
    said = next(step.verdicts for step in way.steps if step.label == "add_grades")
    assert len(said) == 2
    for sample, line in enumerate(said):
        assert line.startswith(f"small #{sample} \u2026")
        assert "| answer 4 | reference 4 | right (exact)" in line
        assert "4" in line.partition("|")[0].partition("\u2026")[2]


def test_without_its_store_the_same_lines_are_shown_and_say_no_text(asked):
    (way,) = asked.why(text=SUM)
    said = next(step.verdicts for step in way.steps if step.label == "add_grades")
    assert said == tuple(f"small #{n} | answer 4 | reference 4 | right (exact)" for n in (0, 1))
